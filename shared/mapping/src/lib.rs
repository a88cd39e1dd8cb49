//! The pure half of the feed: bytes become rows, rows become people, people and roster become a plan,
//! and the plan becomes a report. Nothing here knows AWS, a clock, the environment or a runtime, and
//! `Cargo.toml` proves it: `csv`, `serde` and small leaf crates.
//!
//! # Layout
//!
//! In the order in which a file passes through (`docs/architecture.md` has the walk):
//!
//! - [`identity`]: the names of things that cross a border: portal, user, address.
//! - [`fields`], [`mapping`]: which column of the customer's file feeds which field.
//! - [`mod@inspect`], [`mod@suggest`], [`template`]: before there is a mapping: what a sample file has, what its columns
//!   are likely to mean, and a sample of our own.
//! - [`group`], [`role`]: a portal's groups, and the roles that there are.
//! - [`mod@file`]: bytes -> rows, and everything that can be wrong with a file as a whole.
//! - [`record`]: row -> [`record::UserRecord`], or what is wrong with that row.
//! - [`scan`]: the first pass; keeps a key and a fingerprint per row.
//! - [`user`], [`roster`]: the portal's people, whole and in brief.
//! - [`edit`]: what somebody changes of a user in the portal, which is not the feed's doing;
//!   [`search`]: how they are found there by name.
//! - [`erasure`]: what is taken out of reports and records when somebody is erased.
//! - [`plan`]: scan + roster -> what happens to each row. A value: written, read back, applied.
//! - [`import`]: the people of a Xero organisation, and who of them becomes a user.
//! - [`order`]: which file comes first, and which comes too late.
//! - [`report`]: the lines that the customer downloads.
//! - [`problem`]: the closed list of everything that can be said to be wrong.

pub mod edit;
pub mod erasure;
pub mod fields;
pub mod file;
pub mod group;
pub mod identity;
pub mod import;
pub mod inspect;
pub mod mapping;
pub mod order;
pub mod plan;
pub mod problem;
pub mod record;
pub mod report;
pub mod role;
pub mod roster;
pub mod scan;
pub mod search;
pub mod suggest;
pub mod template;
pub mod user;
