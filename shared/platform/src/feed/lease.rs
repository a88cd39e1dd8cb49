//! `LEASE`: one worker at a time for each portal (`docs/reliability.md`, "The lease"). A lease is held for
//! [`LEASE`] and renewed long before that; whoever stops renewing loses it, and its token, which only
//! grows, is what everything that was written under it can be told by.

use super::{FeedTable, condition_failed, item_of, put_refused, update_refused};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Key, WORK_DUE_AT, WORK_SHARD, work_shard};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, TransactWriteItem};
use jiff::Timestamp;
use mapping::identity::PortalId;
use serde::Deserialize;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How long a lease lasts that nobody renews.
pub const LEASE: Duration = Duration::from_secs(15);

/// How often it is renewed. What is left until the silence is for renewals that fail.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Nothing is sent in the last part of a lease, so that what is under way arrives before it ends.
const SILENT: Duration = Duration::from_secs(3);

/// A renewal that has no answer by then is sent again.
const RENEWAL: Duration = Duration::from_secs(2);

/// A renewal that failed is sent again after this: three times before the silence where nobody answers, a dozen
/// times where somebody refuses.
const RENEWAL_PAUSE: Duration = Duration::from_millis(500);

/// How often somebody else's lease is looked at by who waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The lease of a portal as the table has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LeaseItem {
    /// Goes up with every holder; 0: there was none yet.
    pub token: u64,
    /// Who holds it; absent when it was given back.
    pub owner: Option<String>,
    /// Until when, unless it is renewed; absent when it was given back.
    pub expires_at: Option<String>,
}

/// What is known of a lease that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has it.
    Free,
    /// Somebody has it and renews it.
    Held,
    /// Somebody had it and has not renewed it in time.
    Expired,
}

impl LeaseItem {
    /// How the lease stands at this time.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match &self.expires_at {
            None => Standing::Free,
            Some(expires_at) if *expires_at > stamp(now) => Standing::Held,
            Some(_) => Standing::Expired,
        }
    }
}

/// What an attempt to take a lease came to.
pub enum Acquired {
    /// It is ours.
    Ours(Lease),
    /// Somebody else has it, as it stands here.
    Held(LeaseItem),
}

/// A lease that this process holds. Not cloneable: there is one holder.
pub struct Lease {
    table: FeedTable,
    portal: PortalId,
    owner: String,
    token: u64,
    /// What is known for certain: the last renewal that was confirmed, counted from before it was sent.
    /// By the monotonic clock, which goes on while the process is stopped.
    known_until: Cell<Instant>,
    clock: crate::clock::Clock,
}

/// What a transaction of another table carries, so that it is refused once somebody took the lease over, however
/// late it arrives.
#[derive(Clone)]
pub struct Fence(pub(crate) TransactWriteItem);

/// The lease is not ours any more, or nobody could say in time that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseLost;

impl Lease {
    /// What this holder's writes are told by.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Whether anything may be sent under the lease now.
    ///
    /// # Errors
    ///
    /// Its last part has begun.
    pub fn check(&self) -> Result<(), LeaseLost> {
        if Instant::now() < self.silent_from() {
            Ok(())
        } else {
            Err(LeaseLost)
        }
    }

    /// Renews the lease as long as this is polled; ends only when it is lost. Runs beside the work, in the
    /// same task and polled first, so that nothing is sent once it has ended.
    pub async fn keep(&self) -> LeaseLost {
        loop {
            let renewed_at = self.known_until.get() - LEASE;
            sleep_until((renewed_at + RENEW_EVERY).min(self.silent_from())).await;
            if self.check().is_err() {
                return LeaseLost;
            }
            let sent_at = Instant::now();
            match timeout_at(self.silent_from(), self.renew()).await {
                Ok(Ok(true)) => self.known_until.set(sent_at + LEASE),
                Ok(Ok(false)) | Err(_) => return LeaseLost,
                Ok(Err(error)) => {
                    tracing::info!(portal_id = %self.portal, ?error, "the lease is not renewed yet");
                    sleep_until((Instant::now() + RENEWAL_PAUSE).min(self.silent_from())).await;
                }
            }
        }
    }

