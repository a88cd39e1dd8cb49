//! What a run writes of an upload: taking it up, how far it has come, its plan, its end. Each write says
//! under which lease it is made, and is refused once a later lease has written: a worker that lost its
//! lease and does not know it changes nothing here (`docs/reliability.md`, "Fencing").

use super::holds::OpenHold;
use super::lease::Lease;
use super::notices::to_be_told;
use super::queue::QueueEntry;
use super::uploads::{Arrived, ObjectVersion, UploadItem, UploadRecord, key_hash};
use super::{FeedTable, News, condition_failed, item_of, update_refused};
use crate::failure::CallFailed;
use crate::keys::{Item, Key, WORK_DUE_AT, WORK_SHARD, work_shard};
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, TransactWriteItem, Update,
};
use mapping::identity::PortalId;
use mapping::order::{Planned, UploadOrder};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What an attempt to take an upload up came to.
pub enum TakeUp {
    /// It is in the hands of this lease's run.
    Taken(Box<TakenUp>),
    /// It has ended, or was erased: nothing is left to do.
    Ended,
    /// It is in the hands of a later lease's run.
    Overtaken,
}

/// An upload that a run goes on with.
pub struct TakenUp {
    /// As it stands.
    pub record: UploadRecord,
    /// Which bytes.
    pub object: ObjectVersion,
    /// How often it was taken up without coming forward, this time included.
    pub attempts: u32,
    /// What is known to be done.
    pub saved: Saved,
    /// Of the first run, if its hold is approved and this is the second.
    pub first: Option<Saved>,
}

impl From<UploadItem> for TakenUp {
    fn from(item: UploadItem) -> Self {
        let attempts = item.attempts;
        let first = item.run_number.map(|_| Saved {
            run: 1,
            plan_by: item.first_plan_by,
            applied: item.first_applied,
            exceptions_by: item.first_exceptions_by,
        });
        let saved = Saved {
            run: item.run_number.unwrap_or(1),
            plan_by: item.plan_by,
            applied: item.applied,
            exceptions_by: item.exceptions_by,
        };
        let Arrived { record, object, .. } = item.into();
        TakenUp {
            record,
            object,
            attempts,
            saved,
            first,
        }
    }
}

/// How far the plan of an upload is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The upload's first going over its people, or, once a hold is approved, its second.
    pub run: u32,
    /// The token under which the plan that counts is kept; `None`: there is none yet. Each lease keeps its
    /// own, so that one that was made before an older file came in between does not count.
    pub plan_by: Option<u64>,
    /// How many of its steps are done, from the first on.
    pub applied: u64,
    /// The token under which the exceptions met in them are kept; `None`: there were none.
    pub exceptions_by: Option<u64>,
}

/// What is stored of a run beside the record.
#[derive(Serialize)]
struct ProgressItem<'r> {
    #[serde(flatten)]
    record: &'r UploadRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_by: Option<u64>,
    applied: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exceptions_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct NewestItem {
    order: UploadOrder,
}

/// An update expression, and what it names.
struct Sets {
    expression: String,
    names: HashMap<String, String>,
    values: Item,
}

/// Holds for the run whose lease wrote last, until the upload has ended. Needs `:fence`.
fn still_ours(saved: Saved) -> String {
    // Nothing of the first run arrives in the second, however late.
    let same_run = match saved.run {
        1 => "attribute_not_exists(run_number)",
        _ => "attribute_exists(run_number)",
    };
    format!("fence = :fence AND attribute_not_exists(finished_at) AND {same_run}")
}

/// What the end of an upload leaves with its portal.
pub enum Left {
    /// Nothing: it was not applied.
    Nothing,
    /// That it was applied, and nothing else.
    Applied,
    /// How many rows it had, for the next file to be compared with.
    Baseline(u64),
    /// A hold of what else there was to apply.
    Hold(OpenHold),
}

