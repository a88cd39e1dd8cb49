//! `import-xero`: a portal's connection with Xero, whom its organisation has, and the import of those people
//! (`docs/xero.md`).
//!
//! # Layout
//!
//! On the way of an administrator:
//! - `connect`, `sign_up`: the way to Xero; `callback`, `pages`: the way back.
//! - `overview`, `organisations`, `preview`, `import`, `disconnect`: what is asked of the API.
//!
//! By itself, woken or swept:
//! - `events`: what there is to do; `turn`, `run`, `apply`: the import that was asked for; `giving_back`: connections.
//!
//! What these stand on:
//! - `session`: calls to Xero with a portal's tokens, one at a time to an organisation; `tokens`, `seal`: those tokens.
//! - `survey`: whom the organisation has, and what the portal knows of them.
//! - `xero`: Xero over HTTP; it knows no portal.

mod apply;
mod callback;
mod connect;
mod context;
mod courses;
mod disconnect;
mod events;
mod failure;
mod giving_back;
mod import;
mod organisations;
mod overview;
mod pages;
mod preview;
mod routes;
mod run;
mod seal;
mod session;
mod sign_up;
mod survey;
mod tokens;
mod turn;
pub mod xero;

pub use context::{App, Context};
pub use courses::{Course, Courses, NotFiveCourses};
pub use events::handle;
pub use failure::Failure;
pub use routes::{openapi, routes};
pub use seal::Seal;
