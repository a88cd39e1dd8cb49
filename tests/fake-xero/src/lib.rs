//! A stand-in for Xero: what our app calls, as Xero answers it, and what a person does there with a browser.
//!
//! Everything belongs to a Xero user or to an organisation, and state is in memory, so that tests run side by
//! side against one fake. What it does not know, it refuses. What is documented is said with its source:
//! <https://developer.xero.com/documentation/>, Xero's published OpenAPI files
//! (<https://github.com/XeroAPI/Xero-OpenAPI>) or `docs/xero.md`; where sources are silent, a comment says that the
//! fake chooses.
//!
//! # Layout
//!
//! - [`wire`]: the shapes of the control routes, which tests write and read.
//! - `world`: who and what there is: users, organisations, connections, tokens.
//! - `desk`: where every call of the app arrives: recorded, counted, and answered by a script if there is one.
//! - `consent`: what a person sees at Xero.
//! - `identity`: tokens. `connections`, `accounting`, `payroll`: the three APIs.
//! - `control`: what tests say to the fake. [`Driver`] says it for them.

mod accounting;
mod connections;
mod consent;
mod control;
mod desk;
mod driver;
mod identity;
mod payroll;
#[cfg(test)]
mod refusals;
mod refuse;
pub mod wire;
mod world;

pub use driver::{Driver, XeroUser};

use desk::{Fake, Line};

/// The id of our app at the fake.
pub const CLIENT_ID: &str = "fake-client";
/// The secret of our app at the fake.
pub const CLIENT_SECRET: &str = "fake-secret";

/// Serves until it is dropped. Everything that was said to it is gone then.
///
/// # Errors
/// If the listener has no address.
pub async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    let fake = Fake::new(format!("http://{}", listener.local_addr()?), system);
    let routes = consent::routes()
        .merge(identity::routes())
        .merge(connections::routes())
        .merge(accounting::routes())
        .merge(payroll::routes())
        .merge(control::routes())
        .with_state(fake);
    axum::serve(
        listener,
        routes.into_make_service_with_connect_info::<Line>(),
    )
    .await
}

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
fn system() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
