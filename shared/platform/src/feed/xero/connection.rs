//! `XERO`: the connection that a portal has to Xero, and its tokens, sealed. It is made by one consent and ends by
//! becoming a return; another consent takes its place, and never changes it. `XERO_USER#<id>` says which portals have
//! tokens of the same Xero user: revoking one takes all of them.

use super::super::{Entry, FeedTable, item_of, update_refused};
use super::ABSENT;
use super::returns::XeroReturn;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::feed::portals::THERE;
use crate::keys::{Key, PK, work_shard};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

/// How long a portal stays connected that imports nothing (`docs/xero.md`, "Giving back").
pub const CONNECTED_FOR: SignedDuration = SignedDuration::from_hours(24);

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

/// The organisation that people are imported from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenOrganisation {
    /// By which calls name it.
    pub tenant_id: String,
    /// As Xero calls it, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// A portal's connection. No `Debug`: it has tokens, though sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XeroConnection {
    /// By which consent; a name that no other has.
    pub consent: String,
    /// When; RFC 3339.
    pub connected_at: String,
    /// Who gave it, as Xero calls them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xero_user: Option<String>,
    /// What Xero calls the consent, by which the connections that it made are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_event: Option<String>,
    /// `None`: nobody has chosen yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<ChosenOrganisation>,
    /// As they are now.
    #[serde(flatten)]
    pub tokens: SealedTokens,
    /// Xero takes the tokens no more.
    #[serde(default)]
    pub reconnect_needed: bool,
}

/// The item: due when it is to be given back.
#[derive(Serialize)]
struct ConnectionItem<'c> {
    #[serde(flatten)]
    connection: &'c XeroConnection,
    work_shard: String,
    due_at: String,
}

/// How a portal is connected.
#[derive(Clone, Copy)]
pub struct Connecting<'c> {
    /// By this; sealed to the portal.
    pub connection: &'c XeroConnection,
    /// The connection that the portal has had.
    pub before: Option<&'c XeroConnection>,
    /// Where the new one was kept, to be given back should nothing come of it.
    pub kept_at: PortalId,
    /// `false` while somebody signs up.
    pub portal_is_there: bool,
}

/// Where tokens are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connected {
    /// In the portal's connection.
    Now,
    /// In one that is to be given back.
    Returning,
}

/// That a portal has tokens of a Xero user.
#[derive(Serialize, Deserialize)]
pub(super) struct UserItem {
    pub(super) portal_id: PortalId,
    pub(super) consent: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tenant_id: Option<String>,
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

impl XeroConnection {
    fn user_key(&self, portal: PortalId) -> Option<Key> {
        let user = self.xero_user.as_ref();
        user.map(|user| Key::xero_user(user, portal))
    }

    fn user_item(&self, portal_id: PortalId) -> UserItem {
        UserItem {
            portal_id,
            consent: self.consent.clone(),
            tenant_id: self.chosen.as_ref().map(|it| it.tenant_id.clone()),
        }
    }
}

impl FeedTable {
    /// The portal's connection.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn xero_connection(
        &self,
        portal: PortalId,
    ) -> Result<Option<XeroConnection>, CallFailed> {
        self.get("read the connection with Xero", Key::xero(portal))
            .await
    }

