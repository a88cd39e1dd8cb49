//! Every few minutes: whatever is due and was not looked at is woken, each portal by an invocation of its own,
//! so that portals never wait for each other. A crash, a wake-up that was lost, an event that Lambda gave
//! up: all of them end here.

use crate::failure::Failure;
use crate::feed::Feed;

/// Wakes every portal with work.
pub(crate) async fn sweep(feed: &Feed) -> Result<(), Failure> {
    let portals = feed.table.portals_with_work((feed.clock)()).await?;
    if portals.is_empty() {
        return Ok(());
    }
    tracing::info!(portals_woken = portals.len(), "the sweep found work");
    Ok(feed.process_upload.wake_all(portals).await?)
}
