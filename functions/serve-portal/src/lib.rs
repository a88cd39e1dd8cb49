//! `serve-portal`: the administrators' page. Vite builds it from `page/` into `assets/`, which are embedded here, so
//! that cargo needs no Node. Without sign-in: nothing in it is anybody's, and it asks AWS for nothing. What the page
//! shows it asks the API for, in the browser.
//!
//! - `stack`: what the page has to know of the stack, as `config.json`, and where the page is.
//! - `page`: its one document, for whichever of its addresses.
//! - `assets`: scripts and styles, compressed beforehand, kept by browsers for good.
//! - `policy`: what browsers may do with it.

mod assets;
mod page;
mod policy;
mod routes;
mod stack;

pub use routes::routes;
pub use stack::{Config, Stack, StackError};
