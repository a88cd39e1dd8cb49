//! Giving the connection back before an import has, or without one. Users who were imported stay.

use crate::context::Context;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::problem::ProblemCode;
use platform::feed::Action;
use platform::web::{AdministratorOf, Refusal};

/// Disconnect from Xero
///
/// From now on the tokens serve for giving the connection back alone, which happens within moments, or as soon as Xero
/// answers. Users who were imported stay.
#[utoipa::path(
    delete, path = "/portals/{portal_id}/xero/connection", operation_id = "disconnect_xero", tag = "Administrators",
    responses(
        (status = 204, description = "The portal is not connected, or no longer."),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`xero_not_offered`, `import_running`, `conflict`"),
    ),
)]
pub(crate) async fn disconnect(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
) -> Result<StatusCode, Refusal> {
    context.app().map_err(context.refuse())?;
    context.portal(portal_id).await?;
    let feed = &context.feed;
    let Some(connection) = feed.xero_connection(portal_id).await? else {
        return Ok(StatusCode::NO_CONTENT);
    };
    let entry = context.entry(portal_id, &caller, Action::XeroDisconnected)?;
    let now = (context.clock)();
    if !feed
        .return_xero(portal_id, &connection, now, Some(entry))
        .await?
    {
        return Err(Refusal::new(match feed.pending_import(portal_id).await? {
            Some(_) => ProblemCode::ImportRunning,
            None => ProblemCode::Conflict,
        }));
    }
    context.wake(portal_id).await;
    Ok(StatusCode::NO_CONTENT)
}
