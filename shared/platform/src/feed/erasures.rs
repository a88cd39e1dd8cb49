//! `ERASURE#<user_id>`: somebody who was erased, while traces of them are left. The item says by what they can be told,
//! and how far `erase-data` has come; it goes when that has come to its end.

use super::{Entry, FeedTable, Fence, condition_failed, item_of, update_refused};
use crate::clock::stamp;
use crate::directory::Deletion;
use crate::erasing::delete_items;
use crate::failure::CallFailed;
use crate::feed::uploads::{ObjectItem, UploadItem};
use crate::feed::{NotifyEmails, ObjectVersion, UploadId, UploadRecord, UploadStatus};
use crate::keys::{ERASURE_PREFIX, Item, Key, PK, QUEUE_PREFIX, SK, UPLOAD_PREFIX, work_shard};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::Timestamp;
use mapping::erasure::ErasedPerson;
use mapping::identity::{EmailKey, PortalId, UserId};
use mapping::problem::Problem;
use serde::{Deserialize, Serialize};

/// What is still to be looked through for a person, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureStage {
    /// What they were assigned, whom they manage, and the upload records.
    Tables,
    /// Reports and rejected rows.
    Reports,
    /// Kept plans, and who is held.
    Work,
    /// The customer's files.
    Files,
}

/// Somebody who was erased. No `Debug`.
#[derive(Clone)]
pub struct Erasure {
    /// Who it was.
    pub user_id: UserId,
    /// By what they are told.
    pub person: ErasedPerson,
    /// What is looked through now.
    pub stage: ErasureStage,
    /// The object that was looked through last in this stage: its key and version.
    pub after: Option<(String, String)>,
}

/// What is known of somebody at the moment of erasing. No `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identified {
    /// As the user had it.
    pub email: String,
    /// Where people are identified by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// As the user had it.
    pub first_name: String,
    /// As the user had it.
    pub last_name: String,
}

#[derive(Serialize, Deserialize)]
struct ErasureItem {
    user_id: UserId,
    #[serde(flatten)]
    identified: Identified,
    stage: ErasureStage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after_version: Option<String>,
    work_shard: String,
    due_at: String,
}

impl From<ErasureItem> for Erasure {
    fn from(item: ErasureItem) -> Self {
        let Identified {
            email,
            external_id,
            first_name,
            last_name,
        } = item.identified;
        Erasure {
            user_id: item.user_id,
            person: ErasedPerson::new(&email, external_id.as_deref(), &first_name, &last_name),
            stage: item.stage,
            after: item.after_key.zip(item.after_version),
        }
    }
}

