//! IAM: one user for each portal, who may put files under the portal's own path, finish and abort their uploads in
//! parts, and list that path; nothing else. A permissions boundary keeps it so, whatever becomes of the policy.

use aws_config::BehaviorVersion;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::operation::create_user::CreateUserError;
use aws_sdk_iam::types::SummaryKeyType;
use jiff::Timestamp;
use mapping::identity::PortalId;
use platform::failure::CallFailed;
use platform::key_pairs::{PATH, POLICY, user_name};
use serde::Serialize;
use serde_json::json;
use std::fmt;

/// A secret access key. It is written into one answer, and never shown otherwise.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What may be known of a key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPair {
    pub(crate) access_key_id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) last_used_at: Option<Timestamp>,
}

/// A key pair that was made just now.
#[derive(Debug)]
pub(crate) struct IssuedKey {
    pub(crate) key: KeyPair,
    pub(crate) secret: Secret,
}

/// Whether a portal has its user.
pub(crate) enum Ensured {
    /// It had.
    Before,
    /// It has one from now on, which is one more in the AWS account.
    Now,
}

/// The key pairs of all portals.
#[derive(Clone)]
pub struct KeyPairs {
    client: Client,
    stage: String,
    bucket_arn: String,
    boundary_arn: String,
}

impl KeyPairs {
    /// For requests that somebody waits for.
    pub async fn prompt(stage: &str, bucket_arn: String, boundary_arn: String) -> Self {
        let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
        KeyPairs {
            client: Client::new(&config),
            stage: stage.to_owned(),
            bucket_arn,
            boundary_arn,
        }
    }

    fn user_name(&self, portal: PortalId) -> String {
        user_name(&self.stage, portal)
    }

    /// Makes the portal's user unless it is there, and sets its rights in any case. `None`: the AWS account has as many
    /// users as it may have (5,000 by default).
    pub(crate) async fn ensure_user(
        &self,
        portal: PortalId,
    ) -> Result<Option<Ensured>, CallFailed> {
        let created = self
            .client
            .create_user()
            .path(PATH)
            .user_name(self.user_name(portal))
            .permissions_boundary(&self.boundary_arn)
            .send()
            .await;
        let ensured = match created {
            Ok(_) => Ensured::Now,
            Err(error) => match error.as_service_error() {
                Some(CreateUserError::EntityAlreadyExistsException(_)) => Ensured::Before,
                Some(CreateUserError::LimitExceededException(_)) => return Ok(None),
                _ => return Err(CallFailed::sdk("make the portal's user")(error)),
            },
        };
        self.client
            .put_user_policy()
            .user_name(self.user_name(portal))
            .policy_name(POLICY)
            .policy_document(policy(&self.bucket_arn, portal))
            .send()
            .await
            .map_err(CallFailed::sdk("set what the portal's user may do"))?;
        Ok(Some(ensured))
    }

    /// How many of the users that the AWS account may have it has, in percent, rounded down. `None`: IAM does not say.
    pub(crate) async fn users_percent(&self) -> Result<Option<u64>, CallFailed> {
        let summary = self.client.get_account_summary().send().await;
        let summary = summary.map_err(CallFailed::sdk("count the account's users"))?;
        let number = |key: SummaryKeyType| {
            let number = summary.summary_map()?.get(&key)?;
            u64::try_from(*number).ok()
        };
        let (users, quota) = (
            number(SummaryKeyType::Users),
            number(SummaryKeyType::UsersQuota),
        );
        let percent = |(users, quota): (u64, u64)| (users * 100).checked_div(quota);
        Ok(users.zip(quota).and_then(percent))
    }

    /// The portal's keys; none if it has no user.
    pub(crate) async fn of(&self, portal: PortalId) -> Result<Vec<KeyPair>, CallFailed> {
        const WHAT: &str = "list the portal's keys";
        let request = self.client.list_access_keys();
        let answer = match request.user_name(self.user_name(portal)).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchEntity") => return Ok(Vec::new()),
            Err(error) => return Err(CallFailed::sdk(WHAT)(error)),
        };
        let keys = answer.access_key_metadata.into_iter().map(|key| {
            Some(KeyPair {
                access_key_id: key.access_key_id?,
                created_at: timestamp(&key.create_date?)?,
                last_used_at: None,
            })
        });
        keys.collect::<Option<_>>()
            .ok_or_else(|| CallFailed::malformed(WHAT)(()))
    }

    pub(crate) async fn has(&self, portal: PortalId, key: &str) -> Result<bool, CallFailed> {
        let keys = self.of(portal).await?;
        Ok(keys.iter().any(|it| it.access_key_id == key))
    }

    /// When a key was used last, as far as IAM knows.
    pub(crate) async fn last_used_at(&self, key: &str) -> Result<Option<Timestamp>, CallFailed> {
        let answer = self
            .client
            .get_access_key_last_used()
            .access_key_id(key)
            .send()
            .await
            .map_err(CallFailed::sdk("look when the key was used"))?;
        let used = answer
            .access_key_last_used
            .and_then(|used| used.last_used_date);
        Ok(used.as_ref().and_then(timestamp))
    }

    pub(crate) async fn create(&self, portal: PortalId) -> Result<IssuedKey, CallFailed> {
        const WHAT: &str = "make a key";
        let answer = self
            .client
            .create_access_key()
            .user_name(self.user_name(portal))
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let malformed = || CallFailed::malformed(WHAT)(());
        let key = answer.access_key.ok_or_else(malformed)?;
        let created_at = key.create_date.as_ref().and_then(timestamp);
        Ok(IssuedKey {
            key: KeyPair {
                access_key_id: key.access_key_id,
                created_at: created_at.ok_or_else(malformed)?,
                last_used_at: None,
            },
            secret: Secret(key.secret_access_key),
        })
    }

    /// Removes a key; one that is gone is removed.
    pub(crate) async fn remove(&self, portal: PortalId, key: &str) -> Result<(), CallFailed> {
        let removed = self
            .client
            .delete_access_key()
            .user_name(self.user_name(portal))
            .access_key_id(key)
            .send()
            .await;
        match removed {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NoSuchEntity") => Ok(()),
            Err(error) => Err(CallFailed::sdk("remove a key")(error)),
        }
    }
}

fn timestamp(time: &aws_sdk_iam::primitives::DateTime) -> Option<Timestamp> {
    Timestamp::from_second(time.secs()).ok()
}

/// What a portal's user may do. Listing is what clients with a window do before they put a file, and rclone too.
fn policy(bucket_arn: &str, portal: PortalId) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "PutFiles",
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                "Resource": format!("{bucket_arn}/{portal}/*"),
            },
            {
                "Sid": "ListOwnPath",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket_arn,
                "Condition": { "StringLike": { "s3:prefix": format!("{portal}/*") } },
            },
        ],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret("abcdef".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(serde_json::to_value(secret).unwrap(), json!("abcdef"));
    }

    #[test]
    fn a_portals_user_may_put_and_list_under_its_own_path_alone() {
        let policy = policy("arn:aws:s3:::feed", "1001".parse().unwrap());
        assert!(policy.contains("\"arn:aws:s3:::feed/1001/*\""));
        assert!(policy.contains("{\"s3:prefix\":\"1001/*\"}"));
        for no in ["GetObject", "DeleteObject", "\"s3:*\"", "\"*\""] {
            assert!(!policy.contains(no), "{no}");
        }
    }
}
