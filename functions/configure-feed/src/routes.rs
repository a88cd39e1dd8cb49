//! Which request goes where. What each does stands in the file that its path names.

use crate::context::Context;
use crate::{
    administrators, authorisation, feed_fields, feed_mapping, feed_settings, mapping_sample,
    mapping_versions, off_boarding, portal, portals, problem_codes,
};
use axum::Router;
use axum::routing::{get, post};

/// The API's part under `/portals/{portal_id}` and `/portals/{portal_id}/feed`, and what is about no portal.
pub(crate) fn routes(context: Context) -> Router {
    Router::new()
        .route("/portals", get(portals::list))
        .route(
            "/portals/{portal_id}",
            get(portal::show)
                .put(portal::put)
                .delete(off_boarding::begin),
        )
        .route(
            "/portals/{portal_id}/administrators",
            post(administrators::make),
        )
        .route(
            "/portals/{portal_id}/feed/authorisation",
            axum::routing::put(authorisation::authorise).delete(authorisation::withdraw),
        )
        .route(
            "/portals/{portal_id}/feed/mapping",
            get(feed_mapping::show)
                .put(feed_mapping::put)
                .delete(feed_mapping::reset),
        )
        .route(
            "/portals/{portal_id}/feed/mapping/inspect",
            post(mapping_sample::look_at),
        )
        .route(
            "/portals/{portal_id}/feed/mapping/versions",
            get(mapping_versions::list),
        )
        .route("/portals/{portal_id}/feed/fields", get(feed_fields::list))
        .route(
            "/portals/{portal_id}/feed/template.csv",
            get(feed_fields::sample),
        )
        .route(
            "/portals/{portal_id}/feed/settings",
            get(feed_settings::show).put(feed_settings::put),
        )
        .route("/problem-codes", get(problem_codes::list))
        .with_state(context)
}
