//! `/portals/{portal_id}/feed/authorisation`: an administrator allows the feed to change the portal's
//! users, or withdraws that; uploads are rejected while it is withdrawn.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::problem::ProblemCode;
use platform::clock::stamp;
use platform::feed::{Action, Authorisation};
use platform::web::{AdministratorOf, Refusal};
use serde::Serialize;
use utoipa::ToSchema;

/// Who authorised the feed, and when.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthorisationAnswer {
    /// The address of whoever did.
    authorised_by: String,
    #[schema(format = DateTime)]
    authorised_at: String,
}

/// Authorise the feed
///
/// From now on files change the portal's users. Authorising again takes over from whoever authorised before.
#[utoipa::path(
    put, path = "/portals/{portal_id}/feed/authorisation", operation_id = "authorise_feed", tag = "Administrators",
    responses(
        (status = 200, description = "The feed was authorised before.", body = AuthorisationAnswer),
        (status = 201, description = "The feed is authorised.", body = AuthorisationAnswer),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`conflict`"),
    ),
)]
pub(crate) async fn authorise(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
) -> Result<(StatusCode, Json<AuthorisationAnswer>), Refusal> {
    let portal = context.portal(portal_id).await?;
    context.expect_file(portal_id, &portal).await?;
    let before = portal.authorisation;
    let entry = context.entry(portal_id, &caller, Action::FeedAuthorised)?;
    let authorisation = Authorisation {
        by: caller.email,
        at: stamp((context.clock)()),
    };
    if !context
        .feed
        .authorise(portal_id, Some(&authorisation), entry)
        .await?
    {
        return Err(Refusal::new(ProblemCode::Conflict));
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

/// Withdraw the authorisation
///
/// Files are rejected from now on, and a hold ends.
#[utoipa::path(
    delete, path = "/portals/{portal_id}/feed/authorisation", operation_id = "withdraw_authorisation",
    tag = "Administrators",
    responses(
        (status = 204, description = "The feed is not authorised."),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`conflict`"),
    ),
)]
pub(crate) async fn withdraw(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
) -> Result<StatusCode, Refusal> {
    let portal = context.portal(portal_id).await?;
    if portal.authorisation.is_some() {
        let entry = context.entry(portal_id, &caller, Action::AuthorisationWithdrawn)?;
        if !context.feed.authorise(portal_id, None, entry).await? {
            return Err(Refusal::new(ProblemCode::Conflict));
        }
    }
    // Also if somebody else has withdrawn it and was stopped before this.
    context.end_hold(portal_id).await;
    Ok(StatusCode::NO_CONTENT)
}
