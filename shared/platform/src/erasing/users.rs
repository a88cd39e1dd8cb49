//! The users table, as people are erased from it.

use super::delete_items;
use crate::aws::Aws;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Item, Key, PK, SK, user_shards};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use mapping::identity::{PortalId, UserId};

/// The users of all portals.
#[derive(Clone)]
pub struct ErasableUsers {
    client: Client,
    table: String,
}

impl ErasableUsers {
    /// The table of this name.
    pub fn new(aws: &Aws, table: String) -> Self {
        ErasableUsers {
            client: aws.dynamodb.clone(),
            table,
        }
    }

    /// Erases everybody in the portal. How many that were.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn delete_all(&self, portal: PortalId) -> Result<u64, CallFailed> {
        const WHAT: &str = "read the portal's users";
        let mut deleted = 0;
        for shard in user_shards(portal) {
            let mut pages = self.of_shard(shard).into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(CallFailed::sdk(WHAT))?;
                let keys = page.items.unwrap_or_default();
                deleted += keys.len() as u64;
                delete_items(&self.client, &self.table, keys).await?;
            }
        }
        Ok(deleted)
    }

    /// Whether there is this user, perhaps once more.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn exists(&self, portal: PortalId, user_id: UserId) -> Result<bool, CallFailed> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(Key::user(portal, user_id).item()))
            .projection_expression("#sk")
            .expression_attribute_names("#sk", SK)
            .consistent_read(true)
            .send()
            .await
            .map_err(CallFailed::sdk("look for a user"))?;
        Ok(answer.item.is_some())
    }

    /// Takes somebody who is gone out of the managers of everybody else, as a change in the portal is made: the next
    /// file looks at those people as a whole, and whom the feed has disabled may come back with it. How many they were.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn forget_manager(
        &self,
        portal: PortalId,
        manager: UserId,
        now: Timestamp,
    ) -> Result<u64, CallFailed> {
        const WHAT: &str = "read who is managed";
        let mut changed = 0;
        for shard in user_shards(portal) {
            let mut pages = self
                .of_shard(shard)
                .filter_expression("contains(manager_ids, :manager)")
                .expression_attribute_values(":manager", AttributeValue::S(manager.to_string()))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(CallFailed::sdk(WHAT))?;
                for key in page.items.unwrap_or_default() {
                    changed += u64::from(self.take_manager_away(key, manager, now).await?);
                }
            }
        }
        Ok(changed)
    }

    /// `false`: that was done before.
    async fn take_manager_away(
        &self,
        key: Item,
        manager: UserId,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .update_expression(
                "DELETE manager_ids :managers ADD version :one SET updated_at = :now \
                 REMOVE fingerprint",
            )
            .condition_expression("contains(manager_ids, :manager)")
            .expression_attribute_values(":managers", AttributeValue::Ss(vec![manager.to_string()]))
            .expression_attribute_values(":manager", AttributeValue::S(manager.to_string()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":now", AttributeValue::S(stamp(now)));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(CallFailed::sdk("take a manager away")(error)),
        }
    }

    /// The keys of a partition.
    fn of_shard(
        &self,
        shard: String,
    ) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .projection_expression("#pk, #sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(shard))
            .consistent_read(true)
    }
}
