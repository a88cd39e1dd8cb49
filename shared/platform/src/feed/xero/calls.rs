//! `XERO_ORGANISATION#<tenant id>`: whose turn it is to ask an organisation something. Xero allows five calls at a time
//! and sixty a minute; we make one at a time, whoever asks and for whichever portal, and none before the time that Xero
//! named when it refused one. DynamoDB deletes what nobody needs any more.

use super::super::{FeedTable, update_refused};
use super::delete_after;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::Key;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long a turn lasts at most. Who has it asks no longer than [`ASKED_FOR`]: nobody takes it from somebody who is
/// still asking.
const TURN: SignedDuration = SignedDuration::from_secs(90);

/// How long somebody may ask in one turn.
pub const ASKED_FOR: Duration = Duration::from_secs(80);

/// Our turn to ask an organisation.
pub struct Calls {
    tenant_id: String,
    owner: String,
}

/// Whether it is our turn.
pub enum Turn {
    /// It is.
    Ours(Calls),
    /// Somebody else asks.
    Others,
    /// Xero takes nothing before this time.
    NotBefore(Timestamp),
}

impl FeedTable {
    /// Takes the turn to ask an organisation. `owner` is a name that nobody else asks by at the same time; whoever has
    /// the turn by it has it still.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn take_calls(
        &self,
        tenant_id: &str,
        owner: &str,
        now: Timestamp,
    ) -> Result<Turn, CallFailed> {
        const WHAT: &str = "take a turn to ask Xero";
        let key = Key::xero_calls(tenant_id);
        let text = |text: String| AttributeValue::S(text);
        let until = now + TURN;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .update_expression("SET #owner = :owner, held_until = :until, delete_after = :delete")
            .condition_expression(
                "(attribute_not_exists(held_until) OR held_until < :now OR #owner = :owner) \
                 AND (attribute_not_exists(not_before) OR not_before <= :now)",
            )
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", text(owner.to_owned()))
            .expression_attribute_values(":until", text(stamp(until)))
            .expression_attribute_values(":now", text(stamp(now)))
            .expression_attribute_values(
                ":delete",
                AttributeValue::N(delete_after(until).to_string()),
            );
        match request.send().await {
            Ok(_) => Ok(Turn::Ours(Calls {
                tenant_id: tenant_id.to_owned(),
                owner: owner.to_owned(),
            })),
            Err(error) if update_refused(&error) => {
                let found: Option<CallsItem> = self.get(WHAT, key).await?;
                let not_before = found.and_then(|found| found.not_before);
                let not_before: Option<Timestamp> = not_before.and_then(|it| it.parse().ok());
                let not_before = not_before.filter(|not_before| *not_before > now);
                Ok(not_before.map_or(Turn::Others, Turn::NotBefore))
            }
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Gives the turn to whoever comes next, who is to ask nothing before `not_before`, if Xero has named a time.
    ///
    /// # Errors
    ///
    /// The table could not be written; the turn then ends by itself.
    pub async fn end_calls(
        &self,
        calls: Calls,
        not_before: Option<Timestamp>,
    ) -> Result<(), CallFailed> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::xero_calls(&calls.tenant_id).item()))
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", AttributeValue::S(calls.owner));
        let request = match not_before {
            None => request.update_expression("REMOVE #owner, held_until"),
            Some(not_before) => {
                let delete = delete_after(not_before).to_string();
                request
                    .update_expression(
                        "SET not_before = :not_before, delete_after = :delete \
                         REMOVE #owner, held_until",
                    )
                    .expression_attribute_values(
                        ":not_before",
                        AttributeValue::S(stamp(not_before)),
                    )
                    .expression_attribute_values(":delete", AttributeValue::N(delete))
            }
        };
        match request.send().await {
            Ok(_) => Ok(()),
            // Somebody else's by now.
            Err(error) if update_refused(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk("end a turn to ask Xero")(error)),
        }
    }
}

#[derive(serde::Deserialize)]
struct CallsItem {
    not_before: Option<String>,
}
