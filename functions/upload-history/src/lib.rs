//! `upload-history`: the uploads of a portal, one of them with its progress, and links to what can be
//! downloaded about it; a link to put one to; replaying one; and deciding what is held.

mod context;
mod document;
mod held;
mod replay;
mod routes;
mod upload;
mod upload_link;

pub use context::Context;
pub use routes::{openapi, routes};
