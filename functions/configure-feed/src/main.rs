//! Boots `configure-feed`, and no more.

use configure_feed::{Context, routes};
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
    web::serve("configure-feed", clock::system, routes(context)).await
}
