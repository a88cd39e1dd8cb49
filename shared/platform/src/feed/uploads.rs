//! `UPLOAD#<ulid>` and `OBJECT#<hash>`: the upload record, and what makes an upload happen once. What a
//! run writes of it is in `run.rs`.

use super::holds::Decision;
use super::portals::THERE;
use super::queue::QueueItem;
use super::{Entry, FeedTable, condition_failed, item_of};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Key, UPLOAD_PREFIX};
use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem};
use jiff::Timestamp;
use mapping::identity::PortalId;
use mapping::order::{Sequencer, UploadOrder};
use mapping::plan::{Others, RowCounts};
use mapping::problem::{Problem, ProblemCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use ulid::Ulid;

/// One upload of a portal. Sorts by the time at which the file arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UploadId(Ulid);

impl UploadId {
    /// The upload of an object's version: the same again for an event that is delivered twice.
    pub fn of(object: &ObjectVersion, received_at: Timestamp) -> Self {
        Self::from_digest(object.digest(), received_at)
    }

    /// The upload that repeats this one: the same again for a request that is repeated by its sender's
    /// client within a millisecond.
    pub fn replay(self, now: Timestamp) -> Self {
        Self::from_digest(Sha256::digest(self.to_string()).into(), now)
    }

    /// What stands for a file of this portal that should have come by then: the same again for whoever looks at the
    /// same time.
    pub(super) fn of_absence(portal: PortalId, expected_by: Timestamp) -> Self {
        let nothing = Sha256::digest(format!("no file of {portal}"));
        Self::from_digest(nothing.into(), expected_by)
    }

    /// An import that this consent was given for; one at a time, so no two begin within a millisecond.
    fn of_import(portal: PortalId, consent: &str, now: Timestamp) -> Self {
        let import = Sha256::digest(format!("import of {portal} by {consent}"));
        Self::from_digest(import.into(), now)
    }

    fn from_digest(digest: [u8; 32], time: Timestamp) -> Self {
        let mut random = [0; 16];
        // 80 bits, as many as a ULID has beside its time.
        random[6..].copy_from_slice(&digest[..10]);
        let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or(0);
        UploadId(Ulid::from_parts(milliseconds, u128::from_be_bytes(random)))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UploadId {
    type Err = ulid::DecodeError;

    /// Only the form that we write: 26 characters in upper case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = UploadId(Ulid::from_string(text)?);
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(ulid::DecodeError::InvalidChar)
        }
    }
}

impl TryFrom<String> for UploadId {
    type Error = ulid::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UploadId> for String {
    fn from(id: UploadId) -> String {
        id.to_string()
    }
}

/// One version of an object in the feed bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Decoded.
    pub key: String,
    /// `None` only while it is not known which.
    pub version_id: Option<String>,
    /// Without its quotation marks.
    pub etag: String,
}

impl ObjectVersion {
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update((self.key.len() as u64).to_be_bytes());
        hash.update(&self.key);
        hash.update(self.version_id.as_ref().unwrap_or(&self.etag));
        hash.finalize().into()
    }

    pub(super) fn hash(&self) -> String {
        hexadecimal(&self.digest())
    }
}

/// A key of an object may be longer than what a sort key has room for.
pub(super) fn key_hash(key: &str) -> String {
    hexadecimal(&Sha256::digest(key))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What made an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadKind {
    /// A file in the feed bucket.
    Feed,
    /// An import from Xero.
    Xero,
}

/// How far an upload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadStatus {
    /// Claimed; nothing was read yet.
    Queued,
    /// The file is read and checked.
    Scanning,
    /// The file is joined with the portal's people.
    Planning,
    /// People are written, then the report.
    Applying,
    /// Every row came out.
    Completed,
    /// At least one row was not processed, or one warning given.
    CompletedWithProblems,
    /// Disables wait for a decision; everything else is done.
    Held,
    /// The file was refused as a whole.
    Rejected,
    /// Something on our side kept the file from being processed to its end.
    Failed,
}

impl UploadStatus {
    /// Whether nothing more happens to it, unless somebody decides it.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            UploadStatus::Completed
                | UploadStatus::CompletedWithProblems
                | UploadStatus::Held
                | UploadStatus::Rejected
                | UploadStatus::Failed
        )
    }

    /// Whether somebody has begun with it, and not come to an end.
    pub fn is_running(self) -> bool {
        !self.is_final() && self != UploadStatus::Queued
    }
}

/// Disables that wait for a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// How many.
    pub disables: u64,
    /// Creates that wait with them.
    pub creates: u64,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ProblemCode>,
    /// How that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// The upload record. One shape on purpose, stored and shown (`docs/architecture.md`, "The upload record"):
