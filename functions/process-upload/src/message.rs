//! The edge: what the function is invoked with. S3 tells of files; we tell ourselves, and others tell us,
//! that a portal has work; the schedule asks for a sweep.

use crate::failure::Failure;
use aws_lambda_events::event::s3::{S3Event, S3EventRecord};
use mapping::identity::PortalId;
use platform::wake::OwnEvent;
use serde_json::Value;

/// What there is to do.
pub(crate) enum Message {
    /// Files have arrived.
    Files(Vec<S3EventRecord>),
    /// A portal's queue is to be looked at.
    Wake(PortalId),
    /// Everything that is due is to be woken.
    Sweep,
}

impl Message {
    pub(crate) fn parse(event: Value) -> Result<Self, Failure> {
        match OwnEvent::of(&event) {
            Some(OwnEvent::Sweep) => return Ok(Message::Sweep),
            Some(OwnEvent::Wake(portal)) => return Ok(Message::Wake(portal)),
            None => {}
        }
        let event: S3Event = serde_json::from_value(event)
            .map_err(|_| Failure::MalformedEvent("it has no form that is known"))?;
        Ok(Message::Files(event.records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_event_is_known_by_its_form() {
        let sample = |text: &str| Message::parse(serde_json::from_str(text).unwrap());
        assert!(matches!(
            sample(include_str!("../../../events/process-upload.json")),
            Ok(Message::Files(records)) if records.len() == 1
        ));
        assert!(matches!(
            sample(include_str!("../../../events/process-upload.wake.json")),
            Ok(Message::Wake(portal)) if portal.to_string() == "1001"
        ));
        assert!(matches!(
            sample(include_str!("../../../events/process-upload.sweep.json")),
            Ok(Message::Sweep)
        ));
        for unknown in [
            json!({"portal_id": "x"}),
            json!({"sweep": false}),
            json!({}),
            json!(null),
            json!([]),
        ] {
            assert!(matches!(
                Message::parse(unknown),
                Err(Failure::MalformedEvent(_))
            ));
        }
    }
}
