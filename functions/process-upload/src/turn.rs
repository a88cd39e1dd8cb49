//! One at a time: a worker holds its portal's lease while it works through the portal's queue, and portals
//! never wait for each other (`docs/reliability.md`, "One at a time").

use crate::failure::Failure;
use crate::feed::Feed;
use crate::run::Run;
use crate::walk::{Walked, walk};
use mapping::identity::PortalId;
use platform::feed::{Acquired, Lease, LeaseItem, TakeUp, UploadRecord, UploadStatus};
use platform::metrics::Invocation;
use platform::time_limit::TimeLimit;
use std::time::Duration;

/// How often somebody who waits for a lease looks whether it was renewed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// An attempt to work through a portal's queue.
pub(crate) struct Turn<'t> {
    pub(crate) feed: &'t Feed,
    pub(crate) portal: PortalId,
    /// A file of this very event is being processed: if its worker has died, nobody else may come.
    pub(crate) own_is_running: bool,
    pub(crate) limit: &'t TimeLimit,
}

/// How far a worker came.
enum Worked {
    /// Nothing is left in the queue.
    Through,
    /// Something is, and no time for it.
    Short,
    /// The portal is being given up; `erase-data` waits for the lease.
    GivenUp,
}

/// Takes the lease and works, unless somebody else does: they take the next file when they are done.
///
/// After a failure the lease is not given back. It ends as it does after a crash, and that is the pause
/// before the next attempt.
pub(crate) async fn take_turn(turn: &Turn<'_>) -> Result<(), Failure> {
    let (feed, portal) = (turn.feed, turn.portal);
    loop {
        let Some(lease) = take_lease(turn).await? else {
            return Ok(());
        };
        let mut line = None;
        let worked = tokio::select! {
            // First, so that nothing is sent once the lease is lost.
            biased;
            lost = lease.keep() => Err(lost.into()),
            () = turn.limit.is_up() => Ok(Worked::Short),
            worked = work(turn, &lease, &mut line) => worked,
        };
        if let Some(line) = line {
            end(line, &worked.as_ref().map(|_| None).map_err(|_| ()));
        }
        let worked = worked?;
        lease.give_back().await?;
        match worked {
            Worked::Short => return Ok(feed.process_upload.wake(portal).await?),
            Worked::GivenUp => return Ok(()),
            // A file may have arrived between the last look and now, whose event found the lease held.
            Worked::Through if feed.table.next_in_queue(portal).await?.is_none() => return Ok(()),
            Worked::Through => {}
        }
    }
}

/// The lease; `None`: somebody else works, and the file is in their queue.
async fn take_lease(turn: &Turn<'_>) -> Result<Option<Lease>, Failure> {
    let mut first_seen: Option<LeaseItem> = None;
    loop {
        // A name for this attempt alone: one whose answer never came may still arrive, and is not ours then.
        let owner = (turn.feed.new_id)().to_string();
        let table = &turn.feed.table;
        let held = match table
            .take_lease(turn.portal, &owner, turn.feed.clock)
            .await?
        {
            Acquired::Ours(lease) if lease.check().is_ok() => return Ok(Some(lease)),
            // That took so long that next to nothing is left of it.
            Acquired::Ours(lease) => {
                lease.give_back().await?;
                continue;
            }
            Acquired::Held(held) => held,
        };
        if !turn.own_is_running || first_seen.as_ref().is_some_and(|seen| *seen != held) {
            tracing::info!(portal_id = %turn.portal, "somebody else works for the portal");
            return Ok(None);
        }
        if turn.limit.is_near() {
            return Err(Failure::OutOfTime);
        }
        first_seen = Some(held);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Takes one file after the other. `line` is the metrics line of the file that is being processed.
async fn work(
    turn: &Turn<'_>,
    lease: &Lease,
    line: &mut Option<Invocation>,
) -> Result<Worked, Failure> {
    let (feed, portal) = (turn.feed, turn.portal);
    while let Some(entry) = feed.table.next_in_queue(portal).await? {
        if !turn.limit.allows_another() {
            return Ok(Worked::Short);
        }
        if feed.table.off_boarding_since(portal).await?.is_some() {
            return Ok(Worked::GivenUp);
        }
        let mut invocation = Invocation::begin("process-upload", feed.clock);
        invocation.property("portal_id", portal.to_string());
        invocation.property("upload_id", entry.upload_id.to_string());
        let _ = line.insert(invocation);
        let taken = match feed.table.take_up(portal, &entry, lease).await? {
            TakeUp::Taken(taken) => *taken,
            TakeUp::Ended => {
                *line = None;
                feed.table.leave_queue(portal, &entry).await?;
                continue;
            }
            TakeUp::Overtaken => return Err(Failure::LeaseLost),
        };
        let run = Run::new(feed, lease, turn.limit, &entry, taken);
        match walk(run).await? {
            Walked::Ended(upload) => {
                if let Some(line) = line.take() {
                    end(line, &Ok(Some(&upload)));
                }
            }
            Walked::Paused => return Ok(Worked::Short),
        }
    }
    Ok(Worked::Through)
}

/// Prints what became of a file and what it cost. `Ok(None)`: it is not at its end yet.
fn end(mut line: Invocation, outcome: &Result<Option<&UploadRecord>, ()>) {
    line.count("failed", u64::from(outcome.is_err()));
    if let Ok(Some(upload)) = outcome {
        line.property("status", serde_json::json!(upload.status));
        line.property("rehearsal", upload.rehearsal);
        line.property("size_bytes", upload.size_bytes);
        line.count(
            "rejected",
            u64::from(upload.status == UploadStatus::Rejected),
        );
        line.count("given_up", u64::from(upload.status == UploadStatus::Failed));
        line.count("rows_total", upload.rows.total);
        line.count("rows_created", upload.rows.created);
        line.count("rows_updated", upload.rows.updated);
        line.count("rows_unchanged", upload.rows.unchanged);
        line.count("rows_disabled", upload.rows.disabled);
        line.count("rows_enabled", upload.rows.enabled);
        line.count("rows_not_processed", upload.rows.not_processed);
        line.count("warnings", upload.warnings);
    }
    line.end();
}
