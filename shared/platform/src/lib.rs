//! What more than one function needs of the world: the two tables, the two buckets, who is calling, the
//! environment, telemetry. Concrete structs over the SDK's clients; no rule of the feed is decided here,
//! those are in `mapping`.
//!
//! # Layout
//!
//! - [`environment`], [`clock`], [`aws`], [`telemetry`]: read or set up once, in `main`.
//! - [`metrics`]: one line for each invocation.
//! - [`keys`]: the only place where `pk` and `sk` are spelled.
//! - `batch`: reading many items by their keys.
//! - [`users`]: the users table, as a file changes it.
//! - [`directory`]: the users table, as somebody in the portal sees and changes it.
//! - [`feed`]: the feed table; a file for each kind of item.
//! - [`objects`]: the customers' files, and what is written about them.
//! - [`erasing`]: deleting what there is of a portal or a person.
//! - [`key_pairs`]: what IAM calls the user of a portal.
//! - `accounts` (feature `accounts`): the sign-in accounts of administrators.
//! - [`time_limit`]: how long an invocation may still run.
//! - [`pause`]: before something is tried again.
//! - [`wake`]: telling `process-upload` that there is work.
//! - `web` (feature `web`): who is calling, and how an answer looks. For the functions behind the API.
//! - [`failure`]: a call to AWS that did not work.

#[cfg(feature = "accounts")]
pub mod accounts;
pub mod aws;
mod batch;
pub mod clock;
pub mod directory;
pub mod environment;
pub mod erasing;
pub mod failure;
pub mod feed;
pub mod key_pairs;
pub mod keys;
pub mod metrics;
pub mod objects;
pub mod pause;
mod roster_page;
mod statements;
pub mod telemetry;
pub mod time_limit;
pub mod users;
pub mod wake;
#[cfg(feature = "web")]
pub mod web;
