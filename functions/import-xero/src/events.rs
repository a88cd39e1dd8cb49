//! What the function is invoked with beside the API's requests: it tells itself of a portal, and the schedule asks for a
//! sweep, which tells it of every portal where something is due.

use crate::context::Context;
use crate::failure::Failure;
use crate::giving_back::give_back;
use crate::turn::take_turn;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use lambda_http::LambdaEvent;
use mapping::identity::PortalId;
use platform::clock::stamp;
use platform::feed::xero::CONNECTED_FOR;
use platform::metrics::Invocation;
use platform::time_limit::TimeLimit;
use platform::wake::Wake;
use serde::Deserialize;
use serde_json::Value;

/// Lambda answers an asynchronous invocation in some 10 ms.
const IN_FLIGHT: usize = 16;

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
enum Message {
    /// Something of a portal is due; the table says what.
    Portal(PortalId),
    /// Every portal where something is due is to be woken.
    Sweep,
}

/// The schedule's own event (template.yaml).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepEvent {
    sweep: bool,
}

impl Message {
    fn parse(event: Value) -> Result<Self, Failure> {
        if let Ok(SweepEvent { sweep: true }) = SweepEvent::deserialize(&event) {
            return Ok(Message::Sweep);
        }
        match serde_json::from_value(event) {
            Ok(Wake { portal_id }) => Ok(Message::Portal(portal_id)),
            Err(_) => Err(Failure::MalformedEvent),
        }
    }
}

/// Does what is due. Repeating an event is safe: what is done is not found again.
///
/// # Errors
///
/// We are broken: Lambda repeats the event, and the sweep comes after that.
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<(), Failure> {
    let limit = TimeLimit::new(event.context.deadline, (context.clock)());
    match Message::parse(event.payload)? {
        Message::Sweep => sweep(context).await,
        Message::Portal(portal) => {
            let mut line = Invocation::begin("import-xero", context.clock);
            line.property("portal_id", portal.to_string());
            let done = all_due(context, portal, &limit, &mut line).await;
            line.count("failed", u64::from(done.is_err()));
            line.end();
            done
        }
    }
}

/// The import, the end of a connection that nobody used, and what is to be given back, in this order.
async fn all_due(
    context: &Context,
    portal: PortalId,
    limit: &TimeLimit,
    line: &mut Invocation,
) -> Result<(), Failure> {
    let feed = &context.feed;
    let work = async {
        if feed.off_boarding_since(portal).await?.is_none()
            && let Some(import) = feed.pending_import(portal).await?
        {
            take_turn(context, portal, import, line).await?;
        }
        if let Some(connection) = feed.xero_connection(portal).await? {
            let now = (context.clock)();
            let until: Option<Timestamp> = connection.connected_at.parse().ok();
            let until = until.and_then(|at| at.checked_add(CONNECTED_FOR).ok());
            if until.is_none_or(|until| stamp(until) <= stamp(now)) {
                // Nobody's deed: no entry. It may have been used or replaced meanwhile.
                feed.return_xero(portal, &connection, now, None).await?;
            }
        }
        give_back(context, portal).await
    };
    tokio::select! {
        biased;
        done = work => done,
        // The table has what is left to do, and the sweep comes for it.
        () = limit.is_up() => {
            tracing::warn!(portal_id = %portal, "the time is over; the sweep goes on");
            Ok(())
        }
    }
}

/// Wakes every portal where something is due.
async fn sweep(context: &Context) -> Result<(), Failure> {
    let portals = context.feed.portals_of_xero((context.clock)()).await?;
    let woken: Vec<_> = stream::iter(portals)
        .map(|portal| context.import_xero.wake(portal))
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    // All are tried before one failure is told; the next sweep finds the portal again.
    woken.into_iter().collect::<Result<(), _>>()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_event_is_known_by_its_form() {
        let sample = |text: &str| Message::parse(serde_json::from_str(text).unwrap()).ok();
        assert_eq!(
            sample(include_str!("../../../events/import-xero.wake.json")),
            "1001".parse().ok().map(Message::Portal)
        );
        assert_eq!(
            sample(include_str!("../../../events/import-xero.sweep.json")),
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
