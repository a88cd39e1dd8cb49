//! `QUEUE#<time>#<ulid>`: the files of a portal that wait for their turn or have it. An entry is written
//! together with its upload and goes together with the upload's end, so nothing is forgotten in between.

use super::uploads::{Arrived, UploadId, UploadStatus};
use super::{FeedTable, LEASE, item_of, put_refused};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{
    ERASURE_PREFIX, Key, OFF_BOARDING, PK, QUEUE_PREFIX, SK, WORK_DUE_AT, WORK_SHARD, XERO_PREFIX,
    work_shard, work_shards,
};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use mapping::identity::PortalId;
use mapping::order::UploadOrder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A file in a portal's queue.
#[derive(Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// Which upload.
    pub upload_id: UploadId,
    /// Its place.
    pub order: UploadOrder,
    /// Its plan is kept, and people may have been written: it goes on before anything else.
    pub planned: bool,
    /// When the sweep looks at it; tells this entry from a later one of the same upload.
    due_at: String,
}

/// The item. It is due when a lease that nobody renews would have ended: then the sweep looks.
#[derive(Serialize, Deserialize)]
pub(super) struct QueueItem {
    upload_id: UploadId,
    order: UploadOrder,
    #[serde(default)]
    planned: bool,
    work_shard: String,
    due_at: String,
}

impl QueueItem {
    pub(super) fn of(arrived: &Arrived, now: Timestamp) -> (Key, Self) {
        let (portal, upload_id) = (arrived.record.portal_id, arrived.record.upload_id);
        let at = Key::queued(portal, &arrived.order.received_at, upload_id);
        let entry = QueueItem {
            upload_id,
            order: arrived.order.clone(),
            planned: arrived.record.status == UploadStatus::Applying,
            work_shard: work_shard(portal),
            due_at: stamp(now + LEASE),
        };
        (at, entry)
    }
}

impl From<QueueItem> for QueueEntry {
    fn from(item: QueueItem) -> Self {
        QueueEntry {
            upload_id: item.upload_id,
            order: item.order,
            planned: item.planned,
            due_at: item.due_at,
        }
    }
}

impl FeedTable {
    /// Who is next, read consistently: the one that was begun and planned, else the first in order.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn next_in_queue(&self, portal: PortalId) -> Result<Option<QueueEntry>, CallFailed> {
        const WHAT: &str = "read the queue";
        let mut pages = self
            .items_of(portal, QUEUE_PREFIX)
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut next: Option<QueueEntry> = None;
        while let Some(page) = pages.next().await {
            let items = page
                .map_err(CallFailed::sdk(WHAT))?
                .items
                .unwrap_or_default();
            let items: Vec<QueueItem> =
                serde_dynamo::from_items(items).map_err(CallFailed::malformed(WHAT))?;
            for entry in items.into_iter().map(QueueEntry::from) {
                let comes_first = |other: &QueueEntry| {
                    (!entry.planned, &entry.order) < (!other.planned, &other.order)
                };
                if next.as_ref().is_none_or(comes_first) {
                    next = Some(entry);
                }
            }
        }
        Ok(next)
    }

    /// Puts an upload into the queue that should be there; an entry that is there stays as it is.
    pub(super) async fn put_in_queue(
        &self,
        arrived: &Arrived,
        now: Timestamp,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "put the upload into the queue";
        let (key, entry) = QueueItem::of(arrived, now);
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &key, entry)?))
            .condition_expression("attribute_not_exists(pk)");
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if put_refused(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Takes an entry out whose upload has ended. Another entry of the upload, which an approval has put there since,
    /// stays.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn leave_queue(
        &self,
        portal: PortalId,
        entry: &QueueEntry,
    ) -> Result<(), CallFailed> {
        let key = Key::queued(portal, &entry.order.received_at, entry.upload_id);
        const WHAT: &str = "take the upload out of the queue";
        let request = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .condition_expression("due_at = :seen")
            .expression_attribute_values(":seen", AttributeValue::S(entry.due_at.clone()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Every portal where something is due for `process-upload`: a lease that ended, a file that has waited for long.
    ///
    /// # Errors
    ///
    /// The index could not be read.
    pub async fn portals_with_work(
        &self,
        now: Timestamp,
    ) -> Result<BTreeSet<PortalId>, CallFailed> {
        self.portals_due(now, |sk| !is_erasing(sk) && !sk.starts_with(XERO_PREFIX))
            .await
    }

    /// Every portal where an import from Xero is due, or a connection to be given back.
    ///
    /// # Errors
    ///
    /// The index could not be read.
    pub async fn portals_of_xero(&self, now: Timestamp) -> Result<BTreeSet<PortalId>, CallFailed> {
        self.portals_due(now, |sk| sk.starts_with(XERO_PREFIX))
            .await
    }

    /// Every portal where somebody is to be erased, or everything.
    ///
    /// # Errors
    ///
    /// The index could not be read.
    pub async fn portals_to_erase(&self, now: Timestamp) -> Result<BTreeSet<PortalId>, CallFailed> {
        self.portals_due(now, is_erasing).await
    }

    /// Every portal where an item is due whose sort key is wanted.
    async fn portals_due(
        &self,
        now: Timestamp,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<BTreeSet<PortalId>, CallFailed> {
        const WHAT: &str = "read what is due";
        let mut portals = BTreeSet::new();
        for shard in work_shards() {
            let mut pages = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("work")
                .key_condition_expression("#shard = :shard AND #due <= :now")
                .expression_attribute_names("#shard", WORK_SHARD)
                .expression_attribute_names("#due", WORK_DUE_AT)
                .expression_attribute_values(":shard", AttributeValue::S(shard))
                .expression_attribute_values(":now", AttributeValue::S(stamp(now)))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                for item in page.map_err(CallFailed::sdk(WHAT))?.items() {
                    let part = |name| item.get(name).and_then(|part| part.as_s().ok());
                    let portal = part(PK).and_then(|pk| pk.parse().ok());
                    let portal = portal.ok_or_else(|| CallFailed::malformed(WHAT)(()))?;
                    if part(SK).is_some_and(|sk| wanted(sk)) {
                        portals.insert(portal);
                    }
                }
            }
        }
        Ok(portals)
    }
}

/// Whether an item that is due is `erase-data`'s.
fn is_erasing(sk: &str) -> bool {
    sk == OFF_BOARDING || sk.starts_with(ERASURE_PREFIX)
}
