//! The users table: the roster in brief, users as a whole, and conditional writes in batches. What is to
//! be written is decided in `mapping`; the shape of an item does not leave this file.

use crate::aws::Aws;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Item, Key, PK, SK, user_shards};
use crate::pause::Pause;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest, KeysAndAttributes,
    ReturnValuesOnConditionCheckFailure,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use mapping::fields::Status;
use mapping::identity::{EmailKey, IdentityHash, PortalId, UserId};
use mapping::plan::Outcome;
use mapping::record::Fingerprint;
use mapping::roster::{Roster, RosterEntry};
use mapping::user::User;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// BatchGetItem's own limit.
pub const READ_BATCH: usize = 100;

/// BatchExecuteStatement's own limit.
pub const WRITE_BATCH: usize = 25;

/// Partitions read at the same time: enough to keep one CPU busy decoding.
const SHARDS_IN_FLIGHT: usize = 4;

/// The users of all portals.
#[derive(Clone)]
pub struct Users {
    client: Client,
    table: String,
}

/// A user with what the table keeps about the item itself.
#[derive(Clone)]
pub struct StoredUser {
    /// Who it is.
    pub user_id: UserId,
    /// What the feed sees.
    pub user: User,
    /// Goes up with every change.
    pub version: u64,
    /// The upload that wrote last; whatever else changes a user leaves it.
    pub last_upload_id: Option<String>,
    /// What that write came to.
    pub last_outcome: Option<Outcome>,
}

/// A write on behalf of one run.
pub struct UserWrite {
    /// Who it is about.
    pub user_id: UserId,
    /// What is written.
    pub kind: WriteKind,
    /// What it comes to. Stored with the user, so that a run that is taken up again counts it as it was.
    pub outcome: Outcome,
}

/// What a [`UserWrite`] does; each is conditional.
pub enum WriteKind {
    /// A new user; refused if the id exists.
    Create(User),
    /// Everything the feed owns; refused if the version is another.
    Update {
        /// As it is to be.
        after: Box<User>,
        /// As it was read.
        version: u64,
    },
    /// The fingerprint alone, which is no change; refused if the version is another.
    Refresh {
        /// Of the row that was applied.
        fingerprint: Fingerprint,
        /// As it was read.
        version: u64,
    },
}

/// How a conditional write came out.
pub enum Written {
    /// It is stored.
    Done,
    /// The condition did not hold; the user as it stands, if there is one.
    Refused(Option<Box<StoredUser>>),
    /// DynamoDB had no capacity for it just now; it may be sent again.
    Throttled,
}

/// On whose behalf a write is made.
pub struct WriteContext {
    /// Whose users.
    pub portal: PortalId,
    /// `<upload_id>`.
    pub upload_id: String,
    /// `<upload_id>#<run>`.
    pub last_write: String,
    /// Now.
    pub now: Timestamp,
}

impl Users {
    /// The table of this name.
    pub fn new(aws: &Aws, table: String) -> Self {
        Users {
            client: aws.dynamodb.clone(),
            table,
        }
    }

    /// All of a portal's users in brief, read consistently.
    ///
    /// # Errors
    ///
    /// A page could not be read. Never an empty roster instead: that would make everybody new.
    pub async fn roster(&self, portal: PortalId) -> Result<Roster, CallFailed> {
        let shards: Vec<Vec<RosterEntry>> = stream::iter(user_shards(portal))
            .map(|shard| self.roster_shard(shard))
            .buffer_unordered(SHARDS_IN_FLIGHT)
            .try_collect()
            .await?;
        Ok(Roster::new(shards.concat()))
    }

