//! What waits for somebody's decision: a portal has one open hold at most, its newest. It stands in `PORTAL`, and
//! the upload has the status `held`; both change together (`docs/rules.md`, "Holds").

use super::notices::to_be_told;
use super::queue::QueueItem;
use super::uploads::{Arrived, UploadId, UploadRecord, UploadStatus};
use super::{Entry, FeedTable, News, Portal, item_of};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Key, WORK_DUE_AT, WORK_SHARD};
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use jiff::Timestamp;
use mapping::identity::PortalId;
use mapping::order::UploadOrder;
use serde::{Deserialize, Serialize};

/// A hold that nobody has decided and nothing has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHold {
    /// Whose disables wait.
    pub upload_id: UploadId,
    /// The file's place among those of the portal.
    pub order: UploadOrder,
    /// The mapping that it was read with.
    pub mapping_version: u64,
    /// When its run began.
    pub since: String,
    /// When the file itself goes.
    pub expires_at: String,
}

impl OpenHold {
    /// Whether something has happened that ends it, or makes an approved one stay undone.
    pub fn is_superseded(&self, portal: &Portal, now: Timestamp) -> bool {
        // Whoever withdrew the authorisation meant this file too, also if somebody has given it again.
        let authorised = portal
            .authorisation
            .as_ref()
            .is_some_and(|it| it.at <= self.since);
        !authorised
            || portal.mapping_version() != Some(self.mapping_version)
            || portal
                .newest_planned
                .as_ref()
                .is_some_and(|newest| *newest > self.order)
            || self.expires_at <= stamp(now)
    }
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// What was held is done.
    Approve,
    /// It is not.
    Reject,
    /// Nobody decided, and it is too late.
    Superseded,
}

/// What every decision sets.
const DECIDED: &str = "SET #status = :status, held = :decided";

fn attribute(what: &'static str, value: impl Serialize) -> Result<AttributeValue, CallFailed> {
    serde_dynamo::to_attribute_value(value).map_err(CallFailed::malformed(what))
}

