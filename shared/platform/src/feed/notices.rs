//! `NOTICE#<upload_id>#<nth>`: what is to be told of an upload, and was not told yet. Written in the transaction by
//! which the upload ends, so a crash forgets nobody; deleted when everybody was told. Who tells claims it first by
//! putting off when it is due: nobody else tells meanwhile, and after a failure or a crash that is the pause.

use super::uploads::{Held, UploadId, UploadKind, UploadRecord, UploadStatus};
use super::{FeedTable, item_of, update_refused};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Key, NOTICE_PREFIX, WORK_DUE_AT, work_shard};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use mapping::identity::{EmailKey, PortalId};
use mapping::plan::{Others, RowCounts};
use mapping::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// After the first attempt; each pause is twice as long as the one before.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// The longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(2);

/// How long it is tried to tell somebody.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What happened. One shape on purpose, stored and told to others (`docs/architecture.md`, "What others are
/// told"): no keys, no names of files, no values, no addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// An upload has come to its end.
    UploadFinished(Box<UploadFinished>),
    /// No file has come for longer than the portal expects.
    FileOverdue(FileOverdue),
}

/// How an upload ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadFinished {
    /// Whose.
    pub portal_id: PortalId,
    /// Which.
    pub upload_id: UploadId,
    /// What made it.
    pub kind: UploadKind,
    /// How it ended.
    pub status: UploadStatus,
    /// Nobody was changed.
    pub rehearsal: bool,
    /// The file's rows.
    pub rows: RowCounts,
    /// People without a row.
    pub others: Others,
    /// Problems of that severity.
    pub warnings: u64,
    /// What waits for a decision, or did.
    pub held: Held,
    /// The codes of the first problems, each once.
    pub problem_codes: Vec<ProblemCode>,
    /// When the file arrived.
    pub received_at: String,
    /// When the upload ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
}

/// A file that did not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOverdue {
    /// Whose.
    pub portal_id: PortalId,
    /// What the history has of it.
    pub upload_id: UploadId,
    /// When it should have been there.
    pub expected_by: String,
    /// How many hours may pass without one.
    pub expect_file_every_hours: u16,
}

impl From<&UploadRecord> for UploadFinished {
    fn from(record: &UploadRecord) -> Self {
        let mut problem_codes = Vec::new();
        for problem in &record.problems {
            if !problem_codes.contains(&problem.code) {
                problem_codes.push(problem.code);
            }
        }
        UploadFinished {
            portal_id: record.portal_id,
            upload_id: record.upload_id,
            kind: record.kind,
            status: record.status,
            rehearsal: record.rehearsal,
            rows: record.rows,
            others: record.others,
            warnings: record.warnings,
            held: record.held.clone(),
            problem_codes,
            received_at: record.received_at.clone(),
            finished_at: record.finished_at.clone(),
        }
    }
}

impl News {
    /// Whose it is.
    pub fn portal_id(&self) -> PortalId {
        match self {
            News::UploadFinished(it) => it.portal_id,
            News::FileOverdue(it) => it.portal_id,
        }
    }

    fn upload_id(&self) -> UploadId {
        match self {
            News::UploadFinished(it) => it.upload_id,
            News::FileOverdue(it) => it.upload_id,
        }
    }

    /// Whether people are told too: somebody has to do something about it.
    pub fn needs_somebody(&self) -> bool {
        match self {
            News::UploadFinished(it) => {
                !it.rehearsal
                    && matches!(
                        it.status,
                        UploadStatus::Held | UploadStatus::Rejected | UploadStatus::Failed
                    )
            }
            News::FileOverdue(_) => true,
        }
    }
}

/// Something that is to be told.
pub struct Notice {
    /// What.
    pub news: News,
    /// Which end of the upload: its first, or the one after a decision.
    nth: u32,
    /// Whether the event was sent.
    pub event_sent: bool,
    /// Who had the mail.
    pub told: BTreeSet<String>,
    created_at: String,
    attempts: u32,
    due_at: String,
}

/// The item.
#[derive(Serialize, Deserialize)]
struct NoticeItem {
    news: News,
    nth: u32,
    #[serde(default)]
    event_sent: bool,
    /// As addresses are compared.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    told: BTreeSet<String>,
    created_at: String,
    #[serde(default)]
    attempts: u32,
    work_shard: String,
    due_at: String,
}

impl From<NoticeItem> for Notice {
    fn from(item: NoticeItem) -> Self {
        Notice {
            news: item.news,
            nth: item.nth,
            event_sent: item.event_sent,
            told: item.told,
            created_at: item.created_at,
            attempts: item.attempts,
            due_at: item.due_at,
        }
    }
}

impl Notice {
    /// By which a receiver tells a repetition.
    pub fn id(&self) -> String {
        format!("{}.{}", self.news.upload_id(), self.nth)
    }

    /// Which of these addresses have not had the mail.
    pub fn untold<'e>(&self, emails: &'e [String]) -> Vec<&'e String> {
        let told = |email: &str| self.told.contains(EmailKey::of(email).as_str());
        emails.iter().filter(|email| !told(email)).collect()
    }

    /// This address has had the mail.
    pub fn was_told(&mut self, email: &str) {
        self.told.insert(EmailKey::of(email).as_str().to_owned());
    }

    /// Whether it was tried for long enough.
    pub fn is_hopeless(&self, now: Timestamp) -> bool {
        let tried_since: Option<Timestamp> = self.created_at.parse().ok();
        tried_since.is_none_or(|since| now.duration_since(since) >= GIVEN_UP_AFTER)
    }

    fn key(&self) -> Key {
        Key::notice(self.news.portal_id(), self.news.upload_id(), self.nth)
    }

    /// When it is tried again, should this attempt fail.
    fn next_attempt(&self, now: Timestamp) -> Timestamp {
        let doubled = 2_i32.saturating_pow(self.attempts);
        now + FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
    }
}

