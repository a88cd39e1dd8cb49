//! `XERO_IMPORT`: the import of a portal that is asked for, or under way; one at a time. Written in one transaction
//! with its upload record, and deleted in one with that record's end. `XERO_IMPORTED`: what all imports came to.

use super::super::notices::to_be_told;
use super::super::uploads::UploadItem;
use super::super::{
    Entry, FeedTable, Lease, News, UploadId, UploadRecord, condition_failed, in_conflict, item_of,
    update_refused,
};
use super::ABSENT;
use super::connection::XeroConnection;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::feed::portals::THERE;
use crate::keys::{Key, WORK_DUE_AT, work_shard};
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};
use jiff::Timestamp;
use mapping::identity::PortalId;
use mapping::import::{EmployeeId, MAX_IMPORTED};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an administrator has asked for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRequest {
    /// `None`: everybody who can be imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employee_ids: Option<BTreeSet<EmployeeId>>,
    /// Whether they are assigned the courses.
    pub assign_courses: bool,
}

/// An import that has not ended.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingImport {
    /// Its record.
    pub upload_id: UploadId,
    /// By which consent it was asked for.
    pub consent: String,
    /// What was asked for.
    #[serde(flatten)]
    pub request: ImportRequest,
    /// How often it was begun.
    #[serde(default)]
    pub attempts: u32,
    work_shard: String,
    due_at: String,
}

/// What all imports of a portal came to.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Imported {
    /// How many users they created, also those who are gone since.
    #[serde(default)]
    pub places_taken: u32,
    /// The last one that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_upload_id: Option<UploadId>,
}

impl Imported {
    /// How many users may still be created.
    pub fn places_left(&self) -> u32 {
        MAX_IMPORTED.saturating_sub(self.places_taken)
    }
}

/// What became of the wish to import.
pub enum Begun {
    /// It is under way.
    Begun,
    /// Another is.
    Running,
    /// The connection is another by now, or none; or the portal is gone.
    NotConnected,
}

impl FeedTable {
    /// Begins an import: its record, and what is asked for.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn begin_import(
        &self,
        record: &UploadRecord,
        connection: &XeroConnection,
        request: ImportRequest,
        now: Timestamp,
        Entry(entry): Entry,
    ) -> Result<Begun, CallFailed> {
        const WHAT: &str = "begin an import";
        let portal = record.portal_id;
        let pending = PendingImport {
            upload_id: record.upload_id,
            consent: connection.consent.clone(),
            request,
            attempts: 0,
            work_shard: work_shard(portal),
            due_at: stamp(now),
        };
        let connected = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(Key::xero(portal).item()))
            .condition_expression("consent = :consent AND attribute_exists(chosen)")
            .expression_attribute_values(":consent", AttributeValue::S(connection.consent.clone()))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let last = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::xero_imported(portal).item()))
            .update_expression("SET last_upload_id = :upload")
            .expression_attribute_values(":upload", AttributeValue::S(record.upload_id.to_string()))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let upload = UploadItem::without_file(record);
        let changes = [
            self.put_if(WHAT, &Key::xero_import(portal), pending, Some(ABSENT))?,
            self.put_if(
                WHAT,
                &Key::upload(portal, record.upload_id),
                upload,
                Some(ABSENT),
            )?,
            TransactWriteItem::builder()
                .condition_check(connected)
                .build(),
            self.only_if(WHAT, &Key::portal(portal), THERE)?,
            TransactWriteItem::builder().update(last).build(),
            entry,
        ];
        if self.write(WHAT, changes).await? {
            return Ok(Begun::Begun);
        }
        match self.pending_import(portal).await? {
            Some(_) => Ok(Begun::Running),
            None => Ok(Begun::NotConnected),
        }
    }

    /// The import of the portal that has not ended.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn pending_import(
        &self,
        portal: PortalId,
    ) -> Result<Option<PendingImport>, CallFailed> {
        self.get("read the import", Key::xero_import(portal)).await
    }

    /// What all imports of the portal came to.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn imported(&self, portal: PortalId) -> Result<Imported, CallFailed> {
        let imported: Option<Imported> = self
            .get("read what was imported", Key::xero_imported(portal))
            .await?;
        Ok(imported.unwrap_or_default())
    }

    /// Counts that the import is begun once more, which is due again at this time should this attempt not end it.
    /// `false`: it has ended.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn begin_attempt_to_import(
        &self,
        portal: PortalId,
        import: &PendingImport,
        due_at: Timestamp,
    ) -> Result<bool, CallFailed> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::xero_import(portal).item()))
            .update_expression(format!("SET {WORK_DUE_AT} = :due ADD attempts :one"))
            .condition_expression("upload_id = :upload")
            .expression_attribute_values(":due", AttributeValue::S(stamp(due_at)))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(
                ":upload",
                AttributeValue::S(import.upload_id.to_string()),
            );
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if update_refused(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk("begin an import once more")(error)),
        }
    }

    /// Somebody was imported: what was tried before does not count any more.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn import_came_forward(
        &self,
        portal: PortalId,
        import: &PendingImport,
    ) -> Result<(), CallFailed> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::xero_import(portal).item()))
            .update_expression("SET attempts = :none")
            .condition_expression("upload_id = :upload")
            .expression_attribute_values(":none", AttributeValue::N("0".to_owned()))
            .expression_attribute_values(
                ":upload",
                AttributeValue::S(import.upload_id.to_string()),
            );
        match request.send().await {
            Ok(_) => Ok(()),
            // It has ended.
            Err(error) if update_refused(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk("store that an import came forward")(error)),
        }
    }

    /// Stores how far an import has come. `false`: somebody else has the lease, or it has ended.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn put_import_progress(
        &self,
        record: &UploadRecord,
        lease: &Lease,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "store how far the import has come";
        let changes = [self.put_record(WHAT, record)?, lease.still_held(WHAT)?];
        self.write(WHAT, changes).await
    }

    /// Ends an import with its record, has it told, and gives the connection back, if there is one to be given.
    /// `false`: somebody else has the lease, or has ended it.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn finish_import(
        &self,
        record: &UploadRecord,
        given_back: Option<&XeroConnection>,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "end the import";
        let portal = record.portal_id;
        let ended = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(Key::xero_import(portal).item()))
            .condition_expression("upload_id = :upload")
            .expression_attribute_values(":upload", AttributeValue::S(record.upload_id.to_string()))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let news = News::UploadFinished(Box::new(record.into()));
        let mut changes = vec![
            self.put_record(WHAT, record)?,
            TransactWriteItem::builder().delete(ended).build(),
            to_be_told(self, WHAT, news, 1, &stamp(now))?,
            lease.still_held(WHAT)?,
        ];
        if let Some(connection) = given_back {
            changes.extend(self.returning(WHAT, portal, connection, now)?);
        }
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(changes));
        match request.send().await {
            Ok(_) => Ok(true),
            // Ended by an attempt whose answer was lost, or not to be ended by us any more.
            Err(error) if condition_failed(&error) || in_conflict(&error) => {
                let found = self.upload(portal, record.upload_id).await?;
                Ok(found.is_some_and(|found| found == *record))
            }
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// The record as it is now, if it has not ended.
    fn put_record(
        &self,
        what: &'static str,
        record: &UploadRecord,
    ) -> Result<TransactWriteItem, CallFailed> {
        let key = Key::upload(record.portal_id, record.upload_id);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(what, &key, UploadItem::without_file(record))?))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(finished_at)")
            .build()
            .map_err(CallFailed::to(what))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}