    /// When its last part begins, in which nothing may be sent. For work that is short enough not to renew.
    pub fn silent_from(&self) -> Instant {
        self.known_until.get() - SILENT
    }

    async fn renew(&self) -> Result<bool, CallFailed> {
        let expires_at = stamp((self.clock)() + LEASE);
        let request = self
            .ours()
            .update_expression(format!("SET expires_at = :until, {WORK_DUE_AT} = :until"))
            .condition_expression("#token = :token AND #owner = :owner AND expires_at < :until")
            .expression_attribute_values(":until", AttributeValue::S(expires_at));
        // Repeated by `keep`, which knows how long it still makes sense.
        let once = aws_sdk_dynamodb::config::Builder::new()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(RENEWAL)
                    .build(),
            );
        match request.customize().config_override(once).send().await {
            Ok(_) => Ok(true),
            // Somebody else's by now; or a renewal that was thought lost has arrived after this one was sent.
            Err(error) if update_refused(&error) => {
                let found = self.table.lease(self.portal).await?;
                Ok(found.token == self.token && found.owner.as_ref() == Some(&self.owner))
            }
            Err(error) => Err(CallFailed::sdk("renew the lease")(error)),
        }
    }

    /// Gives the lease back, so that nobody has to wait for its end.
    ///
    /// # Errors
    ///
    /// The table could not be written; the lease then ends by itself.
    pub async fn give_back(self) -> Result<(), CallFailed> {
        let request = self.ours().update_expression(format!(
            "REMOVE #owner, expires_at, {WORK_SHARD}, {WORK_DUE_AT}"
        ));
        match request.send().await {
            Ok(_) => Ok(()),
            // Somebody else's by now, or given back by an attempt whose answer was lost.
            Err(error) if update_refused(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk("give the lease back")(error)),
        }
    }

    /// Ends the lease of a portal that is gone: nobody takes it any more.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn end(self) -> Result<(), CallFailed> {
        const WHAT: &str = "end the lease";
        let request = self.table.client.transact_write_items();
        match request.transact_items(self.ends(WHAT)?).send().await {
            Ok(_) => Ok(()),
            // Somebody else's by now, or ended by an attempt whose answer was lost.
            Err(error) if condition_failed(&error) => Ok(()),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// For what is written elsewhere under the lease.
    ///
    /// # Errors
    ///
    /// The SDK would not make it.
    pub fn fence(&self) -> Result<Fence, CallFailed> {
        Ok(Fence(self.still_held("check the lease")?))
    }

    /// A part of a transaction that holds as long as nobody took the lease over.
    pub(super) fn still_held(&self, what: &'static str) -> Result<TransactWriteItem, CallFailed> {
        let check = ConditionCheck::builder()
            .table_name(&self.table.table)
            .set_key(Some(Key::lease(self.portal).item()))
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":token", AttributeValue::N(self.token.to_string()))
            .build()
            .map_err(CallFailed::to(what))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// A part of a transaction that deletes the lease, as long as nobody took it over.
    pub(super) fn ends(&self, what: &'static str) -> Result<TransactWriteItem, CallFailed> {
        let delete = Delete::builder()
            .table_name(&self.table.table)
            .set_key(Some(Key::lease(self.portal).item()))
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":token", AttributeValue::N(self.token.to_string()))
            .build()
            .map_err(CallFailed::to(what))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// An update of the lease if it is still ours.
    fn ours(&self) -> UpdateItemFluentBuilder {
        self.table
            .client
            .update_item()
            .table_name(&self.table.table)
            .set_key(Some(Key::lease(self.portal).item()))
            .condition_expression("#token = :token AND #owner = :owner")
            .expression_attribute_names("#token", "token")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":token", AttributeValue::N(self.token.to_string()))
            .expression_attribute_values(":owner", AttributeValue::S(self.owner.clone()))
    }
}

