//! `upload-history`: the uploads of a portal, one of them with its progress, and links to what can be
//! downloaded about it. Boots, and no more.

mod context;
mod document;
mod routes;
mod upload;

use context::Context;
use platform::feed::FeedTable;
use platform::objects::ReportsBucket;
use platform::{aws, clock, environment, telemetry, web};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let feed_table = environment::required("FEED_TABLE")?;
    let reports_bucket = environment::required("REPORTS_BUCKET")?;
    let config = aws::sdk_config().await;
    let context = Context {
        feed: FeedTable::new(&config, feed_table),
        reports: ReportsBucket::new(&config, reports_bucket),
        clock: clock::system,
    };
    web::serve("upload-history", clock::system, routes::routes(context)).await
}
