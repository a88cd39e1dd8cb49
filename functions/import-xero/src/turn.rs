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
use platform::feed::Lease;
use platform::feed::xero::PendingImport;
use platform::metrics::Invocation;
use std::time::Duration;

/// How long somebody else's lease is waited for. A long file is left to the sweep.
const PATIENCE: Duration = Duration::from_secs(20);

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
    let owner = || (context.new_id)().to_string();
    let lease = feed.wait_for_lease(portal, PATIENCE, owner, context.clock);
    let Some(lease) = lease.await? else {
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
