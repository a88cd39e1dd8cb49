//! Telling `process-upload` that a portal has work: whoever queues some, or frees a lease that others may
//! wait for, wakes it, so that nobody waits for the sweep. A wake-up that is lost costs time and nothing
//! else: the work is in the queue. `erase-data` and `import-xero` are told in the same way, and find what there is to do
//! in the table.

use crate::aws::Aws;
use crate::failure::CallFailed;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use futures_util::{StreamExt, stream};
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// Portals woken at the same time: Lambda answers an asynchronous invocation in some 10 ms.
const IN_FLIGHT: usize = 16;

/// What a function is invoked with by ourselves, and by the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnEvent {
    /// A portal has work.
    Wake(PortalId),
    /// Every portal that has some is to be woken.
    Sweep,
}

/// As we send it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WakeEvent {
    portal_id: PortalId,
}

/// As the schedule sends it (template.yaml).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepEvent {
    sweep: bool,
}

impl OwnEvent {
    /// The event, known by its form; `None`: it is none of these.
    pub fn of(event: &Value) -> Option<Self> {
        if let Ok(SweepEvent { sweep: true }) = SweepEvent::deserialize(event) {
            return Some(OwnEvent::Sweep);
        }
        let wake = WakeEvent::deserialize(event).ok();
        wake.map(|wake| OwnEvent::Wake(wake.portal_id))
    }
}

macro_rules! functions {
    ($($function:ident, $name:literal;)+) => {$(
        #[doc = concat!("The function `", $name, "`.")]
        #[derive(Clone)]
        pub struct $function(Function);

        impl $function {
            /// The function of this name.
            pub fn new(aws: &Aws, function_name: String) -> Self {
                let client = aws.lambda.clone();
                $function(Function { client, function_name })
            }

            /// Has what there is to do for the portal done, by an invocation of its own that nobody waits for.
            ///
            /// # Errors
            ///
            /// The function could not be invoked.
            pub async fn wake(&self, portal_id: PortalId) -> Result<(), CallFailed> {
                self.0.wake(concat!("wake ", $name), portal_id).await
            }

            /// The same for each of these portals. All are tried before one failure is told; the next sweep finds the
            /// portal again.
            ///
            /// # Errors
            ///
            /// The function could not be invoked for one of them.
            pub async fn wake_all(&self, portals: BTreeSet<PortalId>) -> Result<(), CallFailed> {
                let woken: Vec<_> = stream::iter(portals)
                    .map(|portal| self.wake(portal))
                    .buffer_unordered(IN_FLIGHT)
                    .collect()
                    .await;
                woken.into_iter().collect()
            }
        }
    )+};
}

functions! {
    ProcessUpload, "process-upload";
    EraseData, "erase-data";
    ImportXero, "import-xero";
}

#[derive(Clone)]
struct Function {
    client: aws_sdk_lambda::Client,
    function_name: String,
}

impl Function {
    async fn wake(&self, what: &'static str, portal_id: PortalId) -> Result<(), CallFailed> {
        let payload = serde_json::to_vec(&WakeEvent { portal_id }).map_err(CallFailed::to(what))?;
        self.client
            .invoke()
            .function_name(&self.function_name)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload))
            .send()
            .await
            .map_err(CallFailed::sdk(what))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_event_is_known_by_its_form() {
        let portal = "1001".parse().unwrap();
        for (event, expected) in [
            (json!({"portal_id": "1001"}), Some(OwnEvent::Wake(portal))),
            (json!({"sweep": true}), Some(OwnEvent::Sweep)),
            (json!({"portal_id": "x"}), None),
            (json!({"portal_id": "1001", "sweep": true}), None),
            (json!({"sweep": false}), None),
            (json!({}), None),
            (json!(null), None),
            (json!([]), None),
        ] {
            assert_eq!(OwnEvent::of(&event), expected, "{event}");
        }
    }
}
