//! `erase-data`: everything there is of a portal that is given up, and the traces of a person who was erased. Boots,
//! and no more.

mod context;
mod customers_user;
mod environment;
mod failure;
mod handler;
mod off_boarding;
mod person;
mod sweep;
mod turn;

use context::Context;
use environment::Environment;
use lambda_runtime::service_fn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::telemetry::init();
    let environment = Environment::read()?;
    let context = &Context::new(environment, platform::clock::system, uuid::Uuid::new_v4).await;
    lambda_runtime::run(service_fn(async |event| {
        handler::handle(event, context).await
    }))
    .await
}
