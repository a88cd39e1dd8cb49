//! Boots `serve-portal`, and no more.

use platform::environment::{optional, required};
use platform::{clock, telemetry, web};
use serve_portal::{Stack, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let stack = Stack::new(
        required("ISSUER")?,
        optional("SIGN_IN_URL"),
        required("CLIENT_ID")?,
        &required("UPLOADS_URL")?,
    )?;
    web::serve("serve-portal", clock::system, routes(&stack)).await
}