/// A part of the transaction by which something comes to its end for the `nth` time.
pub(super) fn to_be_told(
    table: &FeedTable,
    what: &'static str,
    news: News,
    nth: u32,
    now: &str,
) -> Result<TransactWriteItem, CallFailed> {
    let key = Key::notice(news.portal_id(), news.upload_id(), nth);
    let item = NoticeItem {
        work_shard: work_shard(news.portal_id()),
        news,
        nth,
        event_sent: false,
        told: BTreeSet::new(),
        created_at: now.to_owned(),
        attempts: 0,
        due_at: now.to_owned(),
    };
    let put = Put::builder()
        .table_name(&table.table)
        .set_item(Some(item_of(what, &key, item)?))
        .build()
        .map_err(CallFailed::to(what))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

impl FeedTable {
    /// What is to be told of the portal now, oldest uploads first; read consistently.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn due_notices(
        &self,
        portal: PortalId,
        now: Timestamp,
    ) -> Result<Vec<Notice>, CallFailed> {
        const WHAT: &str = "read who is to be told";
        let mut pages = self
            .items_of(portal, NOTICE_PREFIX)
            .consistent_read(true)
            .into_paginator()
            .send();
        let (mut due, now) = (Vec::new(), stamp(now));
        while let Some(page) = pages.next().await {
            let items = page
                .map_err(CallFailed::sdk(WHAT))?
                .items
                .unwrap_or_default();
            let items: Vec<NoticeItem> =
                serde_dynamo::from_items(items).map_err(CallFailed::malformed(WHAT))?;
            let items = items.into_iter().filter(|item| item.due_at <= now);
            due.extend(items.map(Notice::from));
        }
        Ok(due)
    }

    /// Claims a notice for one attempt: until the next is due nobody else makes one. `false`: somebody else has
    /// claimed it, or has told it.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn claim_notice(&self, notice: &Notice, now: Timestamp) -> Result<bool, CallFailed> {
        let next = stamp(notice.next_attempt(now));
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(notice.key().item()))
            .condition_expression(format!("{WORK_DUE_AT} = :seen"))
            .update_expression(format!("SET {WORK_DUE_AT} = :next ADD attempts :one"))
            .expression_attribute_values(":seen", AttributeValue::S(notice.due_at.clone()))
            .expression_attribute_values(":next", AttributeValue::S(next))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if update_refused(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk("claim a notice")(error)),
        }
    }

    /// Stores who was told of a claimed notice, for the next attempt.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn put_told(&self, notice: &Notice) -> Result<(), CallFailed> {
        const WHAT: &str = "store who was told";
        let told =
            serde_dynamo::to_attribute_value(&notice.told).map_err(CallFailed::malformed(WHAT))?;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(notice.key().item()))
            .condition_expression("attribute_exists(pk)")
            .update_expression("SET event_sent = :sent, told = :told")
            .expression_attribute_values(":sent", AttributeValue::Bool(notice.event_sent))
            .expression_attribute_values(":told", told);
        match request.send().await {
            Ok(_) => Ok(()),
            // Gone with its portal.
            Err(error) if update_refused(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Nothing is left to tell, or it was given up.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn remove_notice(&self, notice: &Notice) -> Result<(), CallFailed> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(notice.key().item()))
            .send()
            .await
            .map_err(CallFailed::sdk("remove a notice"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(attempts: u32) -> Notice {
        let news = News::FileOverdue(FileOverdue {
            portal_id: "1001".parse().unwrap(),
            upload_id: "01KAPTA7HZ0000000000000000".parse().unwrap(),
            expected_by: "2026-11-22T10:00:00.000Z".to_owned(),
            expect_file_every_hours: 24,
        });
        Notice {
            news,
            nth: 1,
            event_sent: false,
            told: BTreeSet::new(),
            created_at: "2026-11-22T10:00:00.000Z".to_owned(),
            attempts,
            due_at: "2026-11-22T10:00:00.000Z".to_owned(),
        }
    }

    #[test]
    fn pauses_grow_to_two_hours_and_it_is_given_up_after_a_day() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (attempts, minutes) in [(0, 1), (1, 2), (2, 4), (6, 64), (7, 120), (40, 120)] {
            let pause = notice(attempts).next_attempt(now).duration_since(now);
            assert_eq!(pause, SignedDuration::from_mins(minutes), "{attempts}");
        }
        let after = |hours| now + SignedDuration::from_hours(hours);
        assert!(!notice(1).is_hopeless(after(23)));
        assert!(notice(1).is_hopeless(after(24)));
    }

    #[test]
    fn who_was_told_is_not_told_again_however_the_address_is_spelled() {
        let mut notice = notice(0);
        let emails = ["Ann@x.example", "bob@x.example"].map(str::to_owned);
        assert_eq!(notice.untold(&emails).len(), 2);
        notice.was_told("ann@x.example");
        assert_eq!(notice.untold(&emails), [&emails[1]]);
        assert_eq!(notice.id(), "01KAPTA7HZ0000000000000000.1");
    }
}
