//! `UPLOAD#<ulid>` and `OBJECT#<hash>`: the upload record, and what makes an upload happen once.

use super::{FeedTable, condition_failed, item_of, update_refused};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Item, Key, PK, SK, UPLOAD_PREFIX};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::Timestamp;
use mapping::identity::PortalId;
use mapping::plan::RowCounts;
use mapping::problem::Problem;
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
        let mut random = [0; 16];
        // 80 bits, as many as a ULID has beside its time.
        random[6..].copy_from_slice(&object.digest()[..10]);
        let milliseconds = u64::try_from(received_at.as_millisecond()).unwrap_or(0);
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

    fn hash(&self) -> String {
        self.digest()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// What made an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadKind {
    /// A file in the feed bucket.
    Feed,
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
    /// The file was refused as a whole.
    Rejected,
}

impl UploadStatus {
    /// Whether nothing more happens to it.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            UploadStatus::Completed | UploadStatus::CompletedWithProblems | UploadStatus::Rejected
        )
    }
}

/// People without a row of their own whom a file changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// Missing from the file.
    pub disabled: u64,
    /// Managers who were given the role.
    pub updated: u64,
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
    pub reason: Option<String>,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
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

/// The item: the record, and which bytes it is about.
#[derive(Serialize, Deserialize)]
struct UploadItem {
    #[serde(flatten)]
    record: UploadRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    etag: String,
}

#[derive(Serialize, Deserialize)]
struct ObjectItem {
    upload_id: UploadId,
}

/// What became of a claim.
pub enum Claim {
    /// It is new, and ours.
    New(UploadRecord),
    /// The object's version was claimed before.
    Known(UploadRecord),
}

/// Where a page of the history ends. Opaque to callers; it is the last upload's id.
pub type Cursor = UploadId;

impl FeedTable {
    /// Claims an object's version: writes `record` unless the version was claimed before.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn claim(
        &self,
        record: UploadRecord,
        object: &ObjectVersion,
    ) -> Result<Claim, CallFailed> {
        const WHAT: &str = "claim the upload";
        let portal = record.portal_id;
        let object_key = Key::object(portal, &object.hash());
        let upload = UploadItem {
            record,
            version_id: object.version_id.clone(),
            etag: object.etag.clone(),
        };
        let items = [
            item_of(
                WHAT,
                &object_key,
                ObjectItem {
                    upload_id: upload.record.upload_id,
                },
            )?,
            item_of(WHAT, &Key::upload(portal, upload.record.upload_id), &upload)?,
        ];
        let mut request = self.client.transact_write_items();
        for item in items {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build()
                .map_err(CallFailed::to(WHAT))?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match request.send().await {
            Ok(_) => return Ok(Claim::New(upload.record)),
            Err(error) if condition_failed(&error) => {}
            Err(error) => return Err(CallFailed::sdk(WHAT)(error)),
        }
        // Cancelled because it exists, or because another delivery is claiming it right now; in that case
        // there is nothing to read yet, and the event is repeated.
        let Some(claimed) = self.get::<ObjectItem>(WHAT, object_key).await? else {
            return Err(CallFailed::new(
                WHAT,
                "another delivery is claiming the same object",
            ));
        };
        match self.upload(portal, claimed.upload_id).await? {
            Some(known) => Ok(Claim::Known(known)),
            None => Err(CallFailed::new(
                WHAT,
                "the object is claimed and its upload is gone",
            )),
        }
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
        let item: Option<UploadItem> = self.get("read the upload", Key::upload(portal, id)).await?;
        Ok(item.map(|item| item.record))
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
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(portal.to_string()))
            .expression_attribute_values(":prefix", AttributeValue::S(UPLOAD_PREFIX.to_owned()))
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

    /// Stores how far the upload has come: every attribute of the record, and none besides. `false`: the
    /// upload has ended already, by another delivery of its event, or was erased; what ended stays so.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn put_progress(&self, record: &UploadRecord) -> Result<bool, CallFailed> {
        const WHAT: &str = "store the progress";
        let attributes: Item =
            serde_dynamo::to_item(record).map_err(CallFailed::malformed(WHAT))?;
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::upload(record.portal_id, record.upload_id).item()))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(finished_at)");
        let mut sets = Vec::new();
        for (nth, (name, value)) in attributes.into_iter().enumerate() {
            sets.push(format!("#a{nth} = :a{nth}"));
            request = request
                .expression_attribute_names(format!("#a{nth}"), name)
                .expression_attribute_values(format!(":a{nth}"), value);
        }
        match request
            .update_expression(format!("SET {}", sets.join(", ")))
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if update_refused(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
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
