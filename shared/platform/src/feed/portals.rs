//! `PORTAL`: a portal as an operator set it up, and whether its feed is authorised.

use super::settings::{FeedSettings, NotifyEmails};
use super::{Entry, FeedTable, OpenHold, item_of};
use crate::failure::CallFailed;
use crate::keys::{Item, Key, PK, PORTALS, SK};
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use mapping::fields::{CustomFieldName, FieldCatalogue};
use mapping::group::Groups;
use mapping::identity::PortalId;
use mapping::order::UploadOrder;
use mapping::plan::Limits;
use serde::{Deserialize, Serialize};

/// A portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portal {
    /// What an operator set up.
    pub settings: PortalSettings,
    /// `None`: not authorised, or withdrawn.
    pub authorisation: Option<Authorisation>,
    /// The number of the last mapping that was saved, also if it was reset since; 0: none ever.
    pub last_mapping_version: u64,
    /// Whether that one was reset, so that files are read with none.
    pub mapping_reset: bool,
    /// Goes up with every change of settings or mapping, which must fit each other: who changes one says
    /// which state it was checked against.
    pub revision: u64,
    /// The place of the newest file that was planned, rehearsals aside.
    pub newest_planned: Option<UploadOrder>,
    /// What its administrators set: when disables are held, whether files are missed, who is told.
    pub feed_settings: FeedSettings,
    /// How many rows the last file had that ended without a hold, or whose hold was approved.
    pub baseline_rows: Option<u64>,
    /// When a file, or what was held of one and approved, was last applied to its end, rehearsals aside.
    pub last_applied: Option<String>,
    /// What waits for a decision.
    pub hold: Option<OpenHold>,
    /// Since when the portal is being given up; whoever asks for anything else of it is refused.
    pub off_boarding_since: Option<String>,
}

impl Portal {
    /// The number of the mapping that files are read with now; `None`: there is none.
    pub fn mapping_version(&self) -> Option<u64> {
        let ever = self.last_mapping_version > 0;
        (ever && !self.mapping_reset).then_some(self.last_mapping_version)
    }

    /// How many hours may pass without a file; `None`: any number, also because none would be accepted.
    pub fn expects_file_every_hours(&self) -> Option<u16> {
        let accepts = self.authorisation.is_some() && self.mapping_version().is_some();
        self.feed_settings
            .expect_file_every_hours
            .filter(|_| accepts)
    }
}

/// What an operator sets up for a portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalSettings {
    /// The company's name.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Whether people may be identified by an external id.
    #[serde(default)]
    pub external_id_enabled: bool,
    /// The portal's own fields.
    #[serde(default)]
    pub custom_fields: Vec<NamedField>,
    /// The groups that people can be added to.
    #[serde(default)]
    pub groups: Vec<Group>,
}

impl PortalSettings {
    /// The fields that the portal can map.
    pub fn catalogue(&self) -> FieldCatalogue {
        FieldCatalogue {
            external_id: self.external_id_enabled,
            custom: self
                .custom_fields
                .iter()
                .map(|field| field.name.clone())
                .collect(),
            groups: Groups::new(
                self.groups
                    .iter()
                    .map(|group| mapping::group::Group {
                        id: group.id,
                        learning_ids: group.learning_ids.clone(),
                    })
                    .collect(),
            ),
        }
    }
}

/// A custom field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedField {
    /// As mappings and items spell it.
    pub name: CustomFieldName,
    /// As people read it.
    pub label: String,
}

/// A group, and the learning that its members are assigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group's number.
    pub id: u64,
    /// As people read it.
    pub name: String,
    /// What a member is assigned.
    #[serde(default)]
    pub learning_ids: Vec<u64>,
}

/// Who authorised the feed.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorisation {
    /// The e-mail address of the token.
    pub by: String,
    /// When.
    pub at: String,
}

impl std::fmt::Debug for Authorisation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorisation")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// The item. Settings, authorisation and mapping number are changed by different people, each by an
/// update of its own attributes.
#[derive(Serialize, Deserialize)]
struct PortalItem {
    #[serde(flatten)]
    settings: PortalSettings,
    authorised_by: Option<String>,
    authorised_at: Option<String>,
    #[serde(default)]
    last_mapping_version: u64,
    /// Absent while the last mapping is in use.
    #[serde(default)]
    mapping_reset: bool,
    revision: u64,
    #[serde(default)]
    newest_planned: Option<UploadOrder>,
    /// Absent until somebody changes them.
    #[serde(default)]
    limits: Option<Limits>,
    #[serde(default)]
    expect_file_every_hours: Option<u16>,
    #[serde(default)]
    notify_emails: NotifyEmails,
    #[serde(default)]
    baseline_rows: Option<u64>,
    #[serde(default)]
    last_applied: Option<String>,
    #[serde(default)]
    hold: Option<OpenHold>,
    #[serde(default)]
    off_boarding_since: Option<String>,
}

/// The line in the list of portals; the portal's own item has the rest.
#[derive(Serialize)]
struct ListedPortal<'p> {
    portal_id: PortalId,
    name: &'p str,
}

