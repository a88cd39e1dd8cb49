//! The order of a portal's uploads, and which of them come too late (`docs/rules.md`, "Order"). Who waits
//! for whom, and how that is stored, belongs to the shell.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// When a file arrived, among the others of its portal: event time, then key, then sequencer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadOrder {
    /// The event's time: RFC 3339 in UTC with milliseconds, so that texts sort as times do.
    pub received_at: String,
    /// The object's key, decoded.
    pub key: String,
    /// Of the event; none sorts first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<Sequencer>,
}

impl std::fmt::Debug for UploadOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadOrder")
            .field("received_at", &self.received_at)
            .field("sequencer", &self.sequencer)
            .finish_non_exhaustive()
    }
}

/// S3's number for an event of a key: hexadecimal, of any length, and growing. It says nothing about
/// events of other keys (Amazon S3 User Guide, "Event message structure").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequencer(String);

impl Sequencer {
    /// `None` for what is no hexadecimal number; such an event is ordered by its time alone.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_start_matches('0');
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_number.then(|| Sequencer(digits.to_ascii_uppercase()))
    }
}

impl Ord for Sequencer {
    fn cmp(&self, other: &Self) -> Ordering {
        // As numbers: leading zeros are gone, so the longer one is the larger.
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for Sequencer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What was planned before, as far as it can make a file come too late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The newest planned version of the same key.
    pub of_key: Option<UploadOrder>,
    /// The newest planned file of the portal.
    pub of_portal: Option<UploadOrder>,
}

/// Whether a file must not be applied any more, because a newer one was planned. With auto-disable each
/// file is the portal's whole population, so any older file comes too late; without it, files of different
/// keys are independent.
pub fn superseded(upload: &UploadOrder, planned: &Planned, auto_disable: bool) -> bool {
    let newer = |planned: &Option<UploadOrder>| planned.as_ref().is_some_and(|it| it > upload);
    newer(&planned.of_key) || (auto_disable && newer(&planned.of_portal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(millisecond: u32, key: &str, sequencer: &str) -> UploadOrder {
        UploadOrder {
            received_at: format!("2026-11-22T10:00:00.{millisecond:03}Z"),
            key: key.to_owned(),
            sequencer: Sequencer::parse(sequencer),
        }
    }

    #[test]
    fn sequencers_are_compared_as_numbers() {
        for (smaller, larger) in [
            ("9", "10"),
            ("0055AED6DCD90281E5", "0055aed6dcd90281e6"),
            ("00FF", "100"),
            ("0", "1"),
        ] {
            assert!(
                Sequencer::parse(smaller) < Sequencer::parse(larger),
                "{smaller} {larger}"
            );
        }
        assert_eq!(Sequencer::parse("00aF"), Sequencer::parse("AF"));
        for none in ["", "x", "-1", "0x1"] {
            assert_eq!(Sequencer::parse(none), None, "{none}");
        }
    }

    #[test]
    fn uploads_are_in_the_order_of_time_then_key_then_sequencer() {
        let ordered = [
            order(1, "1/b.csv", "FF"),
            order(2, "1/a.csv", "9"),
            order(2, "1/a.csv", "10"),
            order(2, "1/b.csv", "1"),
            order(10, "1/a.csv", ""),
        ];
        assert!(ordered.is_sorted());
    }

    #[test]
    fn an_older_version_of_a_key_comes_too_late_and_with_auto_disable_any_older_file() {
        let (early, late, other) = (
            order(1, "1/a.csv", "1"),
            order(2, "1/a.csv", "2"),
            order(2, "1/b.csv", "1"),
        );
        let planned = |of_key: Option<&UploadOrder>, of_portal: &UploadOrder| Planned {
            of_key: of_key.cloned(),
            of_portal: Some(of_portal.clone()),
        };
        for auto_disable in [false, true] {
            assert!(superseded(
                &early,
                &planned(Some(&late), &late),
                auto_disable
            ));
            assert!(!superseded(
                &late,
                &planned(Some(&early), &early),
                auto_disable
            ));
            assert!(
                !superseded(&late, &planned(Some(&late), &late), auto_disable),
                "itself"
            );
            assert!(!superseded(&early, &Planned::default(), auto_disable));
            assert_eq!(
                superseded(&early, &planned(None, &other), auto_disable),
                auto_disable
            );
        }
    }
}
