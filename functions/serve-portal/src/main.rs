//! Boots `serve-portal`, and no more.

use platform::environment::{optional, parsed, required};
use platform::{clock, telemetry, web};
use serve_portal::{Config, Stack, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let config = Config {
        issuer: required("ISSUER")?,
        sign_in_url: optional("SIGN_IN_URL"),
        client_id: required("CLIENT_ID")?,
        xero: optional("XERO_CLIENT_ID").is_some(),
        mails: optional("NOTIFY_FROM").is_some(),
        max_file_bytes: parsed("MAX_FILE_BYTES")?,
    };
    let stack = Stack::new(config, &required("PORTAL_URL")?, &required("UPLOADS_URL")?)?;
    web::serve("serve-portal", clock::system, routes(&stack)).await
}
