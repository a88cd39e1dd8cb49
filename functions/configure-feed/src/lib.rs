//! `configure-feed`: sets portals up and begins to give them up, authorises their feeds, looks at samples, keeps their mappings.

mod administrators;
mod audit;
mod authorisation;
mod context;
mod feed_fields;
mod feed_mapping;
mod feed_settings;
mod mapping_sample;
mod mapping_versions;
mod off_boarding;
mod open_hold;
mod portal;
mod portals;
mod problem_codes;
mod routes;

pub use context::Context;
pub use routes::{openapi, routes};
