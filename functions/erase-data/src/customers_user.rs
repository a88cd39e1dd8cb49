//! IAM: the user by which a portal's customer puts files, as it is taken away. How it is made is
//! `regenerate-credentials`' business.

use aws_config::BehaviorVersion;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use mapping::identity::PortalId;
use platform::failure::CallFailed;
use platform::key_pairs::{POLICY, user_name};
use std::fmt;

/// The users of all portals.
pub(crate) struct CustomersUser {
    client: Client,
    stage: String,
}

impl CustomersUser {
    /// IAM answers at once or is asked again by the next invocation.
    pub(crate) async fn prompt(stage: String) -> Self {
        let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
        CustomersUser {
            client: Client::new(&config),
            stage,
        }
    }

    /// Takes the portal's keys, rights and user away; what is gone already is no failure. IAM deletes no user that
    /// still has one of them.
    pub(crate) async fn delete(&self, portal: PortalId) -> Result<(), CallFailed> {
        let name = user_name(&self.stage, portal);
        let keys = self.client.list_access_keys().user_name(&name).send().await;
        let keys = unless_gone("list the portal's keys", keys)?;
        for key in keys.iter().flat_map(|keys| keys.access_key_metadata()) {
            let removed = self
                .client
                .delete_access_key()
                .user_name(&name)
                .set_access_key_id(key.access_key_id.clone());
            unless_gone("remove a key", removed.send().await)?;
        }
        let rights = self.client.delete_user_policy().user_name(&name);
        let rights = rights.policy_name(POLICY).send().await;
        unless_gone("take the portal's user its rights", rights)?;
        let user = self.client.delete_user().user_name(&name).send().await;
        unless_gone("delete the portal's user", user)?;
        Ok(())
    }
}

fn unless_gone<T, E, R>(
    what: &'static str,
    answer: Result<T, SdkError<E, R>>,
) -> Result<Option<T>, CallFailed>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("NoSuchEntity") => Ok(None),
        Err(error) => Err(CallFailed::sdk(what)(error)),
    }
}
