//! The SDK's configuration, loaded once, in `main`. `AWS_ENDPOINT_URL` is honoured by the SDK itself, so
//! nothing here knows whether it runs on AWS or on the local cloud.

use aws_config::{BehaviorVersion, SdkConfig};

/// Region, credentials and retries for every client.
///
/// The behaviour is pinned: its retries (3 attempts) and its connect timeout (3.1 s) are part of how long
/// a run can take, and are not to change with an update of a crate.
pub async fn sdk_config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await
}