impl FeedTable {
    /// Takes an upload up under this lease: from now on no run of an earlier lease can write to it.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn take_up(
        &self,
        portal: PortalId,
        entry: &QueueEntry,
        lease: &Lease,
    ) -> Result<TakeUp, CallFailed> {
        const WHAT: &str = "take the upload up";
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::upload(portal, entry.upload_id).item()))
            .update_expression("SET fence = :fence ADD attempts :one")
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(finished_at) \
                 AND (attribute_not_exists(fence) OR fence < :fence)",
            )
            .expression_attribute_values(":fence", fence(lease))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let item: Option<UploadItem> = match answer {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                Some(serde_dynamo::from_item(item).map_err(CallFailed::malformed(WHAT))?)
            }
            // Something speaks against it; or the answer was lost, and the SDK repeated what was done already.
            Err(error) if update_refused(&error) => {
                self.upload_item(portal, entry.upload_id).await?
            }
            Err(error) => return Err(CallFailed::sdk(WHAT)(error)),
        };
        Ok(match item {
            Some(item) if item.record.finished_at.is_none() => {
                if item.fence == lease.token() {
                    TakeUp::Taken(Box::new(item.into()))
                } else {
                    TakeUp::Overtaken
                }
            }
            _ => TakeUp::Ended,
        })
    }

    /// What was planned before that can make a file of this key come too late.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn planned_of_key(
        &self,
        portal: PortalId,
        key: &str,
    ) -> Result<Option<UploadOrder>, CallFailed> {
        let key = Key::newest_of_key(portal, &key_hash(key));
        let newest: Option<NewestItem> = self.get("read what was planned", key).await?;
        Ok(newest.map(|newest| newest.order))
    }

    /// Stores how far the upload has come; `came_forward` says that it is further than ever before. `false`:
    /// a later lease has taken it up, or it has ended.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn put_progress(
        &self,
        record: &UploadRecord,
        saved: Saved,
        came_forward: bool,
        lease: &Lease,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "store the progress";
        let sets = progress(WHAT, record, saved, came_forward)?;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::upload(record.portal_id, record.upload_id).item()))
            .update_expression(sets.expression)
            .set_expression_attribute_names(Some(sets.names))
            .set_expression_attribute_values(Some(sets.values))
            .condition_expression(format!("{} AND {}", still_ours(saved), not_back(saved)))
            .expression_attribute_values(":fence", fence(lease))
            .expression_attribute_values(":applied", AttributeValue::N(saved.applied.to_string()));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if update_refused(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// The upload's plan is kept, and its people are written from now on: stores that, and, if it `counts`, that no
    /// older file may come after it. `planned` is what was planned before, which is so only
    /// as long as nobody else has the lease. `false`: somebody else has it.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn put_planned(
        &self,
        record: &UploadRecord,
        saved: Saved,
        entry: &QueueEntry,
        planned: &Planned,
        counts: bool,
        lease: &Lease,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "store that the file is planned";
        let portal = record.portal_id;
        let begun = Update::builder()
            .table_name(&self.table)
            .set_key(Some(
                Key::queued(portal, &entry.order.received_at, entry.upload_id).item(),
            ))
            .update_expression("SET planned = :yes")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
        let mut items = vec![
            self.fenced(WHAT, record, saved, lease)?,
            update(WHAT, begun)?,
            lease.still_held(WHAT)?,
        ];
        if counts {
            let order = NewestItem {
                order: entry.order.clone(),
            };
            let key = Key::newest_of_key(portal, &key_hash(&entry.order.key));
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item_of(WHAT, &key, &order)?))
                .build()
                .map_err(CallFailed::to(WHAT))?;
            items.push(TransactWriteItem::builder().put(put).build());
            if planned
                .of_portal
                .as_ref()
                .is_none_or(|newest| *newest < entry.order)
            {
                let order: AttributeValue = serde_dynamo::to_attribute_value(&entry.order)
                    .map_err(CallFailed::malformed(WHAT))?;
                let newest = Update::builder()
                    .table_name(&self.table)
                    .set_key(Some(Key::portal(portal).item()))
                    .update_expression("SET newest_planned = :order")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_values(":order", order);
                items.push(update(WHAT, newest)?);
            }
        }
        self.transact(WHAT, items, record, lease).await
    }

    /// Ends the upload, takes it out of the queue and has it told, in one go. `false`: a later lease has taken it up, or it
    /// had ended.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn finish(
        &self,
        record: &UploadRecord,
        saved: Saved,
        entry: &QueueEntry,
        left: Left,
        lease: &Lease,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "end the upload";
        let key = Key::queued(record.portal_id, &entry.order.received_at, entry.upload_id);
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let mut sets = progress(WHAT, record, saved, true)?;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let now = record.finished_at.as_deref().unwrap_or_default();
        let portal = match &left {
            Left::Nothing => None,
            Left::Applied => Some(None),
            Left::Baseline(rows) => {
                let rows = AttributeValue::N(rows.to_string());
                Some(Some(("baseline_rows", rows)))
            }
            Left::Hold(hold) => {
                // The sweep finds it when its file goes.
                sets.expression.push_str(&format!(
                    ", {WORK_SHARD} = :work_shard, {WORK_DUE_AT} = :due_at"
                ));
                let shard = text(&work_shard(record.portal_id));
                sets.values.insert(":work_shard".to_owned(), shard);
                sets.values
                    .insert(":due_at".to_owned(), text(&hold.expires_at));
                let hold = serde_dynamo::to_attribute_value(hold);
                let hold = hold.map_err(CallFailed::malformed(WHAT))?;
                Some(Some(("hold", hold)))
            }
        };
        let mut items = vec![
            self.fenced_with(WHAT, sets, record, saved, lease)?,
            TransactWriteItem::builder().delete(delete).build(),
        ];
        let news = News::UploadFinished(Box::new(record.into()));
        items.push(to_be_told(self, WHAT, news, saved.run, now)?);
        if let Some(left) = portal {
            let of_portal = Update::builder()
                .table_name(&self.table)
                .set_key(Some(Key::portal(record.portal_id).item()))
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":now", text(now));
            let of_portal = match left {
                None => of_portal.update_expression("SET last_applied = :now"),
                Some((name, value)) => of_portal
                    .update_expression("SET last_applied = :now, #left = :left")
                    .expression_attribute_names("#left", name)
                    .expression_attribute_values(":left", value),
            };
            items.push(update(WHAT, of_portal)?);
        }
        self.transact(WHAT, items, record, lease).await
    }

    /// The upload as it is now, if this lease still has it.
    fn fenced(
        &self,
        what: &'static str,
        record: &UploadRecord,
        saved: Saved,
        lease: &Lease,
    ) -> Result<TransactWriteItem, CallFailed> {
        let sets = progress(what, record, saved, true)?;
        self.fenced_with(what, sets, record, saved, lease)
    }

    fn fenced_with(
        &self,
        what: &'static str,
        sets: Sets,
        record: &UploadRecord,
        saved: Saved,
        lease: &Lease,
    ) -> Result<TransactWriteItem, CallFailed> {
        let upload = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::upload(record.portal_id, record.upload_id).item()))
            .update_expression(sets.expression)
            .set_expression_attribute_names(Some(sets.names))
            .set_expression_attribute_values(Some(sets.values))
            .condition_expression(still_ours(saved))
            .expression_attribute_values(":fence", fence(lease));
        update(what, upload)
    }

    async fn transact(
        &self,
        what: &'static str,
        items: Vec<TransactWriteItem>,
        record: &UploadRecord,
        lease: &Lease,
    ) -> Result<bool, CallFailed> {
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items));
        match request.send().await {
            Ok(_) => Ok(true),
            // Done by an attempt whose answer was lost, or not to be done by us any more.
            Err(error) if condition_failed(&error) => {
                let found = self.upload_item(record.portal_id, record.upload_id).await?;
                Ok(found
                    .is_some_and(|found| found.fence == lease.token() && found.record == *record))
            }
            Err(error) => Err(CallFailed::sdk(what)(error)),
        }
    }
}

