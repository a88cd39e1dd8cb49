//! `configure-feed`: sets portals up, authorises their feeds, looks at samples, keeps their mappings. Boots, and no more.

mod audit;
mod authorisation;
mod context;
mod feed_fields;
mod feed_mapping;
mod feed_settings;
mod mapping_sample;
mod mapping_versions;
mod portal;
mod problem_codes;
mod routes;

use context::Context;
use platform::aws::Aws;
use platform::feed::FeedTable;
use platform::{clock, environment, telemetry, web};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let feed_table = environment::required("FEED_TABLE")?;
    let aws = Aws::prompt().await;
    let context = Context {
        feed: FeedTable::new(&aws, feed_table),
        clock: clock::system,
    };
    web::serve("configure-feed", clock::system, routes::routes(context)).await
}
