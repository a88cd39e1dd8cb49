//! The stack's user pool: the accounts by which administrators sign in. An account says itself which portal it is for
//! (`custom:portal_id`); nobody but an operator writes that.

use crate::failure::CallFailed;
use aws_config::BehaviorVersion;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::operation::admin_create_user::AdminCreateUserError;
use aws_sdk_cognitoidentityprovider::operation::admin_delete_user::AdminDeleteUserError;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, DeliveryMediumType, MessageActionType, UserStatusType,
};
use mapping::identity::PortalId;
use serde::Serialize;
use std::collections::BTreeSet;

const PORTAL: &str = "custom:portal_id";
const EMAIL: &str = "email";

/// The group whose members act for the portal that their account names.
const ADMINISTRATORS: &str = "administrator";
/// The group whose members act for any portal.
const OPERATORS: &str = "operator";

/// The accounts of all portals.
#[derive(Clone)]
pub struct Accounts {
    client: Client,
    pool_id: String,
}

/// An account. No `Debug`: it has an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// What the pool calls it; never the address.
    pub account_id: String,
    /// By which its owner signs in.
    pub email: String,
    /// For which portal it is; `None`: for none, or what stands there is no portal.
    pub portal: Option<PortalId>,
    /// Whether it can be used.
    pub state: AccountState,
}

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// Its owner has not signed in with the invitation's password yet.
    Invited,
    /// It can.
    Active,
    /// Somebody has switched it off.
    Disabled,
}

impl AccountState {
    fn of(enabled: bool, status: Option<&UserStatusType>) -> Self {
        match status {
            _ if !enabled => AccountState::Disabled,
            Some(UserStatusType::ForceChangePassword) => AccountState::Invited,
            _ => AccountState::Active,
        }
    }
}

/// What became of an invitation.
pub enum Invited {
    /// There is an account, and its owner has a mail.
    Made(Account),
    /// The address has an account.
    Exists,
    /// The pool does not take it for an address: it knows fewer forms than the feed.
    NoAddress,
}

/// Longer names the pool refuses (Cognito, `Username`).
pub const MAX_NAME_CHARS: usize = 128;

impl Accounts {
    /// The pool of this id.
    pub async fn of_pool(pool_id: String) -> Self {
        let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
        Accounts {
            client: Client::new(&config),
            pool_id,
        }
    }