impl FeedTable {
    /// Ends a hold without doing anything of it, which is to be told; who decided that stands in the entry. `false`: it
    /// was not open any more.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn end_hold(
        &self,
        portal: PortalId,
        upload_id: UploadId,
        decision: Decision,
        now: Timestamp,
        entry: Option<Entry>,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "end the hold";
        let Some(item) = self.upload_item(portal, upload_id).await? else {
            return Ok(false);
        };
        let mut record = item.record;
        record.held.decision = Some(decision);
        record.status = record.status_at_end();
        let upload = self
            .decided(WHAT, &record)?
            .update_expression(format!("{DECIDED} REMOVE {WORK_SHARD}, {WORK_DUE_AT}"));
        let news = News::UploadFinished(Box::new((&record).into()));
        let notice = to_be_told(self, WHAT, news, 2, &stamp(now))?;
        let beside = [notice].into_iter().chain(entry.map(|Entry(entry)| entry));
        self.write_decision(WHAT, portal, upload_id, upload, beside)
            .await
    }

    /// Approves a hold: the upload waits for a run of its own. `false`: it is not open any more.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn approve_hold(
        &self,
        portal: PortalId,
        upload_id: UploadId,
        now: Timestamp,
        Entry(audited): Entry,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "approve the hold";
        let Some(item) = self.upload_item(portal, upload_id).await? else {
            return Ok(false);
        };
        let number = |number: u64| AttributeValue::N(number.to_string());
        let (plan_by, exceptions_by) = (item.plan_by, item.exceptions_by);
        let applied = item.applied;
        let mut arrived = Arrived::from(item);
        arrived.record.held.decision = Some(Decision::Approve);
        arrived.record.status = UploadStatus::Queued;
        let mut sets = format!(
            "{DECIDED}, run_number = :two, first_applied = :applied, applied = :none, \
             attempts = :none, progress_percent = :none"
        );
        let mut upload = self
            .decided(WHAT, &arrived.record)?
            .expression_attribute_values(":two", number(2))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":applied", number(applied));
        let kept = [
            ("first_plan_by", plan_by),
            ("first_exceptions_by", exceptions_by),
        ];
        for (name, token) in kept {
            if let Some(token) = token {
                sets.push_str(&format!(", {name} = :{name}"));
                upload = upload.expression_attribute_values(format!(":{name}"), number(token));
            }
        }
        let upload = upload.update_expression(format!(
            "{sets} REMOVE finished_at, plan_by, exceptions_by, {WORK_SHARD}, {WORK_DUE_AT}"
        ));
        let (key, entry) = QueueItem::of(&arrived, now);
        let entry = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &key, entry)?))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let entry = TransactWriteItem::builder().put(entry).build();
        self.write_decision(WHAT, portal, upload_id, upload, [entry, audited])
            .await
    }

    /// The upload with its decision, as long as it is held.
    fn decided(
        &self,
        what: &'static str,
        record: &UploadRecord,
    ) -> Result<UpdateBuilder, CallFailed> {
        Ok(Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::upload(record.portal_id, record.upload_id).item()))
            .condition_expression("#status = :held")
            // A word that DynamoDB keeps for itself.
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":held", attribute(what, UploadStatus::Held)?)
            .expression_attribute_values(":status", attribute(what, record.status)?)
            .expression_attribute_values(":decided", attribute(what, &record.held)?))
    }

    async fn write_decision(
        &self,
        what: &'static str,
        portal: PortalId,
        upload_id: UploadId,
        upload: UpdateBuilder,
        beside: impl IntoIterator<Item = TransactWriteItem>,
    ) -> Result<bool, CallFailed> {
        let of_portal = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::portal(portal).item()))
            .update_expression("REMOVE #hold")
            .condition_expression("#hold.upload_id = :id")
            .expression_attribute_names("#hold", "hold")
            .expression_attribute_values(":id", AttributeValue::S(upload_id.to_string()));
        let mut changes: Vec<_> = beside.into_iter().collect();
        for update in [upload, of_portal] {
            let update = update.build().map_err(CallFailed::to(what))?;
            changes.push(TransactWriteItem::builder().update(update).build());
        }
        self.write(what, changes).await
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::feed::{Authorisation, FeedSettings, PortalSettings};

    fn at(time: &str) -> String {
        format!("2026-11-22T{time}:00.000Z")
    }

    fn order(time: &str) -> UploadOrder {
        UploadOrder {
            received_at: at(time),
            key: "1/a.csv".to_owned(),
            sequencer: None,
        }
    }

    pub(in crate::feed) fn portal() -> Portal {
        Portal {
            settings: PortalSettings {
                name: "A company".to_owned(),
                country: "AU".to_owned(),
                external_id_enabled: false,
                custom_fields: Vec::new(),
                groups: Vec::new(),
            },
            authorisation: Some(Authorisation {
                by: "ann@x.example".to_owned(),
                at: at("08:00"),
            }),
            last_mapping_version: 3,
            mapping_reset: false,
            revision: 7,
            newest_planned: Some(order("10:00")),
            feed_settings: FeedSettings::default(),
            baseline_rows: None,
            last_applied: None,
            hold: None,
            off_boarding_since: None,
        }
    }

    #[test]
    fn a_hold_ends_by_whatever_makes_its_file_an_old_story() {
        let hold = OpenHold {
            upload_id: "01KAPTA7HZ0000000000000000".parse().unwrap(),
            order: order("10:00"),
            mapping_version: 3,
            since: at("10:01"),
            expires_at: at("20:00"),
        };
        let ended = |change: fn(&mut Portal), now: &str| {
            let mut portal = portal();
            change(&mut portal);
            hold.is_superseded(&portal, at(now).parse().unwrap())
        };
        assert!(!ended(|_| {}, "12:00"));
        assert!(ended(|_| {}, "20:00"));
        assert!(ended(|portal| portal.authorisation = None, "12:00"));
        assert!(ended(|portal| portal.last_mapping_version = 4, "12:00"));
        assert!(ended(|portal| portal.mapping_reset = true, "12:00"));
        let newer = |portal: &mut Portal| portal.newest_planned = Some(order("11:00"));
        assert!(ended(newer, "12:00"));
        let again = |portal: &mut Portal| {
            portal.authorisation = Some(Authorisation {
                by: "ann@x.example".to_owned(),
                at: at("11:00"),
            });
        };
        assert!(ended(again, "12:00"));
    }
}
