//! What the template tells the function.

use platform::environment::{EnvironmentError, optional, parsed, required};

/// The function's environment, read once.
pub(crate) struct Environment {
    pub(crate) feed_bucket: String,
    pub(crate) reports_bucket: String,
    pub(crate) users_table: String,
    pub(crate) feed_table: String,
    pub(crate) max_file_bytes: u64,
    /// Whom mails are from; `None`: none are sent.
    pub(crate) notify_from: Option<String>,
    /// Where the administrators' page is, without a slash at its end; `None`: mails lead nowhere.
    pub(crate) portal_url: Option<String>,
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
            max_file_bytes: parsed("MAX_FILE_BYTES")?,
            notify_from: optional("NOTIFY_FROM"),
            portal_url: optional("PORTAL_URL").map(|url| url.trim_end_matches('/').to_owned()),
            function_name: required("AWS_LAMBDA_FUNCTION_NAME")?,
        })
    }
}
