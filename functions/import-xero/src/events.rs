//! What the function is invoked with beside the API's requests: it tells itself of a portal, and the schedule asks for a
//! sweep, which tells it of every portal where something is due.

use crate::context::Context;
use crate::failure::Failure;
use crate::giving_back::give_back;
use crate::turn::take_turn;
use jiff::Timestamp;
use lambda_http::LambdaEvent;
use mapping::identity::PortalId;
use platform::clock::stamp;
use platform::feed::xero::CONNECTED_FOR;
use platform::metrics::Invocation;
use platform::time_limit::TimeLimit;
use platform::wake::OwnEvent;
use serde_json::Value;

/// Does what is due. Repeating an event is safe: what is done is not found again.
///
/// # Errors
///
/// We are broken: Lambda repeats the event, and the sweep comes after that.
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<(), Failure> {
    let limit = TimeLimit::new(event.context.deadline, (context.clock)());
    match OwnEvent::of(&event.payload).ok_or(Failure::MalformedEvent)? {
        OwnEvent::Sweep => {
            let portals = context.feed.portals_of_xero((context.clock)()).await?;
            Ok(context.import_xero.wake_all(portals).await?)
        }
        OwnEvent::Wake(portal) => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_events_of_ours() {
        let sample = |text: &str| OwnEvent::of(&serde_json::from_str(text).unwrap());
        assert_eq!(
            sample(include_str!("../../../events/import-xero.wake.json")),
            "1001".parse().ok().map(OwnEvent::Wake)
        );
        assert_eq!(
            sample(include_str!("../../../events/import-xero.sweep.json")),
            Some(OwnEvent::Sweep)
        );
    }
}
