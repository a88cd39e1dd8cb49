//! The SDK's clients, made once, in `main`: region, credentials, and how patient calls are.
//! `AWS_ENDPOINT_URL` is honoured by the SDK itself, so nothing here knows whether it runs on AWS or on
//! the local cloud.

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_smithy_runtime_api::client::interceptors::context::{Error, InterceptorContext};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use std::time::Duration;

/// A download is read as fast as rows are written, so a stream may rest; the default of 5 s is short.
const STALLED_STREAM_GRACE: Duration = Duration::from_secs(20);

/// The longest pause between two attempts of a patient call.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// More than there is time for in the longest invocation (15 minutes). Not `u32::MAX`: with that many the SDK
/// never sends the first one.
const ATTEMPTS: u32 = 1_000;

/// The longest invocation. Credentials are waited for no longer; left to itself, the SDK adds the pauses of all
/// [`ATTEMPTS`] up to say how long, and does so for every request.
const INVOCATION: Duration = Duration::from_secs(15 * 60);

/// Whatever has not answered by then is asked again. The largest request that has no limit of its own is a
/// part of a report, of 8 MiB.
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
        Aws::from_config(&config)
    }

    /// As [`Aws::prompt`], from a configuration of the caller's own.
    pub fn from_config(config: &SdkConfig) -> Self {
        Aws::new(config, RetryPartition::new("prompt"))
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
            .identity_cache(IdentityCache::lazy().load_timeout(INVOCATION).build())
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
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(config)
            .retry_partition(retries.clone())
            .retry_classifier(OtherWrites);
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

/// Writes that DynamoDB refused because of other writes, of the same item at the same moment or of too many
/// items: they are to be sent again, and the SDK does not know that.
#[derive(Debug)]
struct OtherWrites;

impl ClassifyRetry for OtherWrites {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let Some(error) = error.as_operation_error() else {
            return RetryAction::NoActionIndicated;
        };
        let conflict = match error.downcast_ref::<TransactWriteItemsError>() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let reasons = cancelled.cancellation_reasons();
                let passes = |reason: &CancellationReason| {
                    matches!(
                        reason.code().unwrap_or("None"),
                        "None"
                            | "TransactionConflict"
                            | "ThrottlingError"
                            | "ProvisionedThroughputExceeded"
                    )
                };
                !reasons.is_empty() && reasons.iter().all(passes)
            }
            Some(_) => false,
            None => [
                code::<PutItemError>,
                code::<UpdateItemError>,
                code::<DeleteItemError>,
            ]
            .iter()
            .any(|code| code(error) == Some("TransactionConflictException")),
        };
        if conflict {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "other writes"
    }
}

fn code<E>(error: &Error) -> Option<&str>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    error.downcast_ref::<E>()?.code()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::types::error::TransactionCanceledException;
    use aws_smithy_runtime_api::client::interceptors::context::Input;
    use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;

    fn action(error: Error) -> RetryAction {
        let mut context = InterceptorContext::new(Input::erase(()));
        context.set_output_or_error(Err(OrchestratorError::operation(error)));
        OtherWrites.classify_retry(&context)
    }

    #[test]
    fn a_transaction_is_repeated_unless_one_of_its_conditions_did_not_hold() {
        for (reasons, repeated) in [
            (["None", "TransactionConflict"], true),
            (["ThrottlingError", "None"], true),
            (
                ["ProvisionedThroughputExceeded", "TransactionConflict"],
                true,
            ),
            (["ConditionalCheckFailed", "TransactionConflict"], false),
            (["ValidationError", "None"], false),
        ] {
            let reasons = reasons.map(|code| CancellationReason::builder().code(code).build());
            let cancelled = TransactionCanceledException::builder()
                .set_cancellation_reasons(Some(reasons.into()))
                .build();
            let error = TransactWriteItemsError::TransactionCanceledException(cancelled);
            assert_eq!(
                action(Error::erase(error)) == RetryAction::transient_error(),
                repeated
            );
        }
    }

    #[test]
    fn a_write_that_met_a_transaction_is_repeated() {
        for (code, repeated) in [
            ("TransactionConflictException", true),
            ("ConditionalCheckFailedException", false),
        ] {
            let metadata = || ErrorMetadata::builder().code(code).build();
            for error in [
                Error::erase(PutItemError::generic(metadata())),
                Error::erase(UpdateItemError::generic(metadata())),
                Error::erase(DeleteItemError::generic(metadata())),
            ] {
                assert_eq!(
                    action(error) == RetryAction::transient_error(),
                    repeated,
                    "{code}"
                );
            }
        }
    }
}
