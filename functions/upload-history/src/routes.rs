//! Which request goes where.

use crate::context::Context;
use crate::{document, held, replay, upload, upload_link};
use axum::Router;
use axum::routing::{get, post};

/// The API's part under `/portals/{portal_id}/uploads`.
pub(crate) fn routes(context: Context) -> Router {
    Router::new()
        .route(
            "/portals/{portal_id}/uploads",
            get(upload::list).post(upload_link::give),
        )
        .route(
            "/portals/{portal_id}/uploads/{upload_id}",
            get(upload::show),
        )
        .route(
            "/portals/{portal_id}/uploads/{upload_id}/report",
            get(document::report),
        )
        .route(
            "/portals/{portal_id}/uploads/{upload_id}/rejected",
            get(document::rejected),
        )
        .route(
            "/portals/{portal_id}/uploads/{upload_id}/replay",
            post(replay::replay),
        )
        .route(
            "/portals/{portal_id}/uploads/{upload_id}/held-disables",
            get(held::list).post(held::decide),
        )
        .with_state(context)
}
