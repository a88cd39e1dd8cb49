//! A portal is given up: it is marked, which shuts its doors, and `erase-data` does the rest (`docs/privacy.md`).

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::feed::OffBoarding;
use platform::web::{OperatorOf, Refusal};
use serde::Serialize;

/// What is under way.
#[derive(Serialize)]
pub(crate) struct OffBoardingAnswer {
    portal_id: PortalId,
    off_boarding_since: String,
}

/// Asked again, it goes on as it is, and is woken once more.
pub(crate) async fn begin(
    OperatorOf(portal_id, _): OperatorOf,
    State(context): State<Context>,
) -> Result<(StatusCode, Json<OffBoardingAnswer>), Refusal> {
    let now = (context.clock)();
    let off_boarding_since = match context.feed.begin_off_boarding(portal_id, now).await? {
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
