//! `AUDIT#<ulid>`: who did what to a portal, and when. An entry is written in one transaction with what it is about:
//! there is no change without its entry, and no entry of a change that was refused. Entries are never changed, and
//! stay when everything else of a portal goes. Of people they name only who acted, and others by their ids.

use super::{FeedTable, UploadId, item_of};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{AUDIT_PREFIX, Key};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use jiff::Timestamp;
use mapping::identity::{PortalId, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use ulid::Ulid;

/// Sorts by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuditId(Ulid);

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AuditId {
    type Err = ulid::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ulid::from_string(text).map(AuditId)
    }
}

impl TryFrom<String> for AuditId {
    type Error = ulid::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AuditId> for String {
    fn from(id: AuditId) -> String {
        id.to_string()
    }
}

/// As whom somebody acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActingAs {
    /// The portal's own.
    Administrator,
    /// Go1 staff.
    Operator,
}

/// What was done. What is not named here was only looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// The portal came into being.
    PortalSetUp,
    /// Its name, fields or groups were changed.
    PortalChanged,
    /// The feed may change the portal's people.
    FeedAuthorised,
    /// It may not any more.
    AuthorisationWithdrawn,
    /// Files are read with this mapping from now on.
    MappingSaved {
        /// Its number.
        mapping_version: u64,
    },
    /// Files are read with none.
    MappingReset,
    /// The feed's limits were changed.
    SettingsChanged,
    /// A key pair was issued, and those before it are gone.
    KeyPairIssued {
        /// The new one's public half.
        access_key_id: String,
    },
    /// Somebody has got a link to put a file to.
    UploadLinkGiven {
        /// What the file is to be called.
        file_name: String,
        /// Whether it is a rehearsal.
        rehearsal: bool,
    },
    /// A file was put into the queue once more.
    UploadReplayed {
        /// The new upload.
        upload_id: UploadId,
        /// The one that it repeats.
        replay_of: UploadId,
    },
    /// What was held is done.
    HoldApproved {
        /// Of this file.
        upload_id: UploadId,
    },
    /// What was held is not done.
    HoldRejected {
        /// Of this file.
        upload_id: UploadId,
    },
    /// Somebody was given an account by which to act for the portal, or invited to theirs again.
    AdministratorMade {
        /// The user pool's name for it.
        account_id: String,
    },
    /// The portal came into being by somebody who signed in with Xero.
    PortalSignedUp,
    /// The portal was connected with Xero.
    XeroConnected,
    /// The organisation was chosen that people are imported from.
    XeroOrganisationChosen {
        /// By which Xero knows it.
        tenant_id: String,
    },
    /// An import was asked for.
    XeroImportBegun {
        /// Its record.
        upload_id: UploadId,
    },
    /// The connection was given back, not by an import's end.
    XeroDisconnected,
    /// The portal is given up: everything but this trail goes.
    OffBoardingBegun,
    /// A user was erased.
    UserErased {
        /// Whom.
        user_id: UserId,
    },
    /// A user was changed in the portal.
    UserChanged {
        /// Whom.
        user_id: UserId,
        /// What of them, by name; the values are the user's.
        fields: Vec<String>,
    },
}

/// Something that somebody does to a portal.
#[derive(Clone, PartialEq, Eq)]
pub struct Deed {
    /// The e-mail address of the token.
    pub by: String,
    /// As whom.
    pub acting_as: ActingAs,
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
}

impl Deed {
    /// The same again for a request that is repeated within a millisecond.
    fn id(&self) -> AuditId {
        let mut hash = Sha256::new();
        hash.update(&self.by);
        hash.update([0]);
        // Its names and numbers, which differ where two deeds differ.
        hash.update(format!("{:?}", self.action));
        let digest = hash.finalize();
        let mut random = [0; 16];
        // 80 bits, as many as a ULID has beside its time.
        random[6..].copy_from_slice(&digest[..10]);
        let milliseconds = u64::try_from(self.at.as_millisecond()).unwrap_or(0);
        AuditId(Ulid::from_parts(milliseconds, u128::from_be_bytes(random)))
    }
}

