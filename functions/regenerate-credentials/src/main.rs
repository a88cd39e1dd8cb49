//! Boots `regenerate-credentials`, and no more.

use platform::aws::Aws;
use platform::feed::FeedTable;
use platform::objects::FeedBucket;
use platform::{clock, environment, telemetry, web};
use regenerate_credentials::{Context, KeyPairs, routes};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let feed_table = environment::required("FEED_TABLE")?;
    let feed_bucket = environment::required("FEED_BUCKET")?;
    let bucket_arn = environment::required("FEED_BUCKET_ARN")?;
    let boundary_arn = environment::required("PERMISSIONS_BOUNDARY")?;
    let stage = environment::required("STAGE")?;
    let region = environment::required("AWS_REGION")?;
    let aws = Aws::prompt().await;
    let context = Context {
        feed: FeedTable::new(&aws, feed_table),
        key_pairs: KeyPairs::prompt(&stage, bucket_arn, boundary_arn).await,
        files: FeedBucket::new(&aws, feed_bucket),
        region,
        clock: clock::system,
        new_id: Uuid::new_v4,
    };
    let feed = context.feed.clone();
    let routes = web::closed_while_off_boarding(feed, routes(context));
    web::serve("regenerate-credentials", clock::system, routes).await
}
