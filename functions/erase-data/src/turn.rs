//! One at a time: whoever erases holds the portal's lease, so that nobody applies a file to people who are being
//! erased (`docs/reliability.md`, "One at a time").

use crate::context::Context;
use crate::failure::Failure;
use crate::off_boarding;
use crate::person::{self, Traces};
use mapping::identity::PortalId;
use platform::metrics::Invocation;
use platform::time_limit::TimeLimit;
use std::time::Duration;

/// How long somebody else's lease is waited for. A long file is left to the sweep.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file waits no longer than that for somebody to be erased. Less, and under a stream of files nobody ever would be.
const LOOK_FOR_FILES_EVERY: Duration = Duration::from_secs(10);

/// How far a turn came.
enum Worked {
    /// The portal is gone.
    GivenUp,
    /// Nothing is left to erase.
    Through,
    /// Something is, and no time for it.
    Short,
    /// Something is, and a file waits, which comes first: the sweep comes again for the rest.
    FileWaits,
}

/// Erases what is to be erased of the portal. After a failure the lease is not given back: it ends as after a crash.
pub(crate) async fn take_turn(
    context: &Context,
    portal: PortalId,
    limit: &TimeLimit,
    line: &mut Invocation,
) -> Result<(), Failure> {
    let feed = &context.feed;
    let off_boarding = feed.off_boarding_since(portal).await?;
    match off_boarding {
        Some(since) => off_boarding::shut_doors(context, portal, since).await?,
        None if feed.next_erasure(portal).await?.is_none() => return Ok(()),
        None => {}
    }
    let owner = || (context.new_id)().to_string();
    let lease = feed.wait_for_lease(portal, PATIENCE, owner, context.clock);
    let Some(lease) = lease.await? else {
        tracing::info!(portal_id = %portal, "somebody else works for the portal");
        return Ok(());
    };
    // Another turn may have come to its end while this one waited; the number may be a new portal's since.
    let begun_before = off_boarding.is_some();
    let off_boarding = feed.off_boarding_since(portal).await?;
    if off_boarding.is_some() && !begun_before {
        // Its doors have to be shut first.
        lease.give_back().await?;
        return Ok(context.erase_data.wake(portal).await?);
    }
    if off_boarding.is_none() && feed.portal(portal).await?.is_none() {
        return Ok(lease.end().await?);
    }
    let mut traces = Traces::default();
    let work = async {
        match off_boarding {
            Some(since) => off_boarding::erase(context, portal, since, &lease, line)
                .await
                .map(|()| Worked::GivenUp),
            None => person::erase_all(context, portal, &mut traces)
                .await
                .map(|()| Worked::Through),
        }
    };
    let worked = tokio::select! {
        // First, so that nothing is sent once the lease is lost.
        biased;
        lost = lease.keep() => Err(lost.into()),
        () = limit.is_up() => Ok(Worked::Short),
        waits = file_waits(context, portal), if off_boarding.is_none() => waits.map(|()| Worked::FileWaits),
        worked = work => worked,
    };
    if off_boarding.is_none() {
        traces.count(line);
    }
    match worked? {
        // The lease has gone with the portal.
        Worked::GivenUp => Ok(()),
        Worked::Through => {
            lease.give_back().await?;
            // A file may have come meanwhile, whose event found the lease held.
            match feed.next_in_queue(portal).await? {
                Some(_) => Ok(context.process_upload.wake(portal).await?),
                None => Ok(()),
            }
        }
        Worked::FileWaits => {
            lease.give_back().await?;
            Ok(context.process_upload.wake(portal).await?)
        }
        Worked::Short => {
            lease.give_back().await?;
            Ok(context.erase_data.wake(portal).await?)
        }
    }
}

/// Until a file of the portal waits for its turn.
async fn file_waits(context: &Context, portal: PortalId) -> Result<(), Failure> {
    loop {
        tokio::time::sleep(LOOK_FOR_FILES_EVERY).await;
        if context.feed.next_in_queue(portal).await?.is_some() {
            return Ok(());
        }
    }
}
