//! Xero, as we call it over HTTP: consent and tokens, connections, the organisation, its people. Nothing here
//! knows a table, a portal, or who of the people is imported; nothing is kept from one call to the next.
//!
//! # Layout
//!
//! - `app`: our app, as it is registered with Xero, and where Xero is.
//! - `ids`: the ids that Xero gives to connections, organisations, consents and users.
//! - `oauth`: the way to Xero's consent page, and tokens.
//! - `identity`: who has consented.
//! - `api`: connections, the organisation, its people.
//! - `answers`: what of Xero's answers is read.
//! - `pages`: when there is no further page.
//! - `call`: one call, with what is waited and repeated.
//! - `failure`: a call that did not work.

mod answers;
mod api;
mod app;
mod call;
mod failure;
mod identity;
mod ids;
mod oauth;
mod pages;

pub use api::{Connection, Country, Organisation};
pub use app::{SetUpFailed, Xero, XeroApp};
pub use failure::{Cause, XeroFailure};
pub use identity::Identity;
pub use ids::{AuthEventId, ConnectionId, NotAnId, TenantId, XeroUserId};
pub use oauth::Grant;
