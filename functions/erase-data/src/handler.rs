//! An event becomes a turn, or a sweep that brings about turns.

use crate::context::Context;
use crate::failure::Failure;
use crate::message::Message;
use crate::sweep::sweep;
use crate::turn::take_turn;
use lambda_runtime::LambdaEvent;
use platform::metrics::Invocation;
use platform::time_limit::TimeLimit;
use serde_json::Value;

/// Repeating an event is safe: what is erased is not found again.
pub(crate) async fn handle(event: LambdaEvent<Value>, context: &Context) -> Result<(), Failure> {
    let limit = TimeLimit::new(event.context.deadline, (context.clock)());
    match Message::parse(event.payload)? {
        Message::Sweep => sweep(context).await,
        Message::Erase(portal) => {
            let mut line = Invocation::begin("erase-data", context.clock);
            line.property("portal_id", portal.to_string());
            let done = take_turn(context, portal, &limit, &mut line).await;
            line.count("failed", u64::from(done.is_err()));
            line.end();
            done
        }
    }
}
