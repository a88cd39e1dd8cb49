//! What of a portal waits for a decision, as it is shown beside the portal. Nothing is decided here.

use crate::context::Context;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::failure::CallFailed;
use platform::feed::{Portal, UploadId, UploadRecord};
use platform::web::wire;
use serde::Serialize;
use utoipa::ToSchema;

/// What waits for a decision.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenHold {
    #[schema(value_type = wire::UploadId)]
    upload_id: UploadId,
    disables: u64,
    creates: u64,
    #[schema(required, value_type = Option<wire::ProblemCode>)]
    reason: Option<ProblemCode>,
    /// When the file goes, and the hold with it.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// The open hold, which is most often the last file's: that one need not be read again.
pub(crate) async fn open_hold(
    context: &Context,
    portal_id: PortalId,
    portal: &Portal,
    last_file: Option<&UploadRecord>,
) -> Result<Option<OpenHold>, CallFailed> {
    let Some(hold) = &portal.hold else {
        return Ok(None);
    };
    let last = last_file.filter(|last| last.upload_id == hold.upload_id);
    let upload = match last {
        Some(last) => Some(last.clone()),
        None => context.feed.upload(portal_id, hold.upload_id).await?,
    };
    let held = upload.map(|upload| upload.held).unwrap_or_default();
    Ok(Some(OpenHold {
        upload_id: hold.upload_id,
        disables: held.disables,
        creates: held.creates,
        reason: held.reason,
        expires_at: hold.expires_at.clone(),
    }))
}
