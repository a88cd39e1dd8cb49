//! The feed table: what the system knows of portals, mappings and uploads. One file for each kind of
//! item; the item's shape does not leave it.

mod administrators;
mod assignments;
mod audit;
mod credentials;
mod erasures;
mod expected;
mod holds;
mod lease;
mod mappings;
mod notices;
mod off_boarding;
mod portals;
mod queue;
mod run;
mod settings;
mod uploads;
pub mod xero;

pub use assignments::Assignment;
pub use audit::{ActingAs, Action, AuditEntry, AuditId, Deed, Entry};
pub use erasures::{Erasure, ErasureStage, Identified};
pub use expected::{Awaited, ExpectedFile};
pub use holds::{Decision, OpenHold};
pub use lease::{Acquired, Fence, LEASE, Lease, LeaseItem, LeaseLost, Standing};
pub use mappings::StoredMapping;
pub use notices::{FileOverdue, News, Notice, UploadFinished};
pub use off_boarding::OffBoarding;
pub use portals::{Authorisation, Group, NamedField, Portal, PortalSettings};
pub use queue::QueueEntry;
pub use run::{Left, Saved, TakeUp, TakenUp};
pub use settings::{FeedSettings, NotifyEmails, WrongAddress};
pub use uploads::{
    Arrived, Claim, Cursor, Held, ObjectVersion, UploadId, UploadKind, UploadRecord, UploadStatus,
};

use crate::aws::Aws;
use crate::failure::CallFailed;
use crate::keys::{Item, Key, PK, SK};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use mapping::identity::PortalId;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The feed table of all portals.
#[derive(Clone)]
pub struct FeedTable {
    client: Client,
    table: String,
}

impl FeedTable {
    /// The table of this name.
    pub fn new(aws: &Aws, table: String) -> Self {
        FeedTable {
            client: aws.dynamodb.clone(),
            table,
        }
    }

    /// The portal's items whose sort keys begin like this.
    fn items_of(&self, portal: PortalId, prefix: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(portal.to_string()))
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
    }

    /// All of these changes, or none. `false`: a condition did not hold, or another change of the same items was under
    /// way, again and again.
    async fn write(
        &self,
        what: &'static str,
        changes: impl IntoIterator<Item = TransactWriteItem>,
    ) -> Result<bool, CallFailed> {
        let request = self.client.transact_write_items();
        let changes = changes.into_iter().collect();
        match request.set_transact_items(Some(changes)).send().await {
            Ok(_) => Ok(true),
            Err(error) if condition_failed(&error) || in_conflict(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk(what)(error)),
        }
    }

    /// One item, read consistently.
    async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        key: Key,
    ) -> Result<Option<T>, CallFailed> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .consistent_read(true)
            .send()
            .await
            .map_err(CallFailed::sdk(what))?;
        answer
            .item
            .map(|item| serde_dynamo::from_item(item).map_err(CallFailed::malformed(what)))
            .transpose()
    }
}

/// Whether a transaction was cancelled because one of its conditions did not hold. Anything else, such as
/// throttling, is a failure; what can be repeated was repeated (`aws.rs`).
pub(crate) fn condition_failed<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    reasons(error).any(|code| code == "ConditionalCheckFailed")
}

/// Whether it was cancelled because another write of the same items was under way, again and again.
pub(crate) fn in_conflict<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    reasons(error).any(|code| code == "TransactionConflict")
}

fn reasons<R>(error: &SdkError<TransactWriteItemsError, R>) -> impl Iterator<Item = &str> {
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        _ => &[],
    };
    reasons.iter().filter_map(|reason| reason.code())
}

/// Whether an update was refused because its condition did not hold.
fn update_refused<R>(error: &SdkError<UpdateItemError, R>) -> bool {
    error
        .as_service_error()
        .is_some_and(UpdateItemError::is_conditional_check_failed_exception)
}

/// Whether a put was refused because its condition did not hold.
fn put_refused<R>(error: &SdkError<PutItemError, R>) -> bool {
    error
        .as_service_error()
        .is_some_and(PutItemError::is_conditional_check_failed_exception)
}

/// The attributes of `value` under `key`. What is `None` is absent.
fn item_of(what: &'static str, key: &Key, value: impl Serialize) -> Result<Item, CallFailed> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(CallFailed::malformed(what))?;
    item.extend(key.item());
    Ok(item)
}
