//! The hands of the tests that break things: a Lambda service whose processes can be killed and stopped, a
//! proxy that puts faults between a function and the cloud, and a small cloud of a test's own. What should
//! hold in spite of it all is said by the tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in tests a panic is how a test fails"
)]

mod cloud;
mod http;
mod lambda;
mod portal;
mod proxy;

pub use cloud::{Cloud, PutObject, erase_data, process_upload};
pub use lambda::{Lambda, Settings, Worker};
pub use portal::{Portal, View};
pub use proxy::{Call, FaultProxy, Faults, Kind};

use std::time::{Duration, Instant};

/// Looks again and again until there is something to see. Panics when the patience is used up: no wait of a
/// test is without an end.
#[track_caller]
pub fn within<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(
                begun.elapsed() < patience,
                "{caller}: after {patience:?}, still no {what}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
