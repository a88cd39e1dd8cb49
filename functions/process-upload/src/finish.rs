//! The end of a walk: the record gets its counts and its last status.

use crate::failure::Failure;
use crate::hold;
use crate::run::Run;
use mapping::plan::{Applied, HoldReason};
use mapping::problem::{Problem, ProblemCode};
use mapping::report::{SHOWN_PROBLEMS, rejection};
use platform::clock::stamp;
use platform::feed::{Decision, Left, UploadStatus};
use platform::objects::Document;

/// The file was processed, and what was held of it, if that is approved.
pub(crate) async fn complete(
    run: &mut Run<'_>,
    first: Applied<'_>,
    approved: Option<Applied<'_>>,
    problems: Vec<Problem>,
) -> Result<(), Failure> {
    let counts = match &approved {
        Some(approved) => first.counts_with(approved),
        None => first.counts(),
    };
    run.upload.rows = counts.rows;
    run.upload.others = counts.others;
    run.upload.warnings = counts.warnings;
    run.upload.problems = problems;
    run.upload.report_ready = true;
    if approved.is_none() {
        run.upload.held.disables = counts.held_disables;
        run.upload.held.creates = counts.held_creates;
        run.upload.held.reason = first.plan.hold.map(HoldReason::code);
    }
    let mut held = first.plan.hold.is_some() && approved.is_none() && !run.upload.rehearsal;
    if held && hold::is_too_late(run).await? {
        // Something has ended the hold before it began.
        run.upload.held.decision = Some(Decision::Superseded);
        held = false;
    }
    let status = match held {
        true => UploadStatus::Held,
        false => run.upload.status_at_end(),
    };
    let counted = run.counts(first.plan);
    let left = match (held, approved.is_some() || first.plan.hold.is_none()) {
        (true, _) => Left::Hold(hold::open(run)),
        (false, true) if counted || approved.is_some() => Left::Baseline(counts.rows.total),
        (false, false) if counted => Left::Applied,
        (false, _) => Left::Nothing,
    };
    end(run, status, left).await?;
    if held {
        hold::end_if_superseded(run.feed, run.upload.portal_id).await?;
    }
    Ok(())
}

/// What was held is approved too late. Report and counts stay as they are.
pub(crate) async fn supersede(run: &mut Run<'_>) -> Result<(), Failure> {
    run.upload.held.decision = Some(Decision::Superseded);
    let status = run.upload.status_at_end();
    end(run, status, Left::Nothing).await
}

/// The file is refused as a whole; no user was written.
pub(crate) async fn reject(run: &mut Run<'_>, mut problems: Vec<Problem>) -> Result<(), Failure> {
    let (portal, upload) = (run.upload.portal_id, run.upload.upload_id);
    let reports = &run.feed.reports;
    let mut report = reports.begin(portal, upload, run.saved().run, Document::Report);
    report.write(&rejection(&problems)).await?;
    report.finish().await?;
    problems.truncate(SHOWN_PROBLEMS);
    run.upload.problems = problems;
    run.upload.report_ready = true;
    end(run, UploadStatus::Rejected, Left::Nothing).await
}

/// The file cannot be brought to its end. Nothing was lost that was applied; there is no report.
pub(crate) async fn fail(run: &mut Run<'_>, failure: &Failure) -> Result<(), Failure> {
    let what = match run.upload.status {
        _ if run.is_approval() => "What was held and approved may have been done in part.",
        UploadStatus::Applying if !run.upload.rehearsal => {
            "Some of its people may have been written."
        }
        _ => "Nobody was written.",
    };
    let message = format!("The file was not processed to its end: {failure}. {what}");
    run.upload.problems = vec![Problem::new(ProblemCode::ProcessingFailed).message(message)];
    end(run, UploadStatus::Failed, Left::Nothing).await
}

async fn end(run: &mut Run<'_>, status: UploadStatus, left: Left) -> Result<(), Failure> {
    run.upload.finished_at = Some(stamp((run.feed.clock)()));
    run.finish(status, left).await
}