impl FeedTable {
    /// The portal's lease as it stands, read consistently.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn lease(&self, portal: PortalId) -> Result<LeaseItem, CallFailed> {
        Ok(self
            .get("read the lease", Key::lease(portal))
            .await?
            .unwrap_or_default())
    }

    /// Takes the portal's lease if nobody holds it. `owner` is this attempt's own name, and
    /// nobody else's ever: not that of another attempt of the same process either.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn take_lease(
        &self,
        portal: PortalId,
        owner: &str,
        clock: crate::clock::Clock,
    ) -> Result<Acquired, CallFailed> {
        let seen = self.lease(portal).await?;
        if seen.standing(clock()) == Standing::Held {
            return Ok(Acquired::Held(seen));
        }
        let sent_at = Instant::now();
        let token = seen.token + 1;
        if !self
            .put_lease(portal, owner, &seen, token, clock() + LEASE)
            .await?
        {
            let found = self.lease(portal).await?;
            // The answer to a write may be lost, and the SDK then repeats it against what it wrote itself.
            if found.token != token || found.owner.as_deref() != Some(owner) {
                return Ok(Acquired::Held(found));
            }
        }
        Ok(Acquired::Ours(Lease {
            table: self.clone(),
            portal,
            owner: owner.to_owned(),
            token,
            known_until: Cell::new(sent_at + LEASE),
            clock,
        }))
    }

    /// The same, and waits for it as long as this. `owner` makes a name for each attempt: one whose answer never came may
    /// still arrive, and is not ours then. `None`: somebody else has had it all the time.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn wait_for_lease(
        &self,
        portal: PortalId,
        patience: Duration,
        owner: impl Fn() -> String,
        clock: crate::clock::Clock,
    ) -> Result<Option<Lease>, CallFailed> {
        let until = Instant::now() + patience;
        loop {
            match self.take_lease(portal, &owner(), clock).await? {
                Acquired::Ours(lease) if lease.check().is_ok() => return Ok(Some(lease)),
                // That took so long that next to nothing is left of it.
                Acquired::Ours(lease) => lease.give_back().await?,
                Acquired::Held(_) => {}
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// `false`: the lease is not as it was seen any more.
    async fn put_lease(
        &self,
        portal: PortalId,
        owner: &str,
        seen: &LeaseItem,
        token: u64,
        until: Timestamp,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "take the lease";
        let until = stamp(until);
        let item = HeldItem {
            token,
            owner,
            expires_at: &until,
            work_shard: work_shard(portal),
            due_at: &until,
        };
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &Key::lease(portal), item)?))
            .expression_attribute_names("#token", "token");
        let request = match &seen.expires_at {
            _ if seen.token == 0 => request.condition_expression("attribute_not_exists(#token)"),
            Some(expires_at) => request
                .condition_expression("#token = :token AND expires_at = :seen")
                .expression_attribute_values(":token", AttributeValue::N(seen.token.to_string()))
                .expression_attribute_values(":seen", AttributeValue::S(expires_at.clone())),
            None => request
                .condition_expression("#token = :token AND attribute_not_exists(expires_at)")
                .expression_attribute_values(":token", AttributeValue::N(seen.token.to_string())),
        };
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if put_refused(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }
}

/// The item of a lease that is held. It is due when it ends: then the sweep looks.
#[derive(serde::Serialize)]
struct HeldItem<'l> {
    token: u64,
    owner: &'l str,
    expires_at: &'l str,
    work_shard: String,
    due_at: &'l str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_free_held_or_expired() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let lease = |expires_at: Option<Timestamp>| LeaseItem {
            token: 7,
            owner: expires_at.map(|_| "somebody".to_owned()),
            expires_at: expires_at.map(stamp),
        };
        assert_eq!(LeaseItem::default().standing(now), Standing::Free);
        assert_eq!(lease(None).standing(now), Standing::Free);
        assert_eq!(lease(Some(now + LEASE)).standing(now), Standing::Held);
        assert_eq!(lease(Some(now)).standing(now), Standing::Expired);
    }
}
