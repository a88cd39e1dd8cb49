//! Boots `import-xero`, and no more.

use aws_config::BehaviorVersion;
use import_xero::xero::XeroApp;
use import_xero::{App, Context, Seal, handle, routes};
use oauth2::ClientSecret;
use platform::accounts::Accounts;
use platform::aws::Aws;
use platform::directory::Directory;
use platform::environment::{optional, parsed, required};
use platform::failure::CallFailed;
use platform::feed::FeedTable;
use platform::objects::ReportsBucket;
use platform::wake::{ImportXero, ProcessUpload};
use platform::{clock, environment, telemetry, web};
use url::Url;
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    // Somebody waits for a request, and nobody for an import: its calls are repeated as long as there is time.
    let prompt = context(Aws::prompt().await).await?;
    let patient = &context(Aws::patient().await).await?;
    let routes = web::closed_while_off_boarding(prompt.feed.clone(), routes(prompt));
    web::serve_and("import-xero", clock::system, routes, async |event| {
        // Boxed: the compiler gives up on futures that are nested this deeply.
        Box::pin(handle(patient, event)).await
    })
    .await
}

async fn context(aws: Aws) -> Result<Context, environment::EnvironmentError> {
    let users_table = required("USERS_TABLE")?;
    let feed_table = required("FEED_TABLE")?;
    let reports_bucket = required("REPORTS_BUCKET")?;
    let tokens_key = required("TOKENS_KEY")?;
    let process_upload = required("PROCESS_UPLOAD_FUNCTION")?;
    let itself = required("AWS_LAMBDA_FUNCTION_NAME")?;
    let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let app = match optional("XERO_CLIENT_ID") {
        Some(client_id) => {
            let registered = registered(client_id)?;
            let secret_id = required("XERO_SECRET_ID")?;
            let courses = parsed("XERO_COURSES")?;
            Some(App::new(&config, secret_id, registered, courses))
        }
        None => None,
    };
    let accounts = match optional("USER_POOL_ID") {
        Some(pool) => Some(Accounts::of_pool(pool).await),
        None => None,
    };
    let portal_url: Option<Url> = match optional("PORTAL_URL") {
        Some(_) => Some(parsed("PORTAL_URL")?),
        None => None,
    };
    Ok(Context {
        users: Directory::new(&aws, users_table),
        feed: FeedTable::new(&aws, feed_table),
        reports: ReportsBucket::new(&aws, reports_bucket),
        seal: Seal::new(&config, tokens_key),
        app,
        accounts,
        process_upload: ProcessUpload::new(&aws, process_upload),
        import_xero: ImportXero::new(&aws, itself),
        portal_url,
        clock: clock::system,
        new_id: Uuid::new_v4,
        random,
    })
}

/// The app as it is registered; its secret is read when it is needed.
fn registered(client_id: String) -> Result<XeroApp, environment::EnvironmentError> {
    let scopes = required("XERO_SCOPES")?;
    Ok(XeroApp {
        client_id,
        client_secret: ClientSecret::new(String::new()),
        login_url: parsed("XERO_LOGIN_URL")?,
        identity_url: parsed("XERO_IDENTITY_URL")?,
        api_url: parsed("XERO_API_URL")?,
        redirect_uri: parsed("XERO_REDIRECT_URI")?,
        scopes: scopes.split(' ').map(str::to_owned).collect(),
        pkce: parsed("XERO_PKCE")?,
    })
}

fn random() -> Result<[u8; 32], CallFailed> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(CallFailed::to("get randomness"))?;
    Ok(bytes)
}
