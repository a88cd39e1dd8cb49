//! `XERO`: the connection that a portal has to Xero, and its tokens, sealed. It is made by one consent and ends by
//! becoming a return; another consent takes its place, and never changes it.

use super::super::{Entry, FeedTable, item_of};
use super::ABSENT;
use super::returns::XeroReturn;
use super::tokens::SealedTokens;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::feed::portals::THERE;
use crate::keys::{Key, work_shard};
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

/// How long a portal stays connected that imports nothing (`docs/xero.md`, "Giving back").
pub const CONNECTED_FOR: SignedDuration = SignedDuration::from_hours(24);

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

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
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
}
