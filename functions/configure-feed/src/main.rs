//! Boots `configure-feed`, and no more.

use configure_feed::{Context, routes};
use platform::accounts::Accounts;
use platform::aws::Aws;
use platform::feed::FeedTable;
use platform::wake::EraseData;
use platform::{clock, environment, telemetry, web};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let feed_table = environment::required("FEED_TABLE")?;
    let erase_data = environment::required("ERASE_DATA_FUNCTION")?;
    let user_pool = environment::optional("USER_POOL_ID");
    let aws = Aws::prompt().await;
    let accounts = match user_pool {
        Some(pool) => Some(Accounts::of_pool(pool).await),
        None => None,
    };
    let context = Context {
        feed: FeedTable::new(&aws, feed_table),
        erase_data: EraseData::new(&aws, erase_data),
        accounts,
        clock: clock::system,
    };
    let feed = context.feed.clone();
    let routes = web::closed_while_off_boarding(feed, routes(context));
    web::serve("configure-feed", clock::system, routes).await
}