/// what the history shows is what was recorded.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// Which.
    pub upload_id: UploadId,
    /// Whose.
    pub portal_id: PortalId,
    /// What made it.
    pub kind: UploadKind,
    /// The object's key, decoded.
    pub key: String,
    /// The key's last part.
    pub file_name: String,
    /// Of the file.
    pub size_bytes: u64,
    /// When the file arrived.
    pub received_at: String,
    /// When it was first read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When nothing was left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// How far it has come.
    pub status: UploadStatus,
    /// 0 to 100.
    pub progress_percent: u8,
    /// The file's rows, partitioned.
    pub rows: RowCounts,
    /// People without a row.
    pub others: Others,
    /// Problems of that severity.
    pub warnings: u64,
    /// What waits for a decision.
    pub held: Held,
    /// The mapping that the file is read with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping_version: Option<u64>,
    /// Planned and reported; nothing is changed.
    pub rehearsal: bool,
    /// The first problems; the report has all.
    pub problems: Vec<Problem>,
    /// Whether there is a report to download.
    pub report_ready: bool,
}

impl UploadRecord {
    /// A file that has just been seen.
    pub fn new(
        portal_id: PortalId,
        object: &ObjectVersion,
        size_bytes: u64,
        rehearsal: bool,
        received_at: Timestamp,
    ) -> Self {
        UploadRecord {
            upload_id: UploadId::of(object, received_at),
            portal_id,
            kind: UploadKind::Feed,
            key: object.key.clone(),
            file_name: object.key.rsplit('/').next().unwrap_or_default().to_owned(),
            size_bytes,
            received_at: stamp(received_at),
            started_at: None,
            finished_at: None,
            status: UploadStatus::Queued,
            progress_percent: 0,
            rows: RowCounts::default(),
            others: Others::default(),
            warnings: 0,
            held: Held::default(),
            mapping_version: None,
            rehearsal,
            problems: Vec::new(),
            report_ready: false,
        }
    }
}

impl UploadRecord {
    /// An import from Xero that is asked for now.
    pub fn of_import(portal_id: PortalId, consent: &str, now: Timestamp) -> Self {
        let nothing = ObjectVersion {
            key: String::new(),
            version_id: None,
            etag: String::new(),
        };
        UploadRecord {
            upload_id: UploadId::of_import(portal_id, consent, now),
            kind: UploadKind::Xero,
            ..UploadRecord::new(portal_id, &nothing, 0, false, now)
        }
    }

    /// Whether there was a file; else the record stands for one that did not come, or for an import.
    pub fn has_file(&self) -> bool {
        !self.key.is_empty()
    }

    /// The run whose report is the upload's: the second, once it has ended what was approved.
    pub fn reported_by_run(&self) -> u32 {
        let done = matches!(
            self.status,
            UploadStatus::Completed | UploadStatus::CompletedWithProblems
        );
        match self.held.decision {
            Some(Decision::Approve) if done => 2,
            _ => 1,
        }
    }

    /// Where the file ends with these counts, once nothing is held.
    pub fn status_at_end(&self) -> UploadStatus {
        if self.rows.not_processed == 0 && self.warnings == 0 {
            UploadStatus::Completed
        } else {
            UploadStatus::CompletedWithProblems
        }
    }
}

/// A file that has arrived: the record of its upload, and what the history does not show.
#[derive(Clone)]
pub struct Arrived {
    /// As it begins.
    pub record: UploadRecord,
    /// Which bytes.
    pub object: ObjectVersion,
    /// Its place among the portal's files. A replay keeps that of its file: what would come too late comes
    /// too late again.
    pub order: UploadOrder,
}

impl Arrived {
    /// A file that has just been seen.
    pub fn new(record: UploadRecord, object: ObjectVersion, sequencer: Option<Sequencer>) -> Self {
        Arrived {
            order: UploadOrder {
                received_at: record.received_at.clone(),
                key: record.key.clone(),
                sequencer,
            },
            record,
            object,
        }
    }
}

/// The item: the record, which bytes it is about, and how far a run has come with it.
#[derive(Serialize, Deserialize)]
pub(super) struct UploadItem {
    #[serde(flatten)]
    pub(super) record: UploadRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version_id: Option<String>,
    pub(super) etag: String,
    /// Absent where the record was written before files had an order: then by its time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) order: Option<UploadOrder>,
    /// The token of the lease under which the item was written last.
    #[serde(default)]
    pub(super) fence: u64,
    /// How often the upload was taken up since it last came forward.
    #[serde(default)]
    pub(super) attempts: u32,
    /// The token under which the plan that counts is kept; absent: there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plan_by: Option<u64>,
    /// How many of the plan's steps are done, from the first on.
    #[serde(default)]
    pub(super) applied: u64,
    /// The token under which the exceptions of those steps are kept; absent: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exceptions_by: Option<u64>,
    /// 2 once a hold is approved; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run_number: Option<u32>,
    /// Of the first run, once there is a second: as `plan_by`, `applied`, `exceptions_by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_plan_by: Option<u64>,
    #[serde(default)]
    pub(super) first_applied: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_exceptions_by: Option<u64>,
}

