//! An event becomes calls: files go into their portals' queues, and queues are worked through.

use crate::arrival::Arrival;
use crate::claim::{Claimed, claim};
use crate::failure::Failure;
use crate::feed::Feed;
use crate::hold;
use crate::message::Message;
use crate::notices;
use crate::sweep::sweep;
use crate::turn::{Turn, take_turn};
use aws_lambda_events::event::s3::S3EventRecord;
use lambda_runtime::LambdaEvent;
use mapping::identity::PortalId;
use platform::time_limit::TimeLimit;
use serde_json::Value;
use std::collections::BTreeMap;

/// Repeating an event is safe: a file that was processed is not processed again, and one that was begun
/// is taken up where its plan stands.
pub(crate) async fn handle(event: LambdaEvent<Value>, feed: &Feed) -> Result<(), Failure> {
    let limit = TimeLimit::new(event.context.deadline, (feed.clock)());
    let turn = async |portal, own_is_running| {
        take_turn(&Turn {
            feed,
            portal,
            own_is_running,
            limit: &limit,
        })
        .await
    };
    let work = async {
        match Message::parse(event.payload)? {
            Message::Sweep => sweep(feed).await,
            // Of a portal that was given up, not even a lease is left behind.
            Message::Wake(portal) if feed.table.portal(portal).await?.is_none() => Ok(()),
            Message::Wake(portal) => {
                turn(portal, false).await?;
                // What the sweep has found may be a hold whose file has gone.
                hold::end_if_superseded(feed, portal).await?;
                // Or a file that should have come.
                feed.table
                    .look_for_overdue_file(portal, (feed.clock)())
                    .await?;
                notices::tell(feed, portal, &limit).await;
                Ok(())
            }
            Message::Files(records) => {
                // Of each portal, whether a run of a file of this event is under way already.
                let mut portals = BTreeMap::new();
                let mut failed = None;
                for record in records {
                    match file_into_queue(feed, record).await {
                        Ok(Some((portal, running))) => {
                            *portals.entry(portal).or_insert(false) |= running
                        }
                        Ok(None) => {}
                        // The others of the event are not to suffer for it.
                        Err(failure) => _ = failed.insert(failure),
                    }
                }
                // S3 sends one record at a time. Were there more portals, none would wait for another.
                let first = portals.pop_first();
                for portal in portals.into_keys() {
                    feed.process_upload.wake(portal).await?;
                }
                if let Some((portal, running)) = first {
                    turn(portal, running).await?;
                    notices::tell(feed, portal, &limit).await;
                }
                failed.map_or(Ok(()), Err)
            }
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        () = limit.is_over() => Err(Failure::OutOfTime),
    }
}

/// Its portal, and whether a run of the file is under way; `None`: nothing is left to do about it.
async fn file_into_queue(
    feed: &Feed,
    record: S3EventRecord,
) -> Result<Option<(PortalId, bool)>, Failure> {
    match Arrival::of(record)? {
        Arrival::File(file) if file.bucket != feed.files.name() => {
            Err(Failure::MalformedEvent("it is about another bucket"))
        }
        Arrival::File(file) => {
            let portal = file.portal;
            Ok(match claim(feed, file).await? {
                Claimed::Ended => None,
                Claimed::Waiting => Some((portal, false)),
                Claimed::Running => Some((portal, true)),
            })
        }
        Arrival::Folder => Ok(None),
        Arrival::NoPortal => {
            tracing::warn!("a file arrived that is under no portal's path");
            Ok(None)
        }
    }
}
