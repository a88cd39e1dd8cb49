//! `OFF_BOARDING`: a portal that is being given up. From the moment it is marked nobody is let in any more; then what
//! is left of it is deleted bit by bit, and its own item at last. What is gone says how far that has come.

use super::portals::THERE;
use super::{Entry, FeedTable, Lease, condition_failed, item_of};
use crate::clock::stamp;
use crate::erasing::delete_items;
use crate::failure::CallFailed;
use crate::keys::{
    AUDIT_PREFIX, Item, Key, OFF_BOARDING, PK, QUEUE_PREFIX, SK, XERO_RETURN_PREFIX,
    assignment_shards, work_shard,
};
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use jiff::Timestamp;
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

/// What became of the wish to give a portal up.
pub enum OffBoarding {
    /// It is marked; since when.
    UnderWay(String),
    /// There is no such portal.
    NoPortal,
}

/// The item. It is due at once: the sweep takes it up until it is gone.
#[derive(Serialize, Deserialize)]
struct OffBoardingItem {
    since: String,
    work_shard: String,
    due_at: String,
}

impl FeedTable {
    /// Shuts the doors: the authorisation and an open hold go, and the portal is marked. Again, it stays as it was.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn begin_off_boarding(
        &self,
        portal: PortalId,
        now: Timestamp,
        Entry(entry): Entry,
    ) -> Result<OffBoarding, CallFailed> {
        const WHAT: &str = "begin the off-boarding";
        let since = stamp(now);
        let item = OffBoardingItem {
            since: since.clone(),
            work_shard: work_shard(portal),
            due_at: since.clone(),
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &Key::off_boarding(portal), item)?))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        // A change of settings or mapping that is under way finds another revision.
        let mark = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::portal(portal).item()))
            .update_expression(
                "SET off_boarding_since = :since, revision = revision + :one \
                 REMOVE authorised_by, authorised_at, #hold",
            )
            .condition_expression(THERE)
            .expression_attribute_names("#hold", "hold")
            .expression_attribute_values(":since", AttributeValue::S(since.clone()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let request = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(mark).build())
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(entry);
        match request.send().await {
            Ok(_) => Ok(OffBoarding::UnderWay(since)),
            Err(error) if condition_failed(&error) => {
                let there = self.portal(portal).await?;
                let since = there.and_then(|there| there.off_boarding_since);
                Ok(since.map_or(OffBoarding::NoPortal, OffBoarding::UnderWay))
            }
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Since when the portal is being given up, if it is.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn off_boarding_since(
        &self,
        portal: PortalId,
    ) -> Result<Option<Timestamp>, CallFailed> {
        const WHAT: &str = "read the off-boarding";
        let item: Option<OffBoardingItem> = self.get(WHAT, Key::off_boarding(portal)).await?;
        item.map(|item| item.since.parse().map_err(CallFailed::malformed(WHAT)))
            .transpose()
    }

    /// Deletes the portal's queue: nobody takes a file up any more.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn delete_queue(&self, portal: PortalId) -> Result<u64, CallFailed> {
        let of_portal = portal.to_string();
        self.delete_where(of_portal, |sk| sk.starts_with(QUEUE_PREFIX))
            .await
    }

    /// Deletes everything that the table has of the portal, but the audit trail, what an off-boarding goes on by,
    /// and connections with Xero that are still to be given back.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn delete_portals_items(&self, portal: PortalId) -> Result<u64, CallFailed> {
        let kept = [
            Key::portal(portal).sk,
            Key::lease(portal).sk,
            OFF_BOARDING.to_owned(),
        ];
        let goes = |sk: &str| {
            let outlives = [AUDIT_PREFIX, XERO_RETURN_PREFIX];
            !outlives.iter().any(|prefix| sk.starts_with(prefix))
                && !kept.iter().any(|kept| kept == sk)
        };
        let mut deleted = self.delete_where(portal.to_string(), goes).await?;
        for shard in assignment_shards(portal) {
            deleted += self.delete_where(shard, |_| true).await?;
        }
        Ok(deleted)
    }

    /// How many were deleted.
    async fn delete_where(
        &self,
        pk: String,
        goes: impl Fn(&str) -> bool,
    ) -> Result<u64, CallFailed> {
        const WHAT: &str = "read what the table has of the portal";
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .projection_expression("#pk, #sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut deleted = 0;
        while let Some(page) = pages.next().await {
            let items = page.map_err(CallFailed::sdk(WHAT))?.items;
            let goes = |item: &Item| {
                item.get(SK)
                    .and_then(|sk| sk.as_s().ok())
                    .is_some_and(|sk| goes(sk))
            };
            let keys: Vec<Item> = items.unwrap_or_default().into_iter().filter(goes).collect();
            deleted += keys.len() as u64;
            delete_items(&self.client, &self.table, keys).await?;
        }
        Ok(deleted)
    }

    /// The last of it: the portal, its line in the list, its lease, and the off-boarding itself; or that is due once
    /// more, and keeps the number from being set up anew until then. `false`: somebody else has the lease.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn end_off_boarding(
        &self,
        portal: PortalId,
        lease: &Lease,
        again_at: Option<Timestamp>,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "end the off-boarding";
        let mut request = self.client.transact_write_items();
        let own = match again_at {
            Some(again_at) => {
                let again = Update::builder()
                    .table_name(&self.table)
                    .set_key(Some(Key::off_boarding(portal).item()))
                    .update_expression("SET due_at = :again")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_values(":again", AttributeValue::S(stamp(again_at)))
                    .build()
                    .map_err(CallFailed::to(WHAT))?;
                request =
                    request.transact_items(TransactWriteItem::builder().update(again).build());
                None
            }
            None => Some((Key::off_boarding(portal), None)),
        };
        let portals = [
            (
                Key::portal(portal),
                Some("attribute_not_exists(pk) OR attribute_exists(off_boarding_since)"),
            ),
            (Key::portal_in_list(portal), None),
        ];
        for (key, condition) in portals.into_iter().chain(own) {
            let delete = Delete::builder()
                .table_name(&self.table)
                .set_key(Some(key.item()))
                .set_condition_expression(condition.map(str::to_owned))
                .build()
                .map_err(CallFailed::to(WHAT))?;
            request = request.transact_items(TransactWriteItem::builder().delete(delete).build());
        }
        let request = request.transact_items(lease.ends(WHAT)?);
        match request.send().await {
            Ok(_) => Ok(true),
            // Deleted by an attempt whose answer was lost, or not to be deleted by us any more.
            Err(error) if condition_failed(&error) => Ok(self.portal(portal).await?.is_none()),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }
}
