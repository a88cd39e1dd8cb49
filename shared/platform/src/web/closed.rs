//! A portal that is being given up answers nothing but that it is: whatever else is asked of it is refused in one
//! place, for every route of a function. Somebody who may not ask at all is told so by the route itself.

use super::{AdministratorOf, Refusal};
use crate::feed::FeedTable;
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use mapping::problem::ProblemCode;

/// These routes, refused for a portal that is being given up. A request that was let in before is over within the
/// gateway's 30 seconds.
pub fn closed_while_off_boarding(feed: FeedTable, routes: Router) -> Router {
    routes.route_layer(from_fn_with_state(feed, refuse_if_closed))
}

async fn refuse_if_closed(State(feed): State<FeedTable>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    // `/portals/{portal_id}`: the routes themselves have seen to the rest of the path.
    let is_portal = parts.uri.path().split('/').count() == 3;
    // Looking at it and at its trail, and asking once more that it be given up.
    let is_open = is_portal && [Method::GET, Method::DELETE].contains(&parts.method)
        || parts.uri.path().ends_with("/audit") && parts.method == Method::GET;
    if !is_open
        && let Ok(AdministratorOf(portal_id, _)) =
            AdministratorOf::from_request_parts(&mut parts, &()).await
    {
        match feed.off_boarding_since(portal_id).await {
            Ok(None) => {}
            Ok(Some(_)) => return Refusal::new(ProblemCode::OffBoarding).into_response(),
            Err(failure) => return Refusal::from(failure).into_response(),
        }
    }
    next.run(Request::from_parts(parts, body)).await
}
