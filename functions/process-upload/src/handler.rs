//! An event becomes calls: files go into their portals' queues, and queues are worked through.

use crate::arrival::Arrival;
use crate::claim::{Claimed, claim};
use crate::failure::Failure;
use crate::feed::Feed;
use crate::message::Message;
use crate::sweep::sweep;
use crate::time_limit::TimeLimit;
use crate::turn::{Turn, take_turn};
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use std::collections::BTreeMap;

/// Repeating an event is safe: a file that was processed is not processed again, and one that was begun
/// is taken up where its plan stands.
pub(crate) async fn handle(event: LambdaEvent<Value>, feed: &Feed) -> Result<(), Failure> {
    let limit = TimeLimit::new(event.context.deadline, (feed.clock)());
    let work = async {
        // Of each portal, whether a run of a file of this event is under way already.
        let mut portals = BTreeMap::new();
        match Message::parse(event.payload)? {
            Message::Sweep => return sweep(feed).await,
            Message::Wake(portal) => _ = portals.insert(portal, false),
            Message::Files(records) => {
                for record in records {
                    match Arrival::of(record)? {
                        Arrival::File(file) if file.bucket != feed.files.name() => {
                            return Err(Failure::MalformedEvent("it is about another bucket"));
                        }
                        Arrival::File(file) => {
                            let portal = file.portal;
                            match claim(feed, file).await? {
                                Claimed::Ended => {}
                                Claimed::Waiting => _ = portals.entry(portal).or_insert(false),
                                Claimed::Running => _ = portals.insert(portal, true),
                            }
                        }
                        Arrival::Folder => {}
                        Arrival::NoPortal => {
                            tracing::warn!("a file arrived that is under no portal's path")
                        }
                    }
                }
            }
        }
        for (portal, own_is_running) in portals {
            let turn = Turn {
                feed,
                portal,
                owner: &event.context.request_id,
                own_is_running,
                limit: &limit,
            };
            take_turn(&turn).await?;
        }
        Ok(())
    };
    tokio::select! {
        biased;
        done = work => done,
        () = limit.is_up() => Err(Failure::OutOfTime),
    }
}
