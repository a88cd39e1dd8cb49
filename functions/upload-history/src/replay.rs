//! The same version of a file once more, as a new upload that arrives now: after a failure on our side was
//! mended, or when a mapping was put right.

use crate::context::Context;
use crate::upload::{UploadInPath, find};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::problem::ProblemCode;
use platform::feed::UploadRecord;
use platform::web::{AdministratorOf, Refusal};

pub(crate) async fn replay(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    in_path: UploadInPath,
) -> Result<(StatusCode, Json<UploadRecord>), Refusal> {
    let upload = find(&context, portal_id, in_path).await?;
    if !upload.status.is_final() {
        return Err(Refusal::new(ProblemCode::UploadNotFinished));
    }
    if !upload.has_file() {
        let why = "No file had come: there is nothing to replay.";
        return Err(Refusal::because(ProblemCode::FileGone, why));
    }
    let again = context.feed.replay(&upload, (context.clock)()).await?;
    let again = again.ok_or_else(|| Refusal::new(ProblemCode::Conflict))?;
    // It is in the queue; should the wake-up fail, the sweep finds it.
    if let Err(error) = context.process_upload.wake(portal_id).await {
        tracing::warn!(%portal_id, upload_id = %again.upload_id, %error, "not woken");
    }
    Ok((StatusCode::ACCEPTED, Json(again)))
}
