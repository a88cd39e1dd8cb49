//! `regenerate-credentials`: the key pair by which a customer's system puts files under its portal's path.

mod context;
mod credentials;
mod key_pairs;
mod regenerate;
mod routes;

pub use context::Context;
pub use key_pairs::KeyPairs;
pub use routes::{openapi, routes};