    async fn roster_shard(&self, shard: String) -> Result<Vec<RosterEntry>, CallFailed> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .projection_expression("#sk, email_key, fingerprint, feed_managed")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(shard))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut entries = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(CallFailed::sdk("read the roster"))?;
            for item in page.items() {
                entries.push(roster_entry(item).ok_or_else(|| malformed("read the roster"))?);
            }
        }
        Ok(entries)
    }

    /// Users as a whole, read consistently, in any order; those that do not exist are absent.
    ///
    /// # Errors
    ///
    /// They could not be read, or an item is none of ours.
    pub async fn get(
        &self,
        portal: PortalId,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, StoredUser>, CallFailed> {
        const WHAT: &str = "read users";
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(READ_BATCH) {
            let mut keys: Vec<Item> = ids.iter().map(|id| Key::user(portal, *id).item()).collect();
            let mut pause = Pause::default();
            while !keys.is_empty() {
                let wanted = KeysAndAttributes::builder()
                    .set_keys(Some(keys))
                    .consistent_read(true)
                    .build();
                let answer = self
                    .client
                    .batch_get_item()
                    .request_items(&self.table, wanted.map_err(CallFailed::to(WHAT))?)
                    .send()
                    .await
                    .map_err(CallFailed::sdk(WHAT))?;
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    let user = stored_user(&item).ok_or_else(|| malformed(WHAT))?;
                    found.insert(user.user_id, user);
                }
                let rest = answer
                    .unprocessed_keys
                    .unwrap_or_default()
                    .remove(&self.table);
                keys = rest.map(|rest| rest.keys).unwrap_or_default();
                if !keys.is_empty() {
                    // DynamoDB had no capacity for these.
                    pause.wait().await;
                }
            }
        }
        Ok(found)
    }

    /// Makes up to [`WRITE_BATCH`] conditional writes in one request; the answers are in their order. A write
    /// that was throttled is not repeated here: the caller knows whether it still may.
    ///
    /// # Errors
    ///
    /// A write could not be made, for a reason that has nothing to do with its condition. Others of the
    /// batch may have been made: repeating is safe, each is conditional.
    pub async fn write(
        &self,
        context: &WriteContext,
        writes: &[UserWrite],
    ) -> Result<Vec<Written>, CallFailed> {
        const WHAT: &str = "write users";
        let statements: Result<Vec<_>, _> = writes
            .iter()
            .map(|write| self.statement(context, write))
            .collect();
        let answer = self
            .client
            .batch_execute_statement()
            .set_statements(Some(statements.map_err(CallFailed::to(WHAT))?))
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let responses = answer.responses.unwrap_or_default();
        if responses.len() != writes.len() {
            return Err(malformed(WHAT));
        }
        let mut written = Vec::with_capacity(writes.len());
        let mut unseen = Vec::new();
        for (write, response) in writes.iter().zip(responses) {
            let Some(error) = response.error else {
                written.push(Written::Done);
                continue;
            };
            match error.code {
                Some(
                    BatchStatementErrorCodeEnum::ConditionalCheckFailed
                    | BatchStatementErrorCodeEnum::DuplicateItem,
                ) => {
                    let found = error.item.as_ref().and_then(stored_user).map(Box::new);
                    if found.is_none() {
                        unseen.push(write.user_id);
                    }
                    written.push(Written::Refused(found));
                }
                Some(
                    BatchStatementErrorCodeEnum::ThrottlingError
                    | BatchStatementErrorCodeEnum::ProvisionedThroughputExceeded
                    | BatchStatementErrorCodeEnum::RequestLimitExceeded
                    | BatchStatementErrorCodeEnum::InternalServerError
                    | BatchStatementErrorCodeEnum::TransactionConflict,
                ) => written.push(Written::Throttled),
                code => {
                    let code = code.map_or("no code".to_owned(), |code| code.as_str().to_owned());
                    return Err(CallFailed::new(WHAT, format!("DynamoDB answered {code}")));
                }
            }
        }
        // What a refused write found comes with the answer only for some.
        if !unseen.is_empty() {
            let mut found = self.get(context.portal, &unseen).await?;
            for (write, written) in writes.iter().zip(&mut written) {
                if let Written::Refused(none @ None) = written {
                    *none = found.remove(&write.user_id).map(Box::new);
                }
            }
        }
        Ok(written)
    }

    fn statement(
        &self,
        context: &WriteContext,
        write: &UserWrite,
    ) -> Result<BatchStatementRequest, aws_sdk_dynamodb::error::BuildError> {
        let key = Key::user(context.portal, write.user_id);
        let (statement, parameters) = match &write.kind {
            // An INSERT fails on an existing key: that is its condition.
            WriteKind::Create(user) => {
                let (names, values): (Vec<_>, Vec<_>) = created(context, &key, write.user_id)
                    .into_iter()
                    .chain(changed(context, user, 1, write.outcome))
                    .unzip();
                let columns: Vec<String> =
                    names.iter().map(|name| format!("'{name}': ?")).collect();
                (
                    format!(
                        "INSERT INTO \"{}\" VALUE {{{}}}",
                        self.table,
                        columns.join(", ")
                    ),
                    values,
                )
            }
            WriteKind::Update { after, version } => self.update(
                &key,
                *version,
                changed(context, after, version + 1, write.outcome),
            ),
            WriteKind::Refresh {
                fingerprint,
                version,
            } => self.update(
                &key,
                *version,
                vec![("fingerprint", fingerprint_value(*fingerprint))],
            ),
        };
        BatchStatementRequest::builder()
            .statement(statement)
            .set_parameters(Some(parameters))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
    }

    /// An update of these attributes, if the version is still this one.
    fn update(
        &self,
        key: &Key,
        version: u64,
        attributes: Vec<(&'static str, AttributeValue)>,
    ) -> (String, Vec<AttributeValue>) {
        let sets = attributes
            .iter()
            .map(|(name, _)| format!("SET \"{name}\" = ?"))
            .collect::<Vec<_>>()
            .join(" ");
        let condition = format!("WHERE \"{PK}\" = ? AND \"{SK}\" = ? AND \"version\" = ?");
        let of_condition = [
            text(&key.pk),
            text(&key.sk),
            AttributeValue::N(version.to_string()),
        ];
        let values = attributes
            .into_iter()
            .map(|(_, value)| value)
            .chain(of_condition)
            .collect();
        (
            format!("UPDATE \"{}\" {sets} {condition}", self.table),
            values,
        )
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn fingerprint_value(fingerprint: Fingerprint) -> AttributeValue {
    AttributeValue::B(Blob::new(fingerprint.to_bytes()))
}

/// What a create writes once; what every change writes follows.
fn created(
    context: &WriteContext,
    key: &Key,
    user_id: UserId,
) -> [(&'static str, AttributeValue); 7] {
    [
        (PK, text(&key.pk)),
        (SK, text(&key.sk)),
        ("portal_id", text(context.portal.to_string())),
        ("user_id", text(user_id.to_string())),
        // Given by default, not by the feed.
        ("roles", AttributeValue::Ss(vec!["Learner".to_owned()])),
        ("source", text("feed")),
        ("created_at", text(stamp(context.now))),
    ]
}

/// What every change writes.
fn changed(
    context: &WriteContext,
    user: &User,
    version: u64,
    outcome: Outcome,
) -> Vec<(&'static str, AttributeValue)> {
    // In full, so that a new field does not compile until it is stored.
    let User {
        email,
        first_name,
        last_name,
        status,
        group_ids,
        custom,
        feed_managed,
        fingerprint,
    } = user;
    let custom = custom
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let mut attributes = vec![
        ("email", text(email)),
        ("email_key", text(EmailKey::of(email).as_str())),
        ("first_name", text(first_name)),
        ("last_name", text(last_name)),
        ("status", text(status.as_str())),
        ("custom", AttributeValue::M(custom.collect())),
        ("feed_managed", AttributeValue::Bool(*feed_managed)),
        (
            "fingerprint",
            fingerprint.map_or(AttributeValue::Null(true), fingerprint_value),
        ),
        ("updated_at", text(stamp(context.now))),
        ("last_upload_id", text(&context.upload_id)),
        ("version", AttributeValue::N(version.to_string())),
        ("last_write", text(&context.last_write)),
        ("last_outcome", text(outcome.as_str())),
    ];
    // DynamoDB has no empty sets, and nobody is taken out of a group here.
    if !group_ids.is_empty() {
        let ids = group_ids.iter().map(u64::to_string).collect();
        attributes.push(("group_ids", AttributeValue::Ns(ids)));
    }
    attributes
}

fn malformed(what: &'static str) -> CallFailed {
    CallFailed::new(what, "an answer does not have the form that is documented")
}

fn string<'i>(item: &'i Item, name: &str) -> Option<&'i String> {
    item.get(name)?.as_s().ok()
}

fn fingerprint(item: &Item) -> Option<Fingerprint> {
    Fingerprint::from_bytes(item.get("fingerprint")?.as_b().ok()?.as_ref())
}

fn feed_managed(item: &Item) -> bool {
    item.get("feed_managed")
        .and_then(|value| value.as_bool().ok())
        .copied()
        .unwrap_or(false)
}

fn roster_entry(item: &Item) -> Option<RosterEntry> {
    Some(RosterEntry {
        identity: IdentityHash::of_email(string(item, "email_key")?),
        user_id: string(item, SK)?.parse().ok()?,
        fingerprint: fingerprint(item),
        feed_managed: feed_managed(item),
    })
}

fn stored_user(item: &Item) -> Option<StoredUser> {
    let mut custom = BTreeMap::new();
    if let Some(values) = item.get("custom").and_then(|value| value.as_m().ok()) {
        for (name, value) in values {
            custom.insert(name.parse().ok()?, value.as_s().ok()?.clone());
        }
    }
    let mut group_ids = BTreeSet::new();
    if let Some(ids) = item.get("group_ids").and_then(|value| value.as_ns().ok()) {
        for id in ids {
            group_ids.insert(id.parse().ok()?);
        }
    }
    let status = Status::stored(string(item, "status")?)?;
    Some(StoredUser {
        user_id: string(item, SK)?.parse().ok()?,
        user: User {
            email: string(item, "email")?.clone(),
            first_name: string(item, "first_name")?.clone(),
            last_name: string(item, "last_name")?.clone(),
            status,
            group_ids,
            custom,
            feed_managed: feed_managed(item),
            fingerprint: fingerprint(item),
        },
        version: item.get("version")?.as_n().ok()?.parse().ok()?,
        last_upload_id: string(item, "last_upload_id").cloned(),
        last_outcome: string(item, "last_outcome").and_then(|text| Outcome::parse(text)),
    })
}
