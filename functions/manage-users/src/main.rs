//! Boots `manage-users`, and no more.

use manage_users::{Context, routes};
use platform::aws::Aws;
use platform::directory::Directory;
use platform::feed::FeedTable;
use platform::wake::{EraseData, ProcessUpload};
use platform::{clock, environment, telemetry, web};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let users_table = environment::required("USERS_TABLE")?;
    let feed_table = environment::required("FEED_TABLE")?;
    let process_upload = environment::required("PROCESS_UPLOAD_FUNCTION")?;
    let erase_data = environment::required("ERASE_DATA_FUNCTION")?;
    let aws = Aws::prompt().await;
    let context = Context {
        users: Directory::new(&aws, users_table),
        feed: FeedTable::new(&aws, feed_table),
        process_upload: ProcessUpload::new(&aws, process_upload),
        erase_data: EraseData::new(&aws, erase_data),
        clock: clock::system,
        new_id: Uuid::new_v4,
    };
    let feed = context.feed.clone();
    let routes = web::closed_while_off_boarding(feed, routes(context));
    web::serve("manage-users", clock::system, routes).await
}
