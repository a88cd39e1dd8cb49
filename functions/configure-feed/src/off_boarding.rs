//! A portal is given up: it is marked, which shuts its doors, and `erase-data` does the rest (`docs/privacy.md`).

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::feed::{Action, OffBoarding};
use platform::web::{OperatorOf, Refusal, wire};
use serde::Serialize;
use utoipa::ToSchema;

/// What is under way.
#[derive(Serialize, ToSchema)]
pub(crate) struct OffBoardingAnswer {
    #[schema(value_type = wire::PortalId)]
    portal_id: PortalId,
    #[schema(format = DateTime)]
    off_boarding_since: String,
}

/// Give a portal up
///
/// Its key pair, users, files, reports, accounts and settings go; the audit trail stays. Everything else about it is
/// refused from now on, and until it is done. Asked again, it goes on as it is.
#[utoipa::path(
    delete, path = "/portals/{portal_id}", operation_id = "give_portal_up", tag = "Operators",
    responses(
        (status = 202, description = "It is under way.", body = OffBoardingAnswer),
        (status = 404, description = "`portal_not_found`"),
    ),
)]
pub(crate) async fn begin(
    OperatorOf(portal_id, caller): OperatorOf,
    State(context): State<Context>,
) -> Result<(StatusCode, Json<OffBoardingAnswer>), Refusal> {
    let now = (context.clock)();
    let entry = context.entry(portal_id, &caller, Action::OffBoardingBegun)?;
    let begun = context.feed.begin_off_boarding(portal_id, now, entry);
    let off_boarding_since = match begun.await? {
        OffBoarding::UnderWay(since) => since,
        OffBoarding::NoPortal => return Err(Refusal::new(ProblemCode::PortalNotFound)),
    };
    // It is in the table; should the wake-up fail, the sweep finds it.
    if let Err(error) = context.erase_data.wake(portal_id).await {
        tracing::warn!(%portal_id, ?error, "not woken");
    }
    Ok((
        StatusCode::ACCEPTED,
        Json(OffBoardingAnswer {
            portal_id,
            off_boarding_since,
        }),
    ))
}
