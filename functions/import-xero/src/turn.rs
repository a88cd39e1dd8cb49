//! When an import is made: under the portal's lease, so that no file is applied meanwhile, and not while one is applied
//! in part; how often it is tried, and what is said of one that cannot be made.

use crate::context::Context;
use crate::failure::{Failure, Refused};
use crate::run::Run;
use jiff::SignedDuration;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::clock::stamp;
use platform::failure::CallFailed;
use platform::feed::xero::PendingImport;
use platform::feed::{Acquired, Lease};
use platform::metrics::Invocation;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long somebody else's lease is waited for. A long file is left to the sweep.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// When an attempt that was not heard of again is followed by another.
const NEXT_ATTEMPT: SignedDuration = SignedDuration::from_mins(1);

/// After so many attempts that brought nobody forward an import is given up, as a file is (`docs/reliability.md`).
const MAX_ATTEMPTS: u32 = 5;

/// Takes the lease, imports, and gives it back. After a failure of ours it ends by itself, as after a crash.
pub(crate) async fn take_turn(
    context: &Context,
    portal: PortalId,
    import: PendingImport,
    line: &mut Invocation,
) -> Result<(), Failure> {
    let feed = &context.feed;
    let Some(lease) = take_lease(context, portal).await? else {
        tracing::info!(portal_id = %portal, "somebody else works for the portal; the import waits");
        return Ok(());
    };
    // Of a kept plan some people may be written, whoever has died over it: it comes to its end first, for it knows
    // nothing of people who come in between.
    let next = feed.next_in_queue(portal).await?;
    if !next.is_some_and(|next| next.planned) {
        tokio::select! {
            // First, so that nothing is sent once the lease is lost.
            biased;
            lost = lease.keep() => Err(lost.into()),
            done = attempt(context, portal, import, &lease, line) => done,
        }?;
    }
    lease.give_back().await?;
    // A file may have come meanwhile, whose event found the lease held; and somebody may have to be told.
    Ok(context.process_upload.wake(portal).await?)
}

/// The lease; `None`: somebody else has had it all the time.
async fn take_lease(context: &Context, portal: PortalId) -> Result<Option<Lease>, CallFailed> {
    let until = Instant::now() + PATIENCE;
    loop {
        // A name for this attempt alone: one whose answer never came may still arrive, and is not ours then.
        let owner = (context.new_id)().to_string();
        let feed = &context.feed;
        match feed.take_lease(portal, &owner, context.clock).await? {
            Acquired::Ours(lease) if lease.check().is_ok() => return Ok(Some(lease)),
            // That took so long that next to nothing is left of it.
            Acquired::Ours(lease) => lease.give_back().await?,
            Acquired::Held(_) => {}
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn attempt(
    context: &Context,
    portal: PortalId,
    import: PendingImport,
    lease: &Lease,
    line: &mut Invocation,
) -> Result<(), Failure> {
    let feed = &context.feed;
    let now = (context.clock)();
    if !feed
        .begin_attempt_to_import(portal, &import, now + NEXT_ATTEMPT)
        .await?
    {
        return Ok(());
    }
    let Some(record) = feed.upload(portal, import.upload_id).await? else {
        return Err(CallFailed::new("import", "the import's record is gone").into());
    };
    line.property("upload_id", record.upload_id.to_string());
    let attempts = import.attempts + 1;
    let mut run = Run::new(context, import, record, lease);
    if attempts > MAX_ATTEMPTS {
        // Each of those before has died.
        tracing::error!(portal_id = %portal, "an import is given up");
        return run.give_up("it was begun again and again").await;
    }
    run.record.started_at.get_or_insert_with(|| stamp(now));
    let done = run.import().await;
    let last = attempts == MAX_ATTEMPTS && !run.came_forward;
    match done {
        Ok(()) => {
            line.count("rows_created", run.record.rows.created);
            line.count("rows_unchanged", run.record.rows.unchanged);
            line.count("rows_not_processed", run.record.rows.not_processed);
            Ok(())
        }
        // Another attempt may find it otherwise.
        Err(Failure::Refused(Refused {
            code: ProblemCode::XeroUnavailable | ProblemCode::Conflict,
            ..
        })) if !last => Ok(()),
        Err(Failure::Refused(refused)) => run.refuse(refused).await,
        Err(Failure::Call(failure)) if last => {
            tracing::error!(portal_id = %portal, error = ?failure, "an import is given up");
            run.give_up(&failure.to_string()).await
        }
        Err(failure) => Err(failure),
    }
}