/// Nothing goes back: a request of this same run that was given up, and arrives after the one that was sent in
/// its place, is refused. Needs `:applied`.
fn not_back(saved: Saved) -> &'static str {
    match saved.plan_by {
        Some(_) => "(attribute_not_exists(applied) OR applied <= :applied)",
        None => {
            "(attribute_not_exists(applied) OR applied <= :applied) AND attribute_not_exists(plan_by)"
        }
    }
}

fn fence(lease: &Lease) -> AttributeValue {
    AttributeValue::N(lease.token().to_string())
}

fn update(
    what: &'static str,
    update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
) -> Result<TransactWriteItem, CallFailed> {
    let update = update.build().map_err(CallFailed::to(what))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// Every attribute of the record, and what is stored beside it.
fn progress(
    what: &'static str,
    record: &UploadRecord,
    saved: Saved,
    came_forward: bool,
) -> Result<Sets, CallFailed> {
    let item: Item = serde_dynamo::to_item(ProgressItem {
        record,
        plan_by: saved.plan_by,
        applied: saved.applied,
        exceptions_by: saved.exceptions_by,
        attempts: came_forward.then_some(0),
    })
    .map_err(CallFailed::malformed(what))?;
    let (mut sets, mut names, mut values) = (Vec::new(), HashMap::new(), Item::new());
    for (nth, (name, value)) in item.into_iter().enumerate() {
        sets.push(format!("#a{nth} = :a{nth}"));
        names.insert(format!("#a{nth}"), name);
        values.insert(format!(":a{nth}"), value);
    }
    Ok(Sets {
        expression: format!("SET {}", sets.join(", ")),
        names,
        values,
    })
}
