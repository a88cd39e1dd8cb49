//! Boots `upload-history`, and no more.

use platform::aws::Aws;
use platform::feed::FeedTable;
use platform::objects::{FeedBucket, ReportsBucket};
use platform::users::Users;
use platform::wake::ProcessUpload;
use platform::{clock, environment, telemetry, web};
use upload_history::{Context, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let feed_table = environment::required("FEED_TABLE")?;
    let users_table = environment::required("USERS_TABLE")?;
    let feed_bucket = environment::required("FEED_BUCKET")?;
    let reports_bucket = environment::required("REPORTS_BUCKET")?;
    let process_upload = environment::required("PROCESS_UPLOAD_FUNCTION")?;
    let aws = Aws::prompt().await;
    let context = Context {
        feed: FeedTable::new(&aws, feed_table),
        users: Users::new(&aws, users_table),
        files: FeedBucket::new(&aws, feed_bucket),
        reports: ReportsBucket::new(&aws, reports_bucket),
        process_upload: ProcessUpload::new(&aws, process_upload),
        clock: clock::system,
    };
    let feed = context.feed.clone();
    let routes = web::closed_while_off_boarding(feed, routes(context));
    web::serve("upload-history", clock::system, routes).await
}
