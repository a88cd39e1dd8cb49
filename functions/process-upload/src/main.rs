//! `process-upload`: one uploaded file, from the put event to the report. Boots, and no more.

mod apply;
mod arrival;
mod claim;
mod environment;
mod failure;
mod feed;
mod finish;
mod handler;
mod plan;
mod progress;
mod report;
mod scan;
mod walk;

use environment::Environment;
use feed::Feed;
use lambda_runtime::service_fn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::telemetry::init();
    let environment = Environment::read()?;
    let config = platform::aws::sdk_config().await;
    let feed = &Feed::new(&config, environment, platform::clock::system);
    lambda_runtime::run(service_fn(async |event| handler::handle(event, feed).await)).await
}
