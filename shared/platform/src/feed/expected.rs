//! `EXPECTED`: when a portal's next file is expected, and since when it is overdue. In the index `work` while it is
//! waited for; out of it once the history has it that none came, until something moves it on (`docs/rules.md`,
//! "Files that do not come").

use super::notices::to_be_told;
use super::uploads::{Held, UploadId, UploadItem, UploadKind, UploadRecord, UploadStatus};
use super::{
    FeedTable, FileOverdue, News, Portal, condition_failed, in_conflict, item_of, update_refused,
};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Key, WORK_DUE_AT, WORK_SHARD, work_shard};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use mapping::plan::{Others, RowCounts};
use mapping::problem::{Problem, ProblemCode};
use serde::{Deserialize, Serialize};

/// What is being done.
const EXPECT: &str = "store when a file is expected";

/// What is known of the portal's next file. The item and its meaning are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedFile {
    /// The newest file, or when it began to be expected.
    counted_from: String,
    /// Until when it is waited for; absent once it is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    work_shard: Option<String>,
    /// Since when the history has it that none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overdue_since: Option<String>,
    /// Goes up with every write.
    revision: u64,
}

/// What a portal waits for, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// When the next file should be there; `None`: none is expected.
    pub expected_by: Option<String>,
    /// Since when none has come; `None`: it is not overdue.
    pub overdue_since: Option<String>,
}

/// What there is to do about a file that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Due {
    /// Nothing.
    Not,
    /// Nobody waits for it any more.
    Unexpected,
    /// It should have been there by then, of so many hours.
    Overdue(String, u16),
}

impl ExpectedFile {
    /// As it is shown of this portal: withdrawn, reset or switched off, nothing is expected.
    pub fn awaited(&self, portal: &Portal) -> Awaited {
        if portal.expects_file_every_hours().is_none() {
            return Awaited::default();
        }
        Awaited {
            expected_by: self.due_at.clone().or_else(|| self.overdue_since.clone()),
            overdue_since: self.overdue_since.clone(),
        }
    }

    fn due(&self, portal: Option<&Portal>, now: Timestamp) -> Due {
        let Some(due_at) = self.due_at.clone().filter(|due| *due <= stamp(now)) else {
            return Due::Not;
        };
        match portal.and_then(Portal::expects_file_every_hours) {
            Some(hours) => Due::Overdue(due_at, hours),
            None => Due::Unexpected,
        }
    }

    /// The same once the history has it that none came.
    fn overdue(self, since: &str) -> Self {
        ExpectedFile {
            due_at: None,
            work_shard: None,
            overdue_since: Some(since.to_owned()),
            revision: self.revision + 1,
            ..self
        }
    }
}