impl UploadItem {
    /// Of a file that did not come, or of an import: nothing is ever read again.
    pub(super) fn without_file(record: &UploadRecord) -> Self {
        let object = ObjectVersion {
            key: String::new(),
            version_id: None,
            etag: String::new(),
        };
        let arrived = Arrived::new(record.clone(), object, None);
        UploadItem {
            order: None,
            ..UploadItem::from(&arrived)
        }
    }
}

impl From<&Arrived> for UploadItem {
    fn from(arrived: &Arrived) -> Self {
        UploadItem {
            record: arrived.record.clone(),
            version_id: arrived.object.version_id.clone(),
            etag: arrived.object.etag.clone(),
            order: Some(arrived.order.clone()),
            fence: 0,
            attempts: 0,
            plan_by: None,
            applied: 0,
            exceptions_by: None,
            run_number: None,
            first_plan_by: None,
            first_applied: 0,
            first_exceptions_by: None,
        }
    }
}

impl From<UploadItem> for Arrived {
    fn from(item: UploadItem) -> Self {
        let object = ObjectVersion {
            key: item.record.key.clone(),
            version_id: item.version_id,
            etag: item.etag,
        };
        let arrived = Arrived::new(item.record, object, None);
        match item.order {
            Some(order) => Arrived { order, ..arrived },
            None => arrived,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ObjectItem {
    pub(super) upload_id: UploadId,
}

/// What became of a claim.
pub enum Claim {
    /// It is new, and in the queue.
    New,
    /// There is no such portal, or it is being given up.
    NoPortal,
    /// The object's version was claimed before, by this upload.
    Known(Box<UploadRecord>),
}

/// So many rehearsals in a row are nobody's nightly feed.
const LOOKED_AT: usize = 100;

/// Where a page of the history ends. Opaque to callers; it is the last upload's id.
pub type Cursor = UploadId;

impl FeedTable {
    /// Claims an object's version: unless that was done before, writes the upload and puts it into the
    /// portal's queue. An upload that was claimed before and has not ended is put there again: that costs
    /// nothing, and no upload is ever outside of the queue.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn claim(&self, arrived: &Arrived, now: Timestamp) -> Result<Claim, CallFailed> {
        const WHAT: &str = "claim the upload";
        let portal = arrived.record.portal_id;
        let object_key = Key::object(portal, &arrived.object.hash());
        let claimed = ObjectItem {
            upload_id: arrived.record.upload_id,
        };
        let once = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &object_key, &claimed)?))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let once = TransactWriteItem::builder().put(once).build();
        if self.put_upload(WHAT, arrived, once, now).await? {
            return Ok(Claim::New);
        }
        let there = self.portal(portal).await?;
        if there.is_none_or(|there| there.off_boarding_since.is_some()) {
            return Ok(Claim::NoPortal);
        }
        let claimed: Option<ObjectItem> = self.get(WHAT, object_key).await?;
        let known = match claimed {
            Some(claimed) => self.upload_item(portal, claimed.upload_id).await?,
            None => None,
        };
        let Some(known) = known.map(Arrived::from) else {
            return Err(CallFailed::new(
                WHAT,
                "the object is claimed and its upload is gone",
            ));
        };
        if !known.record.status.is_final() {
            self.put_in_queue(&known, now).await?;
        }
        Ok(Claim::Known(Box::new(known.record)))
    }

    /// Writes a new upload and puts it into the portal's queue. `false`: the upload, or the item beside it,
    /// is there already.
    pub(super) async fn put_upload(
        &self,
        what: &'static str,
        arrived: &Arrived,
        beside: TransactWriteItem,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        let (portal, record) = (arrived.record.portal_id, &arrived.record);
        let new = "attribute_not_exists(pk)";
        let upload = item_of(
            what,
            &Key::upload(portal, record.upload_id),
            UploadItem::from(arrived),
        )?;
        let (key, entry) = QueueItem::of(arrived, now);
        let entry = item_of(what, &key, entry)?;
        let mut request = self.client.transact_write_items().transact_items(beside);
        for (item, condition) in [(upload, Some(new)), (entry, None)] {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .set_condition_expression(condition.map(str::to_owned))
                .build()
                .map_err(CallFailed::to(what))?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        // Nothing of a portal is left behind that comes while it is given up, or after.
        let there = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(Key::portal(portal).item()))
            .condition_expression(THERE)
            .build()
            .map_err(CallFailed::to(what))?;
        request =
            request.transact_items(TransactWriteItem::builder().condition_check(there).build());
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if condition_failed(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk(what)(error)),
        }
    }

    /// Puts the same object version into the queue once more, as a new upload that arrives now; it is
    /// [`UploadId::replay`] of that one. `None`: that was done this very millisecond.
    ///
    /// # Errors
    ///
    /// The table could not be written or read; or the upload is gone.
    pub async fn replay(
        &self,
        upload: &UploadRecord,
        now: Timestamp,
        Entry(entry): Entry,
    ) -> Result<Option<UploadRecord>, CallFailed> {
        const WHAT: &str = "replay the upload";
        let Some(item) = self.upload_item(upload.portal_id, upload.upload_id).await? else {
            return Err(CallFailed::new(WHAT, "the upload is gone"));
        };
        let mut again = Arrived::from(item);
        again.record = UploadRecord {
            upload_id: upload.upload_id.replay(now),
            ..UploadRecord::new(
                upload.portal_id,
                &again.object,
                upload.size_bytes,
                upload.rehearsal,
                now,
            )
        };
        let written = self.put_upload(WHAT, &again, entry, now).await?;
        Ok(written.then_some(again.record))
    }

    pub(super) async fn upload_item(
        &self,
        portal: PortalId,
        id: UploadId,
    ) -> Result<Option<UploadItem>, CallFailed> {
        self.get("read the upload", Key::upload(portal, id)).await
    }

    /// One upload.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn upload(
        &self,
        portal: PortalId,
        id: UploadId,
    ) -> Result<Option<UploadRecord>, CallFailed> {
        Ok(self.upload_item(portal, id).await?.map(|item| item.record))
    }

    /// The newest upload that is no rehearsal, of the last hundred at most.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn last_file(&self, portal: PortalId) -> Result<Option<UploadRecord>, CallFailed> {
        let (mut after, mut looked_at) = (None, 0);
        while looked_at < LOOKED_AT {
            // Most often the first one it is.
            let (records, next) = self.uploads(portal, 5, after).await?;
            looked_at += records.len();
            let is_file = |record: &UploadRecord| record.has_file() && !record.rehearsal;
            let file = records.into_iter().find(is_file);
            if file.is_some() || next.is_none() {
                return Ok(file);
            }
            after = next;
        }
        Ok(None)
    }

    /// The newest uploads before `cursor`, at most `limit`, and where the next page begins.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn uploads(
        &self,
        portal: PortalId,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<(Vec<UploadRecord>, Option<Cursor>), CallFailed> {
        const WHAT: &str = "list the uploads";
        let answer = self
            .items_of(portal, UPLOAD_PREFIX)
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .set_exclusive_start_key(cursor.map(|last| Key::upload(portal, last).item()))
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let more = answer.last_evaluated_key.is_some();
        let items: Vec<UploadItem> = serde_dynamo::from_items(answer.items.unwrap_or_default())
            .map_err(CallFailed::malformed(WHAT))?;
        let records: Vec<UploadRecord> = items.into_iter().map(|item| item.record).collect();
        let next = if more {
            records.last().map(|record| record.upload_id)
        } else {
            None
        };
        Ok((records, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, version: Option<&str>) -> ObjectVersion {
        ObjectVersion {
            key: key.to_owned(),
            version_id: version.map(str::to_owned),
            etag: "e".to_owned(),
        }
    }

    #[test]
    fn an_upload_id_follows_from_the_object_and_sorts_by_time() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let (early, late) = (
            time("2026-11-22T10:00:00.001Z"),
            time("2026-11-22T10:00:00.002Z"),
        );
        let id = UploadId::of(&object("1/a.csv", Some("v1")), early);
        assert_eq!(id, UploadId::of(&object("1/a.csv", Some("v1")), early));
        assert_ne!(id, UploadId::of(&object("1/a.csv", Some("v2")), early));
        assert_ne!(id, UploadId::of(&object("1/b.csv", Some("v1")), early));
        assert!(id.to_string() < UploadId::of(&object("1/a.csv", Some("v1")), late).to_string());
        assert_eq!(id.to_string().parse::<UploadId>(), Ok(id));
    }

    #[test]
    fn only_ulids_as_we_write_them_are_upload_ids() {
        let id = UploadId::of(&object("1/a.csv", None), Timestamp::UNIX_EPOCH).to_string();
        for bad in ["", "x", &id.to_lowercase(), &id[1..], "UPLOAD#1"] {
            assert!(bad.parse::<UploadId>().is_err() || bad == id, "{bad}");
        }
    }

    #[test]
    fn parts_of_key_and_version_do_not_run_together() {
        assert_ne!(
            object("1/a", Some("bc")).hash(),
            object("1/ab", Some("c")).hash()
        );
    }
}
