//! Which request goes where. What each does stands in the file that its path names.

use crate::context::Context;
use crate::{authorisation, feed_mapping, feed_settings, portal};
use axum::Router;
use axum::routing::get;

/// The API's part under `/portals/{portal_id}` and `/portals/{portal_id}/feed`.
pub(crate) fn routes(context: Context) -> Router {
    Router::new()
        .route("/portals/{portal_id}", get(portal::show).put(portal::put))
        .route(
            "/portals/{portal_id}/feed/authorisation",
            axum::routing::put(authorisation::authorise).delete(authorisation::withdraw),
        )
        .route(
            "/portals/{portal_id}/feed/mapping",
            get(feed_mapping::show).put(feed_mapping::put),
        )
        .route(
            "/portals/{portal_id}/feed/settings",
            get(feed_settings::show).put(feed_settings::put),
        )
        .with_state(context)
}
