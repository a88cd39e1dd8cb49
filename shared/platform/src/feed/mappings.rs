//! `MAPPING` and `MAPPING#<version>`: the mapping that files are read with, and every one that was saved.
//! A version never changes, so a run that is taken up again reads its file as it did before.

use super::{Entry, FeedTable, Portal, item_of};
use crate::batch::read_batch;
use crate::failure::CallFailed;
use crate::keys::Key;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use mapping::identity::PortalId;
use mapping::mapping::{FieldDraft, MappingDraft};
use serde::{Deserialize, Serialize};

/// A mapping that was accepted once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMapping {
    /// 1 is the portal's first.
    pub version: u64,
    /// As it was sent.
    pub draft: MappingDraft,
    /// When it was saved.
    pub created_at: String,
}

#[derive(Serialize, Deserialize)]
struct MappingItem {
    version: u64,
    columns: Vec<String>,
    fields: Vec<FieldItem>,
    identity: String,
    auto_disable: bool,
    created_at: String,
}

#[derive(Serialize, Deserialize)]
struct FieldItem {
    field: String,
    column: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_empty: Option<String>,
}

impl From<&StoredMapping> for MappingItem {
    fn from(stored: &StoredMapping) -> Self {
        let MappingDraft {
            columns,
            fields,
            identity,
            auto_disable,
        } = stored.draft.clone();
        let fields = fields.into_iter().map(
            |FieldDraft {
                 field,
                 column,
                 on_empty,
             }| FieldItem {
                field,
                column,
                on_empty,
            },
        );
        MappingItem {
            version: stored.version,
            columns,
            fields: fields.collect(),
            identity,
            auto_disable,
            created_at: stored.created_at.clone(),
        }
    }
}

impl From<MappingItem> for StoredMapping {
    fn from(item: MappingItem) -> Self {
        let MappingItem {
            version,
            columns,
            fields,
            identity,
            auto_disable,
            created_at,
        } = item;
        let fields = fields.into_iter().map(
            |FieldItem {
                 field,
                 column,
                 on_empty,
             }| FieldDraft {
                field,
                column,
                on_empty,
            },
        );
        StoredMapping {
            version,
            draft: MappingDraft {
                columns,
                fields: fields.collect(),
                identity,
                auto_disable,
            },
            created_at,
        }
    }
}

impl FeedTable {
    /// The mapping that files are read with now.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn mapping(&self, portal: PortalId) -> Result<Option<StoredMapping>, CallFailed> {
        let item: Option<MappingItem> = self.get("read the mapping", Key::mapping(portal)).await?;
        Ok(item.map(StoredMapping::from))
    }

    /// A mapping as it was saved, also if another is used now.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn mapping_version(
        &self,
        portal: PortalId,
        version: u64,
    ) -> Result<Option<StoredMapping>, CallFailed> {
        let item: Option<MappingItem> = self
            .get("read the mapping", Key::mapping_version(portal, version))
            .await?;
        Ok(item.map(StoredMapping::from))
    }

    /// Saves `draft` as the next version and uses it from now on. `portal_item` is the portal as it was
    /// read when the draft was checked. `None`: settings or mapping were changed meanwhile.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn put_mapping(
        &self,
        portal: PortalId,
        portal_item: &Portal,
        draft: MappingDraft,
        created_at: String,
        entry: Entry,
    ) -> Result<Option<StoredMapping>, CallFailed> {
        const WHAT: &str = "store the mapping";
        let stored = StoredMapping {
            version: portal_item.last_mapping_version + 1,
            draft,
            created_at,
        };
        let counter = self
            .next_revision(portal, portal_item.revision)
            .update_expression(
                "SET last_mapping_version = :version, revision = :next REMOVE mapping_reset",
            )
            .expression_attribute_values(":version", AttributeValue::N(stored.version.to_string()))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let mut changes = vec![TransactWriteItem::builder().update(counter).build()];
        for key in [
            Key::mapping_version(portal, stored.version),
            Key::mapping(portal),
        ] {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item_of(WHAT, &key, MappingItem::from(&stored))?))
                .build()
                .map_err(CallFailed::to(WHAT))?;
            changes.push(TransactWriteItem::builder().put(put).build());
        }
        let written = self.write_with(WHAT, changes, entry).await?;
        Ok(written.then_some(stored))
    }

    /// Takes the mapping out of use; its versions stay, and their numbers go on. `portal_item` is the portal as it
    /// was read. `false`: settings or mapping were changed meanwhile.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn reset_mapping(
        &self,
        portal: PortalId,
        portal_item: &Portal,
        entry: Entry,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "reset the mapping";
        let reset = self
            .next_revision(portal, portal_item.revision)
            .update_expression("SET mapping_reset = :reset, revision = :next")
            .expression_attribute_values(":reset", AttributeValue::Bool(true))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let gone = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(Key::mapping(portal).item()))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let changes = [
            TransactWriteItem::builder().update(reset).build(),
            TransactWriteItem::builder().delete(gone).build(),
        ];
        self.write_with(WHAT, changes, entry).await
    }

    /// These versions of the mapping, newest first; at most 100. One that there is not is left out.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn mapping_versions(
        &self,
        portal: PortalId,
        versions: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<StoredMapping>, CallFailed> {
        const WHAT: &str = "read the mapping's versions";
        let keys = versions.into_iter();
        let keys = keys.map(|version| Key::mapping_version(portal, version).item());
        let read = read_batch(&self.client, &self.table, WHAT, keys.collect(), |all| all);
        let items: Vec<MappingItem> =
            serde_dynamo::from_items(read.await?).map_err(CallFailed::malformed(WHAT))?;
        let mut found: Vec<StoredMapping> = items.into_iter().map(StoredMapping::from).collect();
        found.sort_by_key(|stored| std::cmp::Reverse(stored.version));
        Ok(found)
    }
}