impl From<PortalItem> for Portal {
    fn from(item: PortalItem) -> Self {
        Portal {
            settings: item.settings,
            authorisation: item
                .authorised_by
                .zip(item.authorised_at)
                .map(|(by, at)| Authorisation { by, at }),
            last_mapping_version: item.last_mapping_version,
            mapping_reset: item.mapping_reset,
            revision: item.revision,
            newest_planned: item.newest_planned,
            feed_settings: FeedSettings {
                limits: item.limits.unwrap_or_default(),
                expect_file_every_hours: item.expect_file_every_hours,
                notify_emails: item.notify_emails,
            },
            baseline_rows: item.baseline_rows,
            last_applied: item.last_applied,
            hold: item.hold,
            off_boarding_since: item.off_boarding_since,
        }
    }
}

/// There is a portal, and it is not being given up.
pub(super) const THERE: &str = "attribute_exists(pk) AND attribute_not_exists(off_boarding_since)";

impl FeedTable {
    /// The portal, if an operator set it up.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn portal(&self, portal: PortalId) -> Result<Option<Portal>, CallFailed> {
        let item: Option<PortalItem> = self.get("read the portal", Key::portal(portal)).await?;
        Ok(item.map(Portal::from))
    }

    /// Up to `limit` portals after this one, in the order of their spelling, and where the next page begins.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn portal_ids(
        &self,
        limit: u8,
        after: Option<PortalId>,
    ) -> Result<(Vec<PortalId>, Option<PortalId>), CallFailed> {
        const WHAT: &str = "list the portals";
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .projection_expression("#sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(PORTALS.to_owned()))
            .consistent_read(true)
            .limit(i32::from(limit))
            .set_exclusive_start_key(after.map(|after| Key::portal_in_list(after).item()))
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let more = answer.last_evaluated_key.is_some();
        let id = |item: &Item| item.get(SK)?.as_s().ok()?.parse().ok();
        let ids: Option<Vec<PortalId>> = answer.items().iter().map(id).collect();
        let ids = ids.ok_or_else(|| CallFailed::malformed(WHAT)(()))?;
        let next = ids.last().copied().filter(|_| more);
        Ok((ids, next))
    }

    /// Sets a portal up (`before` is `None`), or changes what was set up; authorisation and mapping stay as
    /// they are. `false`: it is not as it was in `before` any more.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn put_portal(
        &self,
        portal: PortalId,
        before: Option<&Portal>,
        settings: &PortalSettings,
        entry: Entry,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "store the portal";
        let attributes: Item =
            serde_dynamo::to_item(settings).map_err(CallFailed::malformed(WHAT))?;
        let mut update = self.next_revision(portal, before.map_or(0, |before| before.revision));
        let mut sets = vec!["revision = :next".to_owned()];
        for (nth, (name, value)) in attributes.into_iter().enumerate() {
            sets.push(format!("#a{nth} = :a{nth}"));
            update = update
                .expression_attribute_names(format!("#a{nth}"), name)
                .expression_attribute_values(format!(":a{nth}"), value);
        }
        let update = update.update_expression(format!("SET {}", sets.join(", ")));
        let key = Key::portal_in_list(portal);
        let listed = item_of(
            WHAT,
            &key,
            ListedPortal {
                portal_id: portal,
                name: &settings.name,
            },
        )?;
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(listed));
        let update = update.build().map_err(CallFailed::to(WHAT))?;
        let put = put.build().map_err(CallFailed::to(WHAT))?;
        let changes = [
            TransactWriteItem::builder().update(update).build(),
            TransactWriteItem::builder().put(put).build(),
        ];
        self.write_with(WHAT, changes, entry).await
    }

    /// An update of the portal's item that holds only if nobody changed settings or mapping since
    /// `revision` was read (0: there was no portal). It sets `:next`.
    pub(super) fn next_revision(&self, portal: PortalId, revision: u64) -> UpdateBuilder {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::portal(portal).item()))
            .expression_attribute_values(":next", AttributeValue::N((revision + 1).to_string()));
        if revision == 0 {
            return update.condition_expression("attribute_not_exists(pk)");
        }
        update
            .condition_expression("revision = :revision")
            .expression_attribute_values(":revision", AttributeValue::N(revision.to_string()))
    }

    /// Authorises the feed (`Some`) or withdraws that (`None`). `false`: there is no such portal, or it is being
    /// changed at this moment.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn authorise(
        &self,
        portal: PortalId,
        authorisation: Option<&Authorisation>,
        entry: Entry,
    ) -> Result<bool, CallFailed> {
        let update = self.update_of(portal);
        let update = match authorisation {
            Some(authorisation) => update
                .update_expression("SET authorised_by = :by, authorised_at = :at")
                .expression_attribute_values(":by", AttributeValue::S(authorisation.by.clone()))
                .expression_attribute_values(":at", AttributeValue::S(authorisation.at.clone())),
            None => update.update_expression("REMOVE authorised_by, authorised_at"),
        };
        self.update_with("store the authorisation", update, entry)
            .await
    }

    /// An update of a portal that there is.
    pub(super) fn update_of(&self, portal: PortalId) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::portal(portal).item()))
            .condition_expression(THERE)
    }

    pub(super) async fn update_with(
        &self,
        what: &'static str,
        update: UpdateBuilder,
        entry: Entry,
    ) -> Result<bool, CallFailed> {
        let update = update.build().map_err(CallFailed::to(what))?;
        let change = TransactWriteItem::builder().update(update).build();
        self.write_with(what, [change], entry).await
    }
}
