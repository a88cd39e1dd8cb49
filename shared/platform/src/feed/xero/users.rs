//! `XERO_USER#<id>`: which portals have tokens of a Xero user. They are the user's and our app's, not the portals': each
//! could see what the others have connected, and revoking one takes all of them. What is in use elsewhere stays.

use super::super::FeedTable;
use super::connection::XeroConnection;
use crate::failure::CallFailed;
use crate::keys::{Key, PK};
use aws_sdk_dynamodb::types::AttributeValue;
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

/// That a portal has tokens of a Xero user.
#[derive(Serialize, Deserialize)]
pub(super) struct UserItem {
    portal_id: PortalId,
    consent: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
}

impl XeroConnection {
    pub(super) fn user_key(&self, portal: PortalId) -> Option<Key> {
        let user = self.xero_user.as_ref();
        user.map(|user| Key::xero_user(user, portal))
    }

    pub(super) fn user_item(&self, portal_id: PortalId) -> UserItem {
        UserItem {
            portal_id,
            consent: self.consent.clone(),
            tenant_id: self.chosen.as_ref().map(|it| it.tenant_id.clone()),
        }
    }
}

/// What else is in use of a Xero user, so that it must stay connected.
#[derive(Default)]
pub struct InUse {
    /// Whether anything is. What stays connected is given back with the last of it.
    pub any: bool,
    /// Somebody has not chosen an organisation yet: any may be theirs.
    undecided: bool,
    tenants: Vec<String>,
}

impl InUse {
    /// Whether somebody else imports from this organisation.
    pub fn has_chosen(&self, tenant_id: &str) -> bool {
        self.tenants.iter().any(|it| it == tenant_id)
    }

    /// Whether an organisation is, or may be, one of those.
    pub fn has(&self, tenant_id: &str) -> bool {
        self.undecided || self.has_chosen(tenant_id)
    }
}

impl FeedTable {
    /// What must stay connected of the Xero user when a connection is given back.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn in_use(&self, it: &XeroConnection) -> Result<InUse, CallFailed> {
        let Some(user) = &it.xero_user else {
            return Ok(InUse {
                // Who gave it is not known: others may be theirs.
                any: true,
                ..InUse::default()
            });
        };
        let others = self.in_use_of_user(user, &it.consent).await?;
        Ok(InUse {
            any: !others.is_empty(),
            undecided: others.iter().any(|other| other.tenant_id.is_none()),
            tenants: others.into_iter().filter_map(|it| it.tenant_id).collect(),
        })
    }

    /// Whether other portals, or this one by another consent, have tokens of the Xero user: what must stay connected
    /// when the ones of `consent` are given back.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    async fn in_use_of_user(
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
            .expression_attribute_values(
                ":pk",
                AttributeValue::S(Key::xero_user_partition(xero_user)),
            )
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_use_stays_connected() {
        let mut in_use = InUse {
            any: true,
            undecided: false,
            tenants: vec!["t1".to_owned()],
        };
        assert!(in_use.has("t1") && !in_use.has("t2"));
        in_use.undecided = true;
        assert!(in_use.has("t1") && in_use.has("t2"));
        assert!(!InUse::default().has("t1"));
    }
}
