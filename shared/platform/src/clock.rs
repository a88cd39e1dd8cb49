//! The time, as a value that is passed in, and how it is written down.

use jiff::Timestamp;

/// Tells the time. `main` passes [`system`]; tests pass their own.
pub type Clock = fn() -> Timestamp;

/// The machine's clock.
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub fn system() -> Timestamp {
    Timestamp::now()
}

/// As times are stored and shown: RFC 3339, UTC, milliseconds. Texts sort as times do.
pub fn stamp(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_form_and_sort() {
        let time = |text: &str| stamp(text.parse().unwrap());
        assert_eq!(time("2026-11-22T10:00:00Z"), "2026-11-22T10:00:00.000Z");
        assert!(time("2026-11-22T10:00:00.09Z") < time("2026-11-22T10:00:00.1Z"));
    }
}
