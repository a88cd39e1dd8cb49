//! The edge: what the function is invoked with. The API's functions tell it of a portal, it tells itself, and the
//! schedule asks for a sweep.

use crate::failure::Failure;
use mapping::identity::PortalId;
use platform::wake::Wake;
use serde::Deserialize;
use serde_json::Value;

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Something of a portal is to be erased; the table says what.
    Erase(PortalId),
    /// Every portal of which something is to be erased is to be woken.
    Sweep,
}

/// The schedule's own event (template.yaml).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepEvent {
    sweep: bool,
}

impl Message {
    pub(crate) fn parse(event: Value) -> Result<Self, Failure> {
        if let Ok(SweepEvent { sweep: true }) = SweepEvent::deserialize(&event) {
            return Ok(Message::Sweep);
        }
        match serde_json::from_value(event) {
            Ok(Wake { portal_id }) => Ok(Message::Erase(portal_id)),
            Err(_) => Err(Failure::MalformedEvent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_event_is_known_by_its_form() {
        let sample = |text: &str| Message::parse(serde_json::from_str(text).unwrap()).ok();
        assert_eq!(
            sample(include_str!("../../../events/erase-data.json")),
            "1001".parse().ok().map(Message::Erase)
        );
        assert_eq!(
            sample(include_str!("../../../events/erase-data.sweep.json")),
            Some(Message::Sweep)
        );
        for unknown in [
            json!({"portal_id": "x"}),
            json!({"sweep": false}),
            json!({}),
            json!(null),
        ] {
            assert!(Message::parse(unknown).is_err());
        }
    }
}
