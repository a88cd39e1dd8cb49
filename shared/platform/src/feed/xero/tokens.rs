//! The tokens of a connection, sealed: as they are stored, and how one at a time refreshes them. They are in the portal's
//! connection (`XERO`), or in one that is to be given back (`XERO_RETURN#<consent>`).

use super::super::{FeedTable, update_refused};
use super::connection::XeroConnection;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::Key;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

/// A refresh that takes longer has died.
const REFRESHING: SignedDuration = SignedDuration::from_secs(60);

/// Something that only its key opens, as base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

/// Both tokens of a consent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedTokens {
    /// What calls are made with.
    pub access_token: Sealed,
    /// Until when; RFC 3339.
    pub access_expires_at: String,
    /// What other tokens are got with, once.
    pub refresh_token: Sealed,
    /// Goes up with every refresh.
    pub tokens_version: u64,
}

/// Where tokens are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connected {
    /// In the portal's connection.
    Now,
    /// In one that is to be given back.
    Returning,
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

impl FeedTable {
    /// Marks that somebody refreshes these tokens now. `false`: somebody else does, or they are others by now.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn begin_refresh(
        &self,
        portal: PortalId,
        connected: &Connected,
        connection: &XeroConnection,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        let request = self
            .of_tokens(portal, connected, connection)
            .update_expression("SET refreshing_by = :by, refreshing_until = :until")
            .condition_expression(
                "consent = :consent AND tokens_version = :version AND \
                 (attribute_not_exists(refreshing_until) OR refreshing_until < :now \
                  OR refreshing_by = :by)",
            )
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":now", text(stamp(now)))
            .expression_attribute_values(":until", text(stamp(now + REFRESHING)));
        sent("begin to refresh the tokens", request).await
    }

    /// Stores the tokens that this refresh has got. `false`: the connection is another by now.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn store_tokens(
        &self,
        portal: PortalId,
        connected: &Connected,
        connection: &XeroConnection,
        tokens: &SealedTokens,
    ) -> Result<bool, CallFailed> {
        let request = self
            .of_tokens(portal, connected, connection)
            .update_expression(
                "SET access_token = :access, access_expires_at = :expires, \
                 refresh_token = :refresh, tokens_version = :next \
                 REMOVE refreshing_by, refreshing_until",
            )
            .condition_expression("consent = :consent AND tokens_version = :version")
            .expression_attribute_values(":access", text(&tokens.access_token.0))
            .expression_attribute_values(":expires", text(&tokens.access_expires_at))
            .expression_attribute_values(":refresh", text(&tokens.refresh_token.0))
            .expression_attribute_values(
                ":next",
                AttributeValue::N(tokens.tokens_version.to_string()),
            );
        sent("store the tokens", request).await
    }

    /// Lets others refresh the tokens, which this one could not.
    ///
    /// # Errors
    ///
    /// The table could not be written; others may after a minute.
    pub async fn end_refresh(
        &self,
        portal: PortalId,
        connected: &Connected,
        connection: &XeroConnection,
    ) -> Result<(), CallFailed> {
        let request = self
            .of_tokens(portal, connected, connection)
            .update_expression("REMOVE refreshing_by, refreshing_until")
            .condition_expression("consent = :consent AND tokens_version = :version");
        sent("end the refresh", request).await?;
        Ok(())
    }

    /// Marks that Xero takes these tokens no more. Nothing happens if they are others by now.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn mark_reconnect_needed(
        &self,
        portal: PortalId,
        connection: &XeroConnection,
    ) -> Result<(), CallFailed> {
        let request = self
            .of_tokens(portal, &Connected::Now, connection)
            .update_expression("SET reconnect_needed = :yes REMOVE refreshing_by, refreshing_until")
            .condition_expression("consent = :consent AND tokens_version = :version")
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
        sent("mark that Xero takes the tokens no more", request).await?;
        Ok(())
    }

    /// An update of where these tokens are; its condition is about `:consent` and `:version`.
    fn of_tokens(
        &self,
        portal: PortalId,
        connected: &Connected,
        connection: &XeroConnection,
    ) -> UpdateItemFluentBuilder {
        let key = match connected {
            Connected::Now => Key::xero(portal),
            Connected::Returning => Key::xero_return(portal, &connection.consent),
        };
        let version = connection.tokens.tokens_version.to_string();
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .expression_attribute_values(":consent", text(&connection.consent))
            .expression_attribute_values(":version", AttributeValue::N(version))
    }
}

/// `false`: the condition did not hold.
async fn sent(what: &'static str, request: UpdateItemFluentBuilder) -> Result<bool, CallFailed> {
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) if update_refused(&error) => Ok(false),
        Err(error) => Err(CallFailed::sdk(what)(error)),
    }
}