impl FeedTable {
    /// Deletes the user, and remembers that traces of them are to be erased. `false`: the user is not as it was read
    /// any more, or the lease is somebody else's.
    ///
    /// # Errors
    ///
    /// The tables could not be written or read.
    pub async fn begin_erasure(
        &self,
        portal: PortalId,
        user_id: UserId,
        identified: Identified,
        (user, fence, Entry(entry)): (Deletion, Fence, Entry),
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "erase the user";
        let item = ErasureItem {
            user_id,
            identified,
            stage: ErasureStage::Tables,
            after_key: None,
            after_version: None,
            work_shard: work_shard(portal),
            due_at: stamp(now),
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &Key::erasure(portal, user_id), item)?))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let request = self
            .client
            .transact_write_items()
            .transact_items(user.0)
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(fence.0)
            .transact_items(entry);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if condition_failed(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Whether traces of this user are still being erased.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn is_being_erased(
        &self,
        portal: PortalId,
        user_id: UserId,
    ) -> Result<bool, CallFailed> {
        let item: Option<ErasureItem> = self
            .get("read an erasure", Key::erasure(portal, user_id))
            .await?;
        Ok(item.is_some())
    }

    /// Somebody of whom traces are to be erased; `None`: there is nobody left.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn next_erasure(&self, portal: PortalId) -> Result<Option<Erasure>, CallFailed> {
        const WHAT: &str = "read whom to erase";
        let answer = self
            .items_of(portal, ERASURE_PREFIX)
            .consistent_read(true)
            .limit(1)
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let items: Vec<ErasureItem> = serde_dynamo::from_items(answer.items.unwrap_or_default())
            .map_err(CallFailed::malformed(WHAT))?;
        Ok(items.into_iter().next().map(Erasure::from))
    }

    /// Stores how far an erasure has come.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn put_erasure_position(
        &self,
        portal: PortalId,
        erasure: &Erasure,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "store how far the erasure is";
        let stage =
            serde_dynamo::to_attribute_value(erasure.stage).map_err(CallFailed::malformed(WHAT))?;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::erasure(portal, erasure.user_id).item()))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":stage", stage);
        let request = match &erasure.after {
            None => request.update_expression("SET stage = :stage REMOVE after_key, after_version"),
            Some((key, version)) => request
                .update_expression("SET stage = :stage, after_key = :key, after_version = :version")
                .expression_attribute_values(":key", AttributeValue::S(key.clone()))
                .expression_attribute_values(":version", AttributeValue::S(version.clone())),
        };
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if update_refused(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Nothing is left of the person; nor of the erasure.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn end_erasure(&self, portal: PortalId, user_id: UserId) -> Result<(), CallFailed> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(Key::erasure(portal, user_id).item()))
            .send()
            .await
            .map_err(CallFailed::sdk("end the erasure"))?;
        Ok(())
    }

    /// Deletes what a user was assigned.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn delete_assignments(
        &self,
        portal: PortalId,
        user_id: UserId,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "read what the user was assigned";
        let first = Key::assignment(portal, user_id, 0);
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :user)")
            .projection_expression("#pk, #sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(first.pk))
            .expression_attribute_values(":user", AttributeValue::S(format!("{user_id}#")))
            .consistent_read(true)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let keys = page.map_err(CallFailed::sdk(WHAT))?.items;
            delete_items(&self.client, &self.table, keys.unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Takes a person out of the problems that the portal's upload records show. How many records changed.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn erase_from_records(
        &self,
        portal: PortalId,
        person: &ErasedPerson,
    ) -> Result<u64, CallFailed> {
        const WHAT: &str = "erase somebody from the upload records";
        let mut pages = self
            .items_of(portal, UPLOAD_PREFIX)
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut changed = 0;
        while let Some(page) = pages.next().await {
            let items = page.map_err(CallFailed::sdk(WHAT))?.items;
            let items: Vec<UploadItem> = serde_dynamo::from_items(items.unwrap_or_default())
                .map_err(CallFailed::malformed(WHAT))?;
            for UploadItem { record, .. } in items {
                if let Some(problems) = without(person, &record) {
                    self.put_problems(&record, problems).await?;
                    changed += 1;
                }
            }
        }
        Ok(changed)
    }

    /// Only they are written: a hold may be decided at the same moment.
    async fn put_problems(
        &self,
        record: &UploadRecord,
        problems: Vec<Problem>,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "store an upload's problems";
        let problems =
            serde_dynamo::to_attribute_value(problems).map_err(CallFailed::malformed(WHAT))?;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::upload(record.portal_id, record.upload_id).item()))
            .update_expression("SET problems = :problems")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":problems", problems);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if update_refused(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Whether nobody goes on with an upload, at this moment: it has ended, and waits for no decision.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn is_over(&self, portal: PortalId, upload: UploadId) -> Result<bool, CallFailed> {
        let item = self.upload_item(portal, upload).await?;
        Ok(item.is_none_or(|item| ended(&item.record)))
    }

    /// Whether a version of an object was processed, and no upload needs it at this moment: neither the one that claimed
    /// it, nor one that repeats that.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn was_processed(
        &self,
        portal: PortalId,
        object: &ObjectVersion,
    ) -> Result<bool, CallFailed> {
        let key = Key::object(portal, &object.hash());
        let item: Option<ObjectItem> = self.get("read whose object it is", key).await?;
        let Some(ObjectItem { upload_id }) = item else {
            // Its event has not been heard of.
            return Ok(false);
        };
        if !self.is_over(portal, upload_id).await? {
            return Ok(false);
        }
        for upload in self.open_uploads(portal).await? {
            let item = self.upload_item(portal, upload).await?;
            let same = |item: &UploadItem| {
                item.record.key == object.key && item.version_id == object.version_id
            };
            if item.as_ref().is_some_and(same) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The upload whose hold is open, and those in the queue. In this order: an approval goes from the one to the other.
    async fn open_uploads(&self, portal: PortalId) -> Result<Vec<UploadId>, CallFailed> {
        const WHAT: &str = "read the queue";
        let hold = self.portal(portal).await?.and_then(|there| there.hold);
        let mut open: Vec<UploadId> = hold.into_iter().map(|hold| hold.upload_id).collect();
        let mut pages = self
            .items_of(portal, QUEUE_PREFIX)
            .consistent_read(true)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let items = page.map_err(CallFailed::sdk(WHAT))?.items;
            let upload = |item: &Item| item.get("upload_id")?.as_s().ok()?.parse().ok();
            let ids: Option<Vec<UploadId>> = items.iter().flatten().map(upload).collect();
            open.extend(ids.ok_or_else(|| CallFailed::malformed(WHAT)(()))?);
        }
        Ok(open)
    }

    /// Writes no more mails to somebody who was erased. Whoever changes the settings at this moment is asked again by the
    /// next attempt.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn forget_recipient(
        &self,
        portal: PortalId,
        email: &EmailKey,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "take somebody out of those who are told";
        let Some(there) = self.portal(portal).await? else {
            return Ok(());
        };
        let before = there.feed_settings.notify_emails;
        let after = before.without(email);
        if after == before {
            return Ok(());
        }
        let list = |emails: &NotifyEmails| {
            serde_dynamo::to_attribute_value(emails).map_err(CallFailed::malformed(WHAT))
        };
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::portal(portal).item()))
            .update_expression("SET notify_emails = :after")
            .condition_expression("notify_emails = :before")
            .expression_attribute_values(":before", list(&before)?)
            .expression_attribute_values(":after", list(&after)?)
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        Ok(())
    }
}

/// Whether an upload has ended for good.
fn ended(record: &UploadRecord) -> bool {
    record.status.is_final() && record.status != UploadStatus::Held
}

/// The record's problems without the person; `None`: they say nothing of them.
fn without(person: &ErasedPerson, record: &UploadRecord) -> Option<Vec<Problem>> {
    let mut problems = record.problems.clone();
    let mut erased = false;
    for problem in &mut problems {
        if let Some(without) = person.out_of(problem) {
            (*problem, erased) = (without, true);
        }
    }
    erased.then_some(problems)
}
