//! `XERO_STATE#<sha256 of the state>`: somebody who was sent to Xero and is expected back. The state itself is nowhere
//! kept, and neither is what the browser proves itself by. Taken once; what nobody comes back for, DynamoDB deletes.

use super::super::{ActingAs, FeedTable};
use super::{ABSENT, delete_after};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::feed::portals::THERE;
use crate::keys::Key;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

/// How long somebody may take to sign in at Xero and choose.
pub const ATTEMPT_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// An attempt to connect. No `Debug`: it has an address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// By which the browser is recognised: the S256 challenge (RFC 7636, 4.2) of the verifier that it keeps.
    pub challenge: String,
    /// Who wants it, and for what.
    pub begun_by: BegunBy,
    /// Until when; RFC 3339.
    pub expires_at: String,
}

/// Who wants to connect.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BegunBy {
    /// Somebody who may act for the portal.
    Caller {
        /// The token's e-mail address.
        email: String,
        /// As whom.
        acting_as: ActingAs,
    },
    /// Somebody who has no portal yet; the number is kept for theirs.
    SigningUp {
        /// The company's name.
        name: String,
        /// ISO 3166-1 alpha-2.
        country: String,
    },
}

impl Attempt {
    /// That begins now.
    pub fn new(challenge: String, begun_by: BegunBy, now: Timestamp) -> Self {
        Attempt {
            challenge,
            begun_by,
            expires_at: stamp(now + ATTEMPT_LIFETIME),
        }
    }

    /// Whether it is too late.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= stamp(now)
    }
}

#[derive(Serialize)]
struct AttemptItem<'a> {
    #[serde(flatten)]
    attempt: &'a Attempt,
    delete_after: i64,
}

impl FeedTable {
    /// Expects somebody back. `false`: there is no such portal, or it is being given up; or, of somebody who signs
    /// up, there is one of this number.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn begin_attempt(
        &self,
        portal: PortalId,
        state_hash: &str,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "begin to connect with Xero";
        let item = AttemptItem {
            attempt,
            delete_after: delete_after(now + ATTEMPT_LIFETIME),
        };
        let there = match attempt.begun_by {
            BegunBy::Caller { .. } => THERE,
            BegunBy::SigningUp { .. } => ABSENT,
        };
        let key = Key::xero_attempt(portal, state_hash);
        let changes = [
            self.put_if(WHAT, &key, item, Some(ABSENT))?,
            self.only_if(WHAT, &Key::portal(portal), there)?,
        ];
        self.write(WHAT, changes).await
    }

    /// The attempt of this state, if somebody is expected with it; also one that has expired.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn attempt(
        &self,
        portal: PortalId,
        state_hash: &str,
    ) -> Result<Option<Attempt>, CallFailed> {
        let key = Key::xero_attempt(portal, state_hash);
        self.get("read who comes back from Xero", key).await
    }

    /// Takes the attempt, so that nobody else does. `false`: somebody has.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn take_attempt(
        &self,
        portal: PortalId,
        state_hash: &str,
    ) -> Result<bool, CallFailed> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(Key::xero_attempt(portal, state_hash).item()))
            .condition_expression("attribute_exists(pk)");
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(CallFailed::sdk("take who comes back from Xero")(error)),
        }
    }
}
