//! Which request goes where.

use crate::context::Context;
use crate::{change, erase, list, user};
use axum::Router;
use axum::routing::get;

/// The API's part under `/portals/{portal_id}/users`.
pub(crate) fn routes(context: Context) -> Router {
    Router::new()
        .route("/portals/{portal_id}/users", get(list::list))
        .route(
            "/portals/{portal_id}/users/{user_id}",
            get(user::show).patch(change::change).delete(erase::erase),
        )
        .with_state(context)
}
