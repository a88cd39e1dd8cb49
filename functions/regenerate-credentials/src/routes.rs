//! Which request goes where.

use crate::context::Context;
use crate::credentials;
use axum::Router;
use axum::routing::get;

/// The API's part under `/portals/{portal_id}/feed/credentials`.
pub(crate) fn routes(context: Context) -> Router {
    Router::new()
        .route(
            "/portals/{portal_id}/feed/credentials",
            get(credentials::show).post(credentials::regenerate),
        )
        .with_state(context)
}