    /// The account of an address, or of an id.
    ///
    /// # Errors
    ///
    /// The pool could not be asked.
    pub async fn find(&self, name: &str) -> Result<Option<Account>, CallFailed> {
        const WHAT: &str = "look for an account";
        let request = self.client.admin_get_user().user_pool_id(&self.pool_id);
        match request.username(name).send().await {
            Ok(found) => {
                let state = AccountState::of(found.enabled, found.user_status());
                let account = account(found.username(), found.user_attributes(), state);
                account
                    .ok_or_else(|| CallFailed::malformed(WHAT)(()))
                    .map(Some)
            }
            Err(error)
                if error.as_service_error().is_some_and(|error| {
                    // What it does not take for a name has no account.
                    error.is_user_not_found_exception() || error.is_invalid_parameter_exception()
                }) =>
            {
                Ok(None)
            }
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// The ids of all accounts that name the portal. The pool finds none by that, so all of them are looked at, 60 at a
    /// time: they are administrators' alone.
    ///
    /// # Errors
    ///
    /// The pool could not be asked.
    pub async fn of_portal(&self, portal: PortalId) -> Result<BTreeSet<String>, CallFailed> {
        let mut accounts = self
            .client
            .list_users()
            .user_pool_id(&self.pool_id)
            .into_paginator()
            .items()
            .send();
        let wanted = portal.to_string();
        let mut ids = BTreeSet::new();
        while let Some(account) = accounts.next().await {
            let account = account.map_err(CallFailed::sdk("look through the accounts"))?;
            let names = |it: &&AttributeType| it.name() == PORTAL && it.value() == Some(&wanted);
            if account.attributes().iter().any(|it| names(&it)) {
                ids.extend(account.username);
            }
        }
        Ok(ids)
    }

    /// Makes an account for the portal; the pool writes to its owner. It may do nothing before
    /// [`Accounts::make_administrator`].
    ///
    /// # Errors
    ///
    /// The pool could not be written.
    pub async fn invite(&self, portal: PortalId, email: &str) -> Result<Invited, CallFailed> {
        const WHAT: &str = "make an account";
        let mut request = self
            .client
            .admin_create_user()
            .user_pool_id(&self.pool_id)
            .username(email)
            .desired_delivery_mediums(DeliveryMediumType::Email);
        for (name, value) in [
            (EMAIL, email),
            // The operator answers for the address; without it nobody could ask for a forgotten password.
            ("email_verified", "true"),
            (PORTAL, &portal.to_string()),
        ] {
            let attribute = AttributeType::builder().name(name).value(value);
            request = request.user_attributes(attribute.build().map_err(CallFailed::to(WHAT))?);
        }
        match request.send().await {
            Ok(made) => {
                let made = made.user.as_ref().and_then(|user| {
                    let state = AccountState::of(user.enabled, user.user_status());
                    account(user.username()?, user.attributes(), state)
                });
                made.ok_or_else(|| CallFailed::malformed(WHAT)(()))
                    .map(Invited::Made)
            }
            Err(error) => match error.as_service_error() {
                Some(AdminCreateUserError::UsernameExistsException(_)) => Ok(Invited::Exists),
                Some(AdminCreateUserError::InvalidParameterException(_)) => Ok(Invited::NoAddress),
                _ => Err(CallFailed::sdk(WHAT)(error)),
            },
        }
    }

    /// Sends the invitation once more, with another password: the first one works for a week.
    ///
    /// # Errors
    ///
    /// The pool could not be asked to.
    pub async fn invite_again(&self, account: &Account) -> Result<(), CallFailed> {
        self.client
            .admin_create_user()
            .user_pool_id(&self.pool_id)
            .username(&account.email)
            .desired_delivery_mediums(DeliveryMediumType::Email)
            .message_action(MessageActionType::Resend)
            .send()
            .await
            .map_err(CallFailed::sdk("send the invitation again"))?;
        Ok(())
    }

    /// Lets the account act for its portal.
    ///
    /// # Errors
    ///
    /// The pool could not be written.
    pub async fn make_administrator(&self, account: &Account) -> Result<(), CallFailed> {
        self.client
            .admin_add_user_to_group()
            .user_pool_id(&self.pool_id)
            .username(&account.account_id)
            .group_name(ADMINISTRATORS)
            .send()
            .await
            .map_err(CallFailed::sdk("make an account an administrator's"))?;
        Ok(())
    }

    /// Whether the account acts for any portal.
    ///
    /// # Errors
    ///
    /// The pool could not be asked.
    pub async fn is_operator(&self, account: &Account) -> Result<bool, CallFailed> {
        let mut pages = self
            .client
            .admin_list_groups_for_user()
            .user_pool_id(&self.pool_id)
            .username(&account.account_id)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(CallFailed::sdk("read the groups of an account"))?;
            let is_operators = |group: &aws_sdk_cognitoidentityprovider::types::GroupType| {
                group.group_name() == Some(OPERATORS)
            };
            if page.groups().iter().any(is_operators) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes an account; one that is gone is deleted.
    ///
    /// # Errors
    ///
    /// The pool could not be written.
    pub async fn delete(&self, account: &Account) -> Result<(), CallFailed> {
        let request = self.client.admin_delete_user().user_pool_id(&self.pool_id);
        match request.username(&account.account_id).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(AdminDeleteUserError::is_user_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(CallFailed::sdk("delete an account")(error)),
        }
    }
}

/// `None`: it has no address.
fn account(username: &str, attributes: &[AttributeType], state: AccountState) -> Option<Account> {
    let value = |name: &str| {
        let found = attributes.iter().find(|it| it.name() == name);
        found.and_then(|it| it.value())
    };
    Some(Account {
        account_id: username.to_owned(),
        email: value(EMAIL)?.to_owned(),
        portal: value(PORTAL).and_then(|portal| portal.parse().ok()),
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_names_one_portal_or_none() {
        let of = |attributes: &[(&str, &str)]| {
            let attributes: Vec<_> = attributes
                .iter()
                .map(|(name, value)| {
                    let attribute = AttributeType::builder().name(*name).value(*value);
                    attribute.build().unwrap()
                })
                .collect();
            account("id", &attributes, AccountState::Active)
        };
        let portal = |portal: &str| {
            of(&[(EMAIL, "ann@x.example"), (PORTAL, portal)]).and_then(|it| it.portal)
        };
        assert_eq!(portal("1001"), "1001".parse().ok());
        assert_eq!((portal(""), portal("01001")), (None, None));
        assert!(of(&[(EMAIL, "ann@x.example")]).is_some_and(|it| it.portal.is_none()));
        assert!(of(&[(PORTAL, "1001")]).is_none());
    }

    #[test]
    fn who_is_invited_has_not_signed_in_yet() {
        let invited = UserStatusType::ForceChangePassword;
        for (enabled, status, expected) in [
            (true, Some(&invited), AccountState::Invited),
            (true, Some(&UserStatusType::Confirmed), AccountState::Active),
            (false, Some(&invited), AccountState::Disabled),
        ] {
            assert_eq!(AccountState::of(enabled, status), expected);
        }
    }
}
