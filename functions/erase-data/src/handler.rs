//! An event becomes a turn, or a sweep that brings about turns.

use crate::context::Context;
use crate::failure::Failure;
use crate::sweep::sweep;
use crate::turn::take_turn;
use lambda_runtime::LambdaEvent;
use platform::metrics::Invocation;
use platform::time_limit::TimeLimit;
use platform::wake::OwnEvent;
use serde_json::Value;

/// Repeating an event is safe: what is erased is not found again.
pub(crate) async fn handle(event: LambdaEvent<Value>, context: &Context) -> Result<(), Failure> {
    let limit = TimeLimit::new(event.context.deadline, (context.clock)());
    match OwnEvent::of(&event.payload).ok_or(Failure::MalformedEvent)? {
        OwnEvent::Sweep => sweep(context).await,
        OwnEvent::Wake(portal) => {
            let mut line = Invocation::begin("erase-data", context.clock);
            line.property("portal_id", portal.to_string());
            let done = take_turn(context, portal, &limit, &mut line).await;
            line.count("failed", u64::from(done.is_err()));
            line.end();
            done
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_events_of_ours() {
        let sample = |text: &str| OwnEvent::of(&serde_json::from_str(text).unwrap());
        assert_eq!(
            sample(include_str!("../../../events/erase-data.json")),
            "1001".parse().ok().map(OwnEvent::Wake)
        );
        assert_eq!(
            sample(include_str!("../../../events/erase-data.sweep.json")),
            Some(OwnEvent::Sweep)
        );
    }
}
