//! The tests of everything together, on the local cloud: `make up`, then `make end-to-end`. One file for
//! each concern; every test has a portal of its own, so they run side by side.
#![allow(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

mod administrator;
mod api;
mod audit;
mod configure;
mod credentials;
mod erasure;
mod files;
mod groups;
mod holds;
mod hostile;
mod isolation;
mod large;
mod life;
mod logs;
mod notices;
mod off_boarding;
mod on_xero;
mod operators;
mod overdue;
mod people;
mod redrive;
mod repeats;
mod respect;
mod rows;
mod users;
mod xero_and_feed;
mod xero_connect;
mod xero_disconnect;
mod xero_history;
mod xero_import;
mod xero_organisations;
mod xero_people;
mod xero_preview;
mod xero_secrets;
mod xero_sign_up;
mod xero_tokens;
mod xero_trouble;
