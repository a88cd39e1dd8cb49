//! `XERO_RETURN#<consent>`: a connection that is to be given back to Xero, with its tokens, which serve for that alone.
//! Deleted when Xero has confirmed. Who gives back claims it first by putting off when it is due: nobody else does
//! meanwhile, and after a failure or a crash that is the pause. It outlives the portal that is given up.

use super::super::{FeedTable, update_refused};
use super::connection::XeroConnection;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Key, WORK_DUE_AT, XERO_RETURN_PREFIX, work_shard};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

/// After the first attempt; each pause is twice as long as the one before.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// The longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(2);

/// A refresh token that nobody uses is dead after 60 days (Xero, "Token expiry"): then there is nothing left to give
/// back by.
const DEAD_AFTER: SignedDuration = SignedDuration::from_hours(60 * 24);

/// A connection that is to be given back.
#[derive(Clone, Serialize, Deserialize)]
pub struct XeroReturn {
    /// As it was.
    #[serde(flatten)]
    pub connection: XeroConnection,
    returned_at: String,
    #[serde(default)]
    attempts: u32,
    due_at: String,
}

/// The item.
#[derive(Serialize)]
pub(super) struct ReturnItem {
    #[serde(flatten)]
    it: XeroReturn,
    work_shard: String,
}

impl XeroReturn {
    pub(super) fn of(connection: XeroConnection, due_at: Timestamp) -> Self {
        XeroReturn {
            connection,
            returned_at: stamp(due_at),
            attempts: 0,
            due_at: stamp(due_at),
        }
    }

    pub(super) fn item(self, portal: PortalId) -> ReturnItem {
        ReturnItem {
            it: self,
            work_shard: work_shard(portal),
        }
    }

    /// Whether the tokens are dead by themselves.
    pub fn is_hopeless(&self, now: Timestamp) -> bool {
        let since: Option<Timestamp> = self.returned_at.parse().ok();
        since.is_none_or(|since| now.duration_since(since) >= DEAD_AFTER)
    }

    fn next_attempt(&self, now: Timestamp) -> Timestamp {
        let doubled = 2_i32.saturating_pow(self.attempts);
        now + FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
    }
}

impl FeedTable {
    /// The connections of the portal that are to be given back, read consistently.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn xero_returns(&self, portal: PortalId) -> Result<Vec<XeroReturn>, CallFailed> {
        const WHAT: &str = "read what is to be given back to Xero";
        let mut pages = self
            .items_of(portal, XERO_RETURN_PREFIX)
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut returns = Vec::new();
        while let Some(page) = pages.next().await {
            let items = page.map_err(CallFailed::sdk(WHAT))?.items;
            let items: Vec<XeroReturn> = serde_dynamo::from_items(items.unwrap_or_default())
                .map_err(CallFailed::malformed(WHAT))?;
            returns.extend(items);
        }
        Ok(returns)
    }

    /// Claims a return for one attempt. `false`: it is not due, somebody else has claimed it, or it is done.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn claim_return(
        &self,
        portal: PortalId,
        it: &XeroReturn,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        if it.due_at > stamp(now) {
            return Ok(false);
        }
        let next = stamp(it.next_attempt(now));
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(
                Key::xero_return(portal, &it.connection.consent).item(),
            ))
            .condition_expression(format!("{WORK_DUE_AT} = :seen"))
            .update_expression(format!("SET {WORK_DUE_AT} = :next ADD attempts :one"))
            .expression_attribute_values(":seen", AttributeValue::S(it.due_at.clone()))
            .expression_attribute_values(":next", AttributeValue::S(next))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if update_refused(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk("claim what is to be given back")(error)),
        }
    }

    /// Xero has confirmed: the tokens go.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn end_return(
        &self,
        portal: PortalId,
        connection: &XeroConnection,
    ) -> Result<(), CallFailed> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(Key::xero_return(portal, &connection.consent).item()))
            .send()
            .await
            .map_err(CallFailed::sdk("forget what was given back"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::xero::{Sealed, SealedTokens};

    fn returned_at(time: &str) -> XeroReturn {
        let tokens = SealedTokens {
            access_token: Sealed(String::new()),
            access_expires_at: time.to_owned(),
            refresh_token: Sealed(String::new()),
            tokens_version: 1,
        };
        let connection = XeroConnection {
            consent: "c".to_owned(),
            connected_at: time.to_owned(),
            xero_user: None,
            auth_event: None,
            chosen: None,
            tokens,
            reconnect_needed: false,
        };
        XeroReturn::of(connection, time.parse().unwrap())
    }

    #[test]
    fn giving_back_is_tried_with_growing_pauses_until_the_tokens_are_dead() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let mut it = returned_at("2026-11-22T10:00:00Z");
        for (attempts, minutes) in [(0, 1), (1, 2), (6, 64), (7, 120), (40, 120)] {
            it.attempts = attempts;
            let pause = it.next_attempt(now).duration_since(now);
            assert_eq!(pause, SignedDuration::from_mins(minutes), "{attempts}");
        }
        let after = |days: i64| now + SignedDuration::from_hours(24 * days);
        assert!(!it.is_hopeless(after(59)));
        assert!(it.is_hopeless(after(60)));
    }
}
