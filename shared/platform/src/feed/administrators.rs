//! `ADMINISTRATOR#<account_id>`: the accounts of the user pool that act for a portal. The pool finds
//! them by their portal only if all of them are looked through, and a new one a moment late at that; those that stand
//! here off-boarding finds for certain. No address is here.

use super::{Entry, FeedTable, item_of};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{ADMINISTRATOR_PREFIX, Key};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct AdministratorItem {
    account_id: String,
    remembered_at: String,
}

impl FeedTable {
    /// Remembers that this account acts for the portal.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn remember_administrator(
        &self,
        portal: PortalId,
        account_id: &str,
        now: Timestamp,
        entry: Entry,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "remember the administrator";
        let item = AdministratorItem {
            account_id: account_id.to_owned(),
            remembered_at: stamp(now),
        };
        let key = Key::administrator(portal, account_id);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &key, item)?))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let put = TransactWriteItem::builder().put(put).build();
        match self.write_with(WHAT, [put], entry).await? {
            true => Ok(()),
            false => Err(CallFailed::new(
                WHAT,
                "others write the same, again and again",
            )),
        }
    }

    /// The accounts that act for the portal: a handful.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn administrators(&self, portal: PortalId) -> Result<Vec<String>, CallFailed> {
        const WHAT: &str = "read the administrators";
        let mut pages = self
            .items_of(portal, ADMINISTRATOR_PREFIX)
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut accounts = Vec::new();
        while let Some(page) = pages.next().await {
            let items = page.map_err(CallFailed::sdk(WHAT))?.items;
            let items: Vec<AdministratorItem> = serde_dynamo::from_items(items.unwrap_or_default())
                .map_err(CallFailed::malformed(WHAT))?;
            accounts.extend(items.into_iter().map(|item| item.account_id));
        }
        Ok(accounts)
    }
}
