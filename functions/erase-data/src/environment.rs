//! What the template tells the function.

use platform::environment::{EnvironmentError, parsed, required};

/// The function's environment, read once.
pub(crate) struct Environment {
    pub(crate) feed_bucket: String,
    pub(crate) reports_bucket: String,
    pub(crate) users_table: String,
    pub(crate) feed_table: String,
    pub(crate) user_pool: String,
    pub(crate) stage: String,
    /// How long the tokens of the user pool work.
    pub(crate) token_hours: u8,
    pub(crate) process_upload: String,
    /// What Lambda calls this function.
    pub(crate) function_name: String,
}

impl Environment {
    pub(crate) fn read() -> Result<Self, EnvironmentError> {
        Ok(Environment {
            feed_bucket: required("FEED_BUCKET")?,
            reports_bucket: required("REPORTS_BUCKET")?,
            users_table: required("USERS_TABLE")?,
            feed_table: required("FEED_TABLE")?,
            user_pool: required("USER_POOL_ID")?,
            stage: required("STAGE")?,
            token_hours: parsed("TOKEN_HOURS")?,
            process_upload: required("PROCESS_UPLOAD_FUNCTION")?,
            function_name: required("AWS_LAMBDA_FUNCTION_NAME")?,
        })
    }
}
