//! `manage-users`: the users of a portal, one of them, and a change of one that is made in the portal.

mod address;
mod change;
mod context;
mod erase;
mod list;
mod routes;
mod user;

pub use context::Context;
pub use routes::{openapi, routes};
