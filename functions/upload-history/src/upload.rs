//! The history, newest first, and one upload with its progress.

use crate::context::Context;
use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::feed::{UploadId, UploadRecord};
use platform::web::{AdministratorOf, Refusal, limit_and_cursor, wire};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// A page of the history.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadPage)]
pub(crate) struct Page {
    #[schema(value_type = Vec<wire::UploadRecord>)]
    items: Vec<UploadRecord>,
    /// Where the next page begins; `null` on the last.
    #[schema(required)]
    cursor: Option<String>,
}

/// The upload history
///
/// Newest first.
#[utoipa::path(
    get, path = "/portals/{portal_id}/uploads", operation_id = "list_uploads", tag = "Administrators",
    params(wire::PageQuery),
    responses(
        (status = 200, description = "A page of it.", body = Page),
        (status = 404, description = "`portal_not_found`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn list(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Page>, Refusal> {
    let (limit, cursor) = limit_and_cursor(&query)?;
    context.portal_exists(portal_id).await?;
    let (items, next) = context.feed.uploads(portal_id, limit, cursor).await?;
    Ok(Json(Page {
        items,
        cursor: next.map(|next| next.to_string()),
    }))
}

/// One upload, with its progress
#[utoipa::path(
    get, path = "/portals/{portal_id}/uploads/{upload_id}", operation_id = "show_upload", tag = "Administrators",
    responses(
        (status = 200, description = "The upload.", body = wire::UploadRecord),
        (status = 404, description = "`upload_not_found`"),
    ),
)]
pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    in_path: UploadInPath,
) -> Result<Json<UploadRecord>, Refusal> {
    Ok(Json(find(&context, portal_id, in_path).await?))
}

/// The path's `upload_id`. Whatever is no id is no upload either.
pub(crate) struct UploadInPath(UploadId);

impl<S: Send + Sync> FromRequestParts<S> for UploadInPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state)
            .await
            .ok();
        let id = path.and_then(|Path(path)| path.get("upload_id")?.parse().ok());
        id.map(UploadInPath)
            .ok_or_else(|| Refusal::new(ProblemCode::UploadNotFound))
    }
}

/// The upload, or the refusal that there is none.
pub(crate) async fn find(
    context: &Context,
    portal_id: PortalId,
    UploadInPath(upload_id): UploadInPath,
) -> Result<UploadRecord, Refusal> {
    let upload = context.feed.upload(portal_id, upload_id).await?;
    upload.ok_or_else(|| Refusal::new(ProblemCode::UploadNotFound))
}
