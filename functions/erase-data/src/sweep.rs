//! Every few minutes: whatever is still to be erased is woken, each portal by an invocation of its own. A crash, a
//! wake-up that was lost, a lease that somebody else had: all of them end here.

use crate::context::Context;
use crate::failure::Failure;

/// Wakes every portal of which something is to be erased.
pub(crate) async fn sweep(context: &Context) -> Result<(), Failure> {
    let portals = context.feed.portals_to_erase((context.clock)()).await?;
    Ok(context.erase_data.wake_all(portals).await?)
}
