//! `process-upload`: one uploaded file, from the put event to the report. Boots, and no more.

mod admit;
mod apply;
mod arrival;
mod claim;
mod environment;
mod failure;
mod feed;
mod finish;
mod handler;
mod hold;
mod mail;
mod message;
mod messenger;
mod notices;
mod pace;
mod plan;
mod report;
mod run;
mod scan;
mod sweep;
mod turn;
mod walk;

use environment::Environment;
use feed::Feed;
use lambda_runtime::service_fn;
use messenger::Messenger;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::telemetry::init();
    let environment = Environment::read()?;
    let aws = platform::aws::Aws::patient().await;
    let messenger = Messenger::new(environment.notify_from.clone());
    let feed = &Feed::new(
        &aws,
        messenger,
        environment,
        platform::clock::system,
        uuid::Uuid::new_v4,
    );
    lambda_runtime::run(service_fn(async |event| handler::handle(event, feed).await)).await
}
