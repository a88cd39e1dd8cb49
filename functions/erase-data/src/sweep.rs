//! Every few minutes: whatever is still to be erased is woken, each portal by an invocation of its own. A crash, a
//! wake-up that was lost, a lease that somebody else had: all of them end here.

use crate::context::Context;
use crate::failure::Failure;
use futures_util::{StreamExt, stream};

/// Lambda answers an asynchronous invocation in some 10 ms.
const IN_FLIGHT: usize = 16;

/// Wakes every portal of which something is to be erased.
pub(crate) async fn sweep(context: &Context) -> Result<(), Failure> {
    let portals = context.feed.portals_to_erase((context.clock)()).await?;
    let woken: Vec<_> = stream::iter(portals)
        .map(|portal| context.erase_data.wake(portal))
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    // All are tried before one failure is told; the next sweep finds the portal again.
    woken.into_iter().collect::<Result<(), _>>()?;
    Ok(())
}
