//! The walk of one file, top to bottom (`docs/architecture.md`, "The walk"). Each step stands in the file
//! of its name; what is decided on the way is decided in `mapping`.

use crate::admit::{Admission, admit};
use crate::apply::Applied;
use crate::failure::Failure;
use crate::run::Run;
use crate::{apply, finish, hold, plan, report, scan};
use mapping::mapping::Mapping;
use mapping::plan::{self as planned, Exceptions, Plan};
use mapping::problem::{Problem, ProblemCode};
use platform::feed::{Saved, UploadRecord};

/// How far the walk came.
pub(crate) enum Walked {
    /// To its end.
    Ended(Box<UploadRecord>),
    /// As far as the time allowed; what was done is saved.
    Paused,
}

/// Walks on with an upload, from wherever it stands.
pub(crate) async fn walk(mut run: Run<'_>) -> Result<Walked, Failure> {
    let outcome = if run.is_hopeless() {
        Err(Failure::Hopeless)
    } else {
        steps(&mut run).await
    };
    match outcome {
        Ok(false) => return Ok(Walked::Paused),
        Ok(true) => {}
        // What was held went with its file.
        Err(Failure::FileGone) if run.is_approval() && run.saved().plan_by.is_none() => {
            finish::supersede(&mut run).await?;
        }
        // Nobody was written yet: the file is refused, as any other that cannot be read.
        Err(Failure::FileGone) if run.saved().plan_by.is_none() => {
            finish::reject(&mut run, vec![Problem::new(ProblemCode::FileGone)]).await?;
        }
        Err(failure) if !failure.may_be_cured() => {
            tracing::error!(upload_id = %run.upload.upload_id, error = %failure, "given up");
            finish::fail(&mut run, &failure).await?;
        }
        Err(failure) => return Err(failure),
    }
    Ok(Walked::Ended(Box::new(run.upload)))
}

/// Whether the walk came to its end, in the time that there was.
async fn steps(run: &mut Run<'_>) -> Result<bool, Failure> {
    let mapping = match admit(run).await? {
        Admission::Accepted(mapping) => mapping,
        Admission::Refused(problems) => return refuse(run, problems).await,
        Admission::Superseded => {
            finish::supersede(run).await?;
            return Ok(true);
        }
    };
    let first = first_run(run).await?;

    // Nothing is written to a user before the whole file has been read, checked and planned, and the plan
    // is kept. A walk that is taken up again after that goes on with the kept plan; the roster may hold
    // half of it already, and is no ground to plan on.
    let plan = match (run.saved().plan_by, &first) {
        (Some(_), _) => kept_plan(run, run.saved()).await?,
        (None, Some((first, exceptions))) => {
            let mapping = mapping.clone().with_groups(first.groups.clone());
            let first = planned::Applied {
                plan: first,
                exceptions,
            };
            let plan = plan::approved(run, &mapping, first).await?;
            keep(run, &plan).await?;
            plan
        }
        (None, None) => {
            let scan = match scan::scan(run, &mapping).await? {
                Ok(scan) => scan,
                Err(problems) => return refuse(run, problems).await,
            };
            let plan = plan::plan(run, &mapping, scan).await?;
            keep(run, &plan).await?;
            plan
        }
    };
    hold::end_older(run, &plan).await?;

    // What a row says must not change while it is applied, even if the portal's groups do.
    let mapping = mapping.with_groups(plan.groups.clone());
    let exceptions = match apply(run, &mapping, &plan).await? {
        Applied::Whole(exceptions) => exceptions,
        Applied::InPart => return Ok(false),
    };
    // The report is written in one go.
    if !run.limit.allows_another() {
        return Ok(false);
    }
    let second = planned::Applied {
        plan: &plan,
        exceptions: &exceptions,
    };
    let (first, approved) = match &first {
        Some((plan, exceptions)) => (planned::Applied { plan, exceptions }, Some(second)),
        None => (second, None),
    };
    let problems = report::write(run, &mapping, first, approved).await?;
    finish::complete(run, first, approved, problems).await?;
    Ok(true)
}

/// Plan and exceptions of the run whose hold is approved.
async fn first_run(run: &Run<'_>) -> Result<Option<(Plan, Exceptions)>, Failure> {
    let Some(first) = run.first else {
        return Ok(None);
    };
    let plan = kept_plan(run, first).await?;
    Ok(Some((plan, apply::kept_exceptions(run, first).await?)))
}

async fn refuse(run: &mut Run<'_>, problems: Vec<Problem>) -> Result<bool, Failure> {
    finish::reject(run, problems).await?;
    Ok(true)
}

async fn apply(run: &mut Run<'_>, mapping: &Mapping, plan: &Plan) -> Result<Applied, Failure> {
    if run.upload.rehearsal {
        Ok(Applied::Whole(Exceptions::new()))
    } else {
        apply::apply(run, mapping, plan).await
    }
}

async fn keep(run: &mut Run<'_>, plan: &Plan) -> Result<(), Failure> {
    let by = run.kept_by(run.saved().run, run.lease.token());
    run.feed.reports.keep_plan(by, plan.encode()?).await?;
    run.planned(plan).await
}

/// The plan of a run.
async fn kept_plan(run: &Run<'_>, saved: Saved) -> Result<Plan, Failure> {
    let token = saved.plan_by.ok_or(Failure::NoPlan)?;
    let by = run.kept_by(saved.run, token);
    let bytes = run.feed.reports.kept_plan(by).await?;
    Ok(Plan::decode(&bytes)?)
}
