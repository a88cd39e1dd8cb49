//! Which request goes where. What each does stands in the file that its path names.

use crate::{authorisation, mapping, portal};
use axum::Router;
use axum::routing::get;
use platform::clock::Clock;
use platform::feed::FeedTable;

/// What every route is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) feed: FeedTable,
    pub(crate) clock: Clock,
}

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
            get(mapping::show).put(mapping::put),
        )
        .with_state(context)
}