/// An entry of the audit trail, stored and shown in one shape (`docs/architecture.md`, "The audit trail").
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Which.
    pub audit_id: AuditId,
    /// When.
    pub at: String,
    /// The e-mail address of who acted.
    pub by: String,
    /// As whom.
    pub acting_as: ActingAs,
    /// What was done.
    #[serde(flatten)]
    pub action: Action,
}

/// An entry that is written together with what it is about.
pub struct Entry(pub(crate) TransactWriteItem);

impl FeedTable {
    /// The entry that a change of this portal carries.
    ///
    /// # Errors
    ///
    /// It has no form that can be stored.
    pub fn entry(&self, portal: PortalId, deed: Deed) -> Result<Entry, CallFailed> {
        const WHAT: &str = "write the audit entry";
        let audit_id = deed.id();
        let entry = AuditEntry {
            audit_id,
            at: stamp(deed.at),
            by: deed.by,
            acting_as: deed.acting_as,
            action: deed.action,
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &Key::audit(portal, audit_id), entry)?))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        Ok(Entry(TransactWriteItem::builder().put(put).build()))
    }

    /// Writes an entry that no change goes with.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn record(&self, entry: Entry) -> Result<(), CallFailed> {
        self.write_with("write the audit entry", [], entry).await?;
        Ok(())
    }

    /// A change and its entry, or neither.
    pub(super) async fn write_with(
        &self,
        what: &'static str,
        changes: impl IntoIterator<Item = TransactWriteItem>,
        Entry(entry): Entry,
    ) -> Result<bool, CallFailed> {
        self.write(what, changes.into_iter().chain([entry])).await
    }

    /// A page of the trail, newest first, and where the next one begins.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn audit(
        &self,
        portal: PortalId,
        limit: u8,
        cursor: Option<AuditId>,
    ) -> Result<(Vec<AuditEntry>, Option<AuditId>), CallFailed> {
        const WHAT: &str = "read the audit trail";
        let answer = self
            .items_of(portal, AUDIT_PREFIX)
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .set_exclusive_start_key(cursor.map(|last| Key::audit(portal, last).item()))
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let more = answer.last_evaluated_key.is_some();
        let entries: Vec<AuditEntry> = serde_dynamo::from_items(answer.items.unwrap_or_default())
            .map_err(CallFailed::malformed(WHAT))?;
        let next = entries.last().filter(|_| more).map(|entry| entry.audit_id);
        Ok((entries, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(by: &str, second: i64, action: Action) -> Deed {
        Deed {
            by: by.to_owned(),
            acting_as: ActingAs::Administrator,
            at: Timestamp::from_second(second).unwrap(),
            action,
        }
    }

    #[test]
    fn entries_sort_by_time_and_differ_where_deeds_do() {
        let saved = |mapping_version| Action::MappingSaved { mapping_version };
        let id = deed("ann@x.example", 7, saved(1)).id();
        assert_eq!(id, deed("ann@x.example", 7, saved(1)).id());
        for other in [
            deed("bo@x.example", 7, saved(1)),
            deed("ann@x.example", 7, saved(2)),
            deed("ann@x.example", 7, Action::MappingReset),
        ] {
            assert_ne!(id, other.id());
        }
        let later = deed("ann@x.example", 8, saved(1)).id();
        assert!(id.to_string() < later.to_string());
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn an_entry_is_stored_as_it_is_shown() {
        let entry = AuditEntry {
            audit_id: "01KAPTA7HZ0000000000000000".parse().unwrap(),
            at: "2026-11-22T10:00:00.000Z".to_owned(),
            by: "ann@x.example".to_owned(),
            acting_as: ActingAs::Operator,
            action: Action::MappingSaved { mapping_version: 3 },
        };
        let shown = serde_json::json!({
            "audit_id": "01KAPTA7HZ0000000000000000", "at": "2026-11-22T10:00:00.000Z",
            "by": "ann@x.example", "acting_as": "operator", "action": "mapping_saved",
            "mapping_version": 3,
        });
        assert_eq!(serde_json::to_value(&entry).unwrap(), shown);
        let key = Key::audit("7".parse().unwrap(), entry.audit_id);
        let item = item_of("store", &key, &entry).unwrap();
        let read: AuditEntry = serde_dynamo::from_item(item).unwrap();
        assert!(read == entry);
    }
}
