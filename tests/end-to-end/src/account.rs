//! People who sign in: accounts of the stack's user pool, made as an operator's console makes them.

use crate::{Answer, Stack};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, AuthFlowType, MessageActionType};
use serde_json::Value;

/// Somebody who has signed in.
pub struct Account {
    /// The address that the account is for.
    pub email: String,
    pub(crate) token: String,
    stack: Stack,
}

const PASSWORD: &str = "Only-4-tests-on-this-machine";

impl Account {
    /// An administrator of this portal.
    pub async fn administrator(stack: &Stack, portal_id: &str) -> Self {
        let email = format!("admin@{portal_id}.example");
        let attributes = [("custom:portal_id", portal_id)];
        Account::made(stack, email, "administrator", &attributes).await
    }

    /// Somebody with this group, and these attributes beside the address.
    pub async fn made(
        stack: &Stack,
        email: String,
        group: &str,
        attributes: &[(&str, &str)],
    ) -> Self {
        let client = Client::new(stack.config());
        let pool = stack.output("UserPoolId");
        let attribute = |(name, value): (&str, &str)| {
            let attribute = AttributeType::builder().name(name).value(value);
            attribute.build().unwrap()
        };
        let own = [("email", email.as_str()), ("email_verified", "true")];
        let attributes = own.into_iter().chain(attributes.iter().copied());
        let make = client
            .admin_create_user()
            .user_pool_id(&pool)
            .username(&email)
            .set_user_attributes(Some(attributes.map(attribute).collect()))
            .message_action(MessageActionType::Suppress);
        make.send().await.unwrap();
        let add = client.admin_add_user_to_group().user_pool_id(&pool);
        let add = add.username(&email).group_name(group);
        add.send().await.unwrap();
        Account::there(stack, email).await
    }

    /// Somebody who has an account, and now chooses a password: as the mail with the first one lets them.
    pub async fn there(stack: &Stack, email: String) -> Self {
        let client = Client::new(stack.config());
        let set = client.admin_set_user_password();
        let set = set.user_pool_id(stack.output("UserPoolId"));
        let set = set.username(&email).password(PASSWORD).permanent(true);
        set.send().await.unwrap();
        Account {
            token: sign_in(&client, stack, &email).await,
            email,
            stack: stack.clone(),
        }
    }

    /// A request of theirs.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let token = Some(self.token.as_str());
        self.stack.call(method, path, token, body).await
    }

    /// The same with a body of any kind.
    pub async fn send(&self, kind: &str, method: &str, path: &str, body: &[u8]) -> Answer {
        let (token, body) = (Some(self.token.as_str()), Some(body.to_vec()));
        self.stack.call_with(kind, method, path, token, body).await
    }
}

async fn sign_in(client: &Client, stack: &Stack, email: &str) -> String {
    let signed_in = client
        .admin_initiate_auth()
        .user_pool_id(stack.output("UserPoolId"))
        .client_id(stack.output("UserPoolClientId"))
        .auth_flow(AuthFlowType::AdminUserPasswordAuth)
        .auth_parameters("USERNAME", email)
        .auth_parameters("PASSWORD", PASSWORD);
    let result = signed_in.send().await.unwrap().authentication_result;
    result.unwrap().id_token.unwrap()
}
