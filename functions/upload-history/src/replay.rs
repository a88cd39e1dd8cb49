//! The same version of a file once more, as a new upload that arrives now: after a failure on our side was
//! mended, or when a mapping was put right.

use crate::context::Context;
use crate::upload::{UploadInPath, find};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::problem::ProblemCode;
use platform::feed::{Action, UploadRecord};
use platform::web::{AdministratorOf, Refusal, wire};

/// Process a file once more
///
/// The same version of it, as a new upload. It keeps its place in the order of files: a file that came too late comes
/// too late again.
#[utoipa::path(
    post, path = "/portals/{portal_id}/uploads/{upload_id}/replay", operation_id = "replay_upload",
    tag = "Administrators",
    responses(
        (status = 202, description = "The new upload, which waits for its turn.", body = wire::UploadRecord),
        (status = 404, description = "`upload_not_found`"),
        (status = 409, description = "`upload_not_finished`, `file_gone`, `conflict`"),
    ),
)]
pub(crate) async fn replay(
    AdministratorOf(portal_id, caller): AdministratorOf,
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
    let now = (context.clock)();
    let replayed = Action::UploadReplayed {
        upload_id: upload.upload_id.replay(now),
        replay_of: upload.upload_id,
    };
    let deed = caller.does(portal_id, replayed, now);
    let entry = context.feed.entry(portal_id, deed)?;
    let again = context.feed.replay(&upload, now, entry).await?;
    let again = again.ok_or_else(|| Refusal::new(ProblemCode::Conflict))?;
    // It is in the queue; should the wake-up fail, the sweep finds it.
    if let Err(error) = context.process_upload.wake(portal_id).await {
        tracing::warn!(%portal_id, upload_id = %again.upload_id, %error, "not woken");
    }
    Ok((StatusCode::ACCEPTED, Json(again)))
}
