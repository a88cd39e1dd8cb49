//! The SDK's clients, made once, in `main`: region, credentials, and how patient calls are.
//! `AWS_ENDPOINT_URL` is honoured by the SDK itself, so nothing here knows whether it runs on AWS or on
//! the local cloud.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use std::time::Duration;

/// A download is read as fast as rows are written, so a stream may rest; the default of 5 s is short.
const STALLED_STREAM_GRACE: Duration = Duration::from_secs(20);

/// The longest pause between two attempts of a patient call.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// More than there is time for in the longest invocation (15 minutes). Not `u32::MAX`: with that many the SDK
/// never sends the first one.
const ATTEMPTS: u32 = 1_000;

/// Whatever has not answered by then is asked again. The largest request is a part of a report, of 8 MiB.
const ATTEMPT: Duration = Duration::from_secs(10);

/// One client for each service.
#[derive(Clone)]
pub struct Aws {
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
}

impl Aws {
    /// For functions that somebody waits for: a call is tried 3 times, as the SDK has it.
    ///
    /// The behaviour is pinned: its retries and its connect timeout (3.1 s) are part of how long a request
    /// can take, and are not to change with an update of a crate.
    pub async fn prompt() -> Self {
        let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
        Aws::new(&config, RetryPartition::new("prompt"))
    }

    /// For runs: a call that is throttled, or that nobody answers, is repeated until it is cancelled. The
    /// caller bounds it, by its lease and by the time that the invocation has left.
    pub async fn patient() -> Self {
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_max_backoff(LONGEST_PAUSE),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(ATTEMPT)
                    .build(),
            )
            .load()
            .await;
        // The SDK's own quota of retries would run dry in the middle of a long throttling.
        let unlimited = RetryPartition::custom("patient")
            .token_bucket(TokenBucket::unlimited())
            .build();
        Aws::new(&config, unlimited)
    }

    fn new(config: &SdkConfig, retries: RetryPartition) -> Self {
        let protection = StalledStreamProtectionConfig::enabled()
            .grace_period(STALLED_STREAM_GRACE)
            .build();
        let dynamodb =
            aws_sdk_dynamodb::config::Builder::from(config).retry_partition(retries.clone());
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .retry_partition(retries.clone())
            .stalled_stream_protection(protection);
        let lambda = aws_sdk_lambda::config::Builder::from(config).retry_partition(retries);
        Aws {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
        }
    }
}
