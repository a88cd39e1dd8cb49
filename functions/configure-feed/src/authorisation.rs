//! `/portals/{portal_id}/feed/authorisation`: an administrator allows the feed to change the portal's
//! users, or withdraws that; uploads are rejected while it is withdrawn.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::problem::ProblemCode;
use platform::clock::stamp;
use platform::feed::Authorisation;
use platform::web::{AdministratorOf, Refusal};
use serde::Serialize;

/// Who authorised the feed, and when.
#[derive(Serialize)]
pub(crate) struct AuthorisationAnswer {
    authorised_by: String,
    authorised_at: String,
}

/// Authorising again takes over from whoever authorised before.
pub(crate) async fn authorise(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
) -> Result<(StatusCode, Json<AuthorisationAnswer>), Refusal> {
    let portal = context.portal(portal_id).await?;
    context.expect_file(portal_id, &portal).await?;
    let before = portal.authorisation;
    let authorisation = Authorisation {
        by: caller.email,
        at: stamp((context.clock)()),
    };
    if !context
        .feed
        .authorise(portal_id, Some(&authorisation))
        .await?
    {
        return Err(Refusal::new(ProblemCode::PortalNotFound));
    }
    let status = if before.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((
        status,
        Json(AuthorisationAnswer {
            authorised_by: authorisation.by,
            authorised_at: authorisation.at,
        }),
    ))
}

pub(crate) async fn withdraw(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<StatusCode, Refusal> {
    match context.feed.authorise(portal_id, None).await? {
        true => {
            context.end_hold(portal_id).await;
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(Refusal::new(ProblemCode::PortalNotFound)),
    }
}