impl FeedTable {
    /// What is known of the portal's next file; `None`: none was ever expected, or not any more.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn expected_file(
        &self,
        portal: PortalId,
    ) -> Result<Option<ExpectedFile>, CallFailed> {
        self.get("read when a file is expected", Key::expected_file(portal))
            .await
    }

    /// What the portal waits for, as it is shown.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn awaited(
        &self,
        portal_id: PortalId,
        portal: &Portal,
    ) -> Result<Awaited, CallFailed> {
        if portal.expects_file_every_hours().is_none() {
            return Ok(Awaited::default());
        }
        let expected = self.expected_file(portal_id).await?;
        Ok(expected.map_or_else(Awaited::default, |it| it.awaited(portal)))
    }

    /// A file is expected within so many hours of this moment, whatever was before. Written before what makes it
    /// so: should that be lost, the sweep finds that nobody waits; the other way round nobody would notice.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn expect_file(
        &self,
        portal: PortalId,
        hours: u16,
        from: Timestamp,
    ) -> Result<(), CallFailed> {
        let request = self.wait_for_file(portal, hours, from);
        request.send().await.map_err(CallFailed::sdk(EXPECT))?;
        Ok(())
    }

    /// A file has come: the next is expected that much later. Where none is expected, that is one look.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn file_arrived(
        &self,
        portal_id: PortalId,
        received_at: Timestamp,
    ) -> Result<(), CallFailed> {
        if self.expected_file(portal_id).await?.is_none() {
            return Ok(());
        }
        let portal = self.portal(portal_id).await?;
        let settings = portal.map(|portal| portal.feed_settings);
        let Some(hours) = settings.and_then(|settings| settings.expect_file_every_hours) else {
            return Ok(());
        };
        let request = self
            .wait_for_file(portal_id, hours, received_at)
            .condition_expression("counted_from < :from");
        match request.send().await {
            Ok(_) => Ok(()),
            // Told late: something newer came before. Or none is expected any more.
            Err(error) if update_refused(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk(EXPECT)(error)),
        }
    }

    fn wait_for_file(
        &self,
        portal: PortalId,
        hours: u16,
        from: Timestamp,
    ) -> UpdateItemFluentBuilder {
        let text = |text: String| AttributeValue::S(text);
        let due_at = from + SignedDuration::from_hours(i64::from(hours));
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::expected_file(portal).item()))
            .update_expression(format!(
                "SET counted_from = :from, {WORK_SHARD} = :shard, {WORK_DUE_AT} = :due \
                 ADD revision :one REMOVE overdue_since"
            ))
            .expression_attribute_values(":from", text(stamp(from)))
            .expression_attribute_values(":shard", text(work_shard(portal)))
            .expression_attribute_values(":due", text(stamp(due_at)))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
    }

    /// No file is expected any more.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn expect_no_file(&self, portal: PortalId) -> Result<(), CallFailed> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(Key::expected_file(portal).item()))
            .send()
            .await
            .map_err(CallFailed::sdk("expect no file any more"))?;
        Ok(())
    }

    /// If the portal's file should have been there by now: the history has it, once, and it is to be told. Whether
    /// that was done now.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn look_for_overdue_file(
        &self,
        portal_id: PortalId,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        // Before the portal: whoever makes a file expected writes this item first.
        let Some(expected) = self.expected_file(portal_id).await? else {
            return Ok(false);
        };
        if expected.due(None, now) == Due::Not {
            return Ok(false);
        }
        let portal = self.portal(portal_id).await?;
        match expected.due(portal.as_ref(), now) {
            Due::Not => Ok(false),
            Due::Unexpected => {
                self.remove_expected(portal_id, &expected).await?;
                Ok(false)
            }
            Due::Overdue(since, hours) => {
                self.put_overdue(portal_id, expected, &since, hours, now)
                    .await
            }
        }
    }

    async fn put_overdue(
        &self,
        portal_id: PortalId,
        expected: ExpectedFile,
        since: &str,
        hours: u16,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "store that a file is overdue";
        let record = overdue_record(portal_id, since, now).map_err(CallFailed::to(WHAT))?;
        let seen = expected.revision;
        let upload_key = Key::upload(portal_id, record.upload_id);
        let upload = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(
                WHAT,
                &upload_key,
                UploadItem::without_file(&record),
            )?));
        let state_key = Key::expected_file(portal_id);
        let state = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &state_key, expected.overdue(since))?))
            .condition_expression("revision = :seen")
            .expression_attribute_values(":seen", AttributeValue::N(seen.to_string()));
        let news = News::FileOverdue(FileOverdue {
            portal_id,
            upload_id: record.upload_id,
            expected_by: since.to_owned(),
            expect_file_every_hours: hours,
        });
        let mut request = self.client.transact_write_items();
        for put in [upload, state] {
            let put = put.build().map_err(CallFailed::to(WHAT))?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        let notice = to_be_told(self, WHAT, news, 1, &stamp(now))?;
        match request.transact_items(notice).send().await {
            Ok(_) => Ok(true),
            // A file has come at this moment, or somebody else has looked.
            Err(error) if condition_failed(&error) || in_conflict(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    async fn remove_expected(
        &self,
        portal: PortalId,
        seen: &ExpectedFile,
    ) -> Result<(), CallFailed> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(Key::expected_file(portal).item()))
            .condition_expression("revision = :seen")
            .expression_attribute_values(":seen", AttributeValue::N(seen.revision.to_string()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(CallFailed::sdk("expect no file any more")(error)),
        }
    }
}

/// What the history has of a file that did not come. It stands where the file would: at the time at which it should
/// have been there.
fn overdue_record(
    portal_id: PortalId,
    since: &str,
    now: Timestamp,
) -> Result<UploadRecord, jiff::Error> {
    let message = format!("A file was expected by {since}, and none had come.");
    Ok(UploadRecord {
        upload_id: UploadId::of_absence(portal_id, since.parse()?),
        portal_id,
        kind: UploadKind::Feed,
        key: String::new(),
        file_name: String::new(),
        size_bytes: 0,
        received_at: since.to_owned(),
        started_at: None,
        finished_at: Some(stamp(now)),
        status: UploadStatus::Rejected,
        progress_percent: 100,
        rows: RowCounts::default(),
        others: Others::default(),
        warnings: 0,
        held: Held::default(),
        mapping_version: None,
        rehearsal: false,
        problems: vec![Problem::new(ProblemCode::FileOverdue).message(message)],
        report_ready: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-22T{time}:00Z").parse().unwrap()
    }

    fn expected() -> ExpectedFile {
        ExpectedFile {
            counted_from: stamp(at("08:00")),
            due_at: Some(stamp(at("10:00"))),
            work_shard: Some("1".to_owned()),
            overdue_since: None,
            revision: 1,
        }
    }

    #[test]
    fn a_file_is_overdue_from_the_moment_it_was_expected_by() {
        let portal = super::super::holds::tests::portal();
        let expects = |hours| {
            let mut portal = portal.clone();
            portal.feed_settings.expect_file_every_hours = hours;
            portal
        };
        let due = stamp(at("10:00"));
        assert_eq!(
            expected().due(Some(&expects(Some(2))), at("09:59")),
            Due::Not
        );
        let overdue = Due::Overdue(due.clone(), 2);
        assert_eq!(
            expected().due(Some(&expects(Some(2))), at("10:00")),
            overdue
        );
        // Once.
        let told = expected().overdue(&due);
        assert_eq!(told.due(Some(&expects(Some(2))), at("23:00")), Due::Not);

        let mut withdrawn = expects(Some(2));
        withdrawn.authorisation = None;
        let mut reset = expects(Some(2));
        reset.mapping_reset = true;
        for portal in [&withdrawn, &reset, &expects(None)] {
            assert_eq!(expected().due(Some(portal), at("23:00")), Due::Unexpected);
            assert_eq!(expected().awaited(portal), Awaited::default());
        }
        assert_eq!(expected().due(None, at("23:00")), Due::Unexpected);

        let shown = Awaited {
            expected_by: Some(due.clone()),
            overdue_since: None,
        };
        assert_eq!(expected().awaited(&expects(Some(2))), shown);
        let overdue_since = Some(due);
        assert_eq!(
            told.awaited(&expects(Some(2))),
            Awaited {
                overdue_since,
                ..shown
            }
        );
    }
}