    /// Connects a portal, in the place of the connection that there is, which is given back. `false`: that is not as it
    /// was in `before` any more, an import is under way, or the portal is gone, or there.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn connect_xero(
        &self,
        portal: PortalId,
        change: &Connecting<'_>,
        now: Timestamp,
        entry: Option<Entry>,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "store the connection with Xero";
        let Connecting {
            connection,
            before,
            kept_at,
            portal_is_there,
        } = *change;
        let item = ConnectionItem {
            connection,
            work_shard: work_shard(portal),
            due_at: stamp(now + CONNECTED_FOR),
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(WHAT, &Key::xero(portal), item)?));
        let put = match before {
            None => put.condition_expression(ABSENT),
            Some(before) => put
                .condition_expression("consent = :before AND tokens_version = :version")
                .expression_attribute_values(":before", text(&before.consent))
                .expression_attribute_values(
                    ":version",
                    AttributeValue::N(before.tokens.tokens_version.to_string()),
                ),
        };
        let put = put.build().map_err(CallFailed::to(WHAT))?;
        let there = if portal_is_there { THERE } else { ABSENT };
        let mut changes = vec![
            TransactWriteItem::builder().put(put).build(),
            self.delete_of(WHAT, &Key::xero_return(kept_at, &connection.consent))?,
            self.only_if(WHAT, &Key::portal(portal), there)?,
            self.only_if(WHAT, &Key::xero_import(portal), ABSENT)?,
        ];
        if let Some(before) = before {
            changes.push(self.put_return(WHAT, portal, before, now)?);
            if let Some(left) = before
                .user_key(portal)
                .filter(|_| before.xero_user != connection.xero_user)
            {
                changes.push(self.delete_of(WHAT, &left)?);
            }
        }
        if let Some(key) = connection.user_key(portal) {
            changes.push(self.put_if(WHAT, &key, connection.user_item(portal), None)?);
        }
        changes.extend(entry.map(|Entry(entry)| entry));
        self.write(WHAT, changes).await
    }

    /// Chooses the organisation that people are imported from. `false`: the connection is another by now, or an
    /// import is under way.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn choose_organisation(
        &self,
        portal: PortalId,
        connection: &XeroConnection,
        chosen: &ChosenOrganisation,
        Entry(entry): Entry,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "store the chosen organisation";
        let value =
            serde_dynamo::to_attribute_value(chosen).map_err(CallFailed::malformed(WHAT))?;
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::xero(portal).item()))
            .update_expression("SET chosen = :chosen")
            .condition_expression("consent = :consent")
            .expression_attribute_values(":chosen", value)
            .expression_attribute_values(":consent", text(&connection.consent))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let mut changes = vec![
            TransactWriteItem::builder().update(update).build(),
            self.only_if(WHAT, &Key::xero_import(portal), ABSENT)?,
            entry,
        ];
        if let Some(key) = connection.user_key(portal) {
            let after = XeroConnection {
                chosen: Some(chosen.clone()),
                ..connection.clone()
            };
            changes.push(self.put_if(WHAT, &key, after.user_item(portal), None)?);
        }
        self.write(WHAT, changes).await
    }

    /// Gives the portal's connection back: from now on its tokens serve for that alone. `false`: it is another by
    /// now, or an import is under way.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn return_xero(
        &self,
        portal: PortalId,
        connection: &XeroConnection,
        now: Timestamp,
        entry: Option<Entry>,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "give the connection with Xero back";
        let mut changes = self.returning(WHAT, portal, connection, now)?;
        changes.push(self.only_if(WHAT, &Key::xero_import(portal), ABSENT)?);
        changes.extend(entry.map(|Entry(entry)| entry));
        self.write(WHAT, changes).await
    }

    /// Keeps tokens that no portal is connected by, to give them back from this time on.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn keep_to_return(
        &self,
        portal: PortalId,
        connection: &XeroConnection,
        due_at: Timestamp,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "keep what is to be given back to Xero";
        let kept = self.put_return(WHAT, portal, connection, due_at)?;
        match self.write(WHAT, [kept]).await? {
            true => Ok(()),
            false => Err(CallFailed::new(
                WHAT,
                "others write the same, again and again",
            )),
        }
    }

    /// Gives back what a portal is connected by that is given up: nothing is imported any more. `false`: it is being
    /// changed at this moment.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn give_xero_up(&self, portal: PortalId, now: Timestamp) -> Result<bool, CallFailed> {
        const WHAT: &str = "give the connection with Xero up";
        let import = self.delete_of(WHAT, &Key::xero_import(portal))?;
        self.write(WHAT, [import]).await?;
        match self.xero_connection(portal).await? {
            Some(connection) => self.return_xero(portal, &connection, now, None).await,
            None => Ok(true),
        }
    }

    /// The parts of a transaction by which a connection becomes one that is to be given back.
    pub(super) fn returning(
        &self,
        what: &'static str,
        portal: PortalId,
        connection: &XeroConnection,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, CallFailed> {
        let version = connection.tokens.tokens_version.to_string();
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(Key::xero(portal).item()))
            .condition_expression("consent = :consent AND tokens_version = :version")
            .expression_attribute_values(":consent", text(&connection.consent))
            .expression_attribute_values(":version", AttributeValue::N(version))
            .build()
            .map_err(CallFailed::to(what))?;
        let mut changes = vec![
            TransactWriteItem::builder().delete(delete).build(),
            self.put_return(what, portal, connection, now)?,
        ];
        if let Some(key) = connection.user_key(portal) {
            changes.push(self.delete_of(what, &key)?);
        }
        Ok(changes)
    }

    fn put_return(
        &self,
        what: &'static str,
        portal: PortalId,
        connection: &XeroConnection,
        due_at: Timestamp,
    ) -> Result<TransactWriteItem, CallFailed> {
        let item = XeroReturn::of(connection.clone(), due_at);
        let key = Key::xero_return(portal, &connection.consent);
        self.put_if(what, &key, item.item(portal), None)
    }

    /// Whether other portals, or this one by another consent, have tokens of the Xero user: what must stay connected
    /// when the ones of `consent` are given back.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub(super) async fn in_use_of_user(
        &self,
        xero_user: &str,
        consent: &str,
    ) -> Result<Vec<UserItem>, CallFailed> {
        const WHAT: &str = "read who has tokens of a Xero user";
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(Key::xero_user_partition(xero_user)))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut users = Vec::new();
        while let Some(page) = pages.next().await {
            let items = page.map_err(CallFailed::sdk(WHAT))?.items;
            let items: Vec<UserItem> = serde_dynamo::from_items(items.unwrap_or_default())
                .map_err(CallFailed::malformed(WHAT))?;
            users.extend(items.into_iter().filter(|item| item.consent != consent));
        }
        Ok(users)
    }

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
