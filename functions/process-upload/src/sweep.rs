//! Every few minutes: whatever is due and was not looked at is woken, each portal by an invocation of its own,
//! so that portals never wait for each other. A crash, a wake-up that was lost, an event that Lambda gave
//! up: all of them end here.

use crate::failure::Failure;
use crate::feed::Feed;
use futures_util::{StreamExt, stream};

/// Lambda answers an asynchronous invocation in some 10 ms.
const IN_FLIGHT: usize = 16;

/// Wakes every portal with work.
pub(crate) async fn sweep(feed: &Feed) -> Result<(), Failure> {
    let portals = feed.table.portals_with_work((feed.clock)()).await?;
    if portals.is_empty() {
        return Ok(());
    }
    tracing::info!(portals_woken = portals.len(), "the sweep found work");
    let woken: Vec<_> = stream::iter(portals)
        .map(|portal| feed.process_upload.wake(portal))
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    // All are tried before one failure is told; the next sweep finds the portal again.
    woken.into_iter().collect::<Result<(), _>>()?;
    Ok(())
}
