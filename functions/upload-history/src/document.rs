//! Links to `report.csv` and `rejected.csv`. They work for a short time and without signing in, so the
//! bytes never pass through the API.

use crate::context::Context;
use crate::upload::{UploadInPath, find};
use axum::Json;
use axum::extract::State;
use mapping::problem::ProblemCode;
use platform::clock::stamp;
use platform::feed::{UploadRecord, UploadStatus};
use platform::objects::{Document, Link, REPORTS_KEPT};
use platform::web::{AdministratorOf, Refusal};
use serde::Serialize;
use utoipa::ToSchema;

/// Where a document can be fetched, and until when.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkAnswer {
    /// Works without signing in, for five minutes.
    #[schema(format = "uri")]
    url: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<Link> for LinkAnswer {
    fn from(Link { url, expires_at }: Link) -> Self {
        LinkAnswer { url, expires_at }
    }
}

/// A link to the report
///
/// `report.csv` has a line for everybody who changed, and for everything that is wrong. It is kept for 30 days.
#[utoipa::path(
    get, path = "/portals/{portal_id}/uploads/{upload_id}/report", operation_id = "link_to_report",
    tag = "Administrators",
    responses(
        (status = 200, description = "The link.", body = LinkAnswer),
        (status = 404, description = "`upload_not_found`, `report_not_ready`, `no_report`, `report_expired`"),
    ),
)]
pub(crate) async fn report(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    in_path: UploadInPath,
) -> Result<Json<LinkAnswer>, Refusal> {
    let upload = find(&context, portal_id, in_path).await?;
    link(&context, &upload, Document::Report).await
}

/// A link to the rows that were not processed
///
/// `rejected.csv` has them in the customer's own columns: corrected and dropped again, it works.
#[utoipa::path(
    get, path = "/portals/{portal_id}/uploads/{upload_id}/rejected", operation_id = "link_to_rejected_rows",
    tag = "Administrators",
    responses(
        (status = 200, description = "The link.", body = LinkAnswer),
        (status = 404, description = "`upload_not_found`, `no_rejected_rows`, `report_not_ready`, `no_report`, \
            `report_expired`"),
    ),
)]
pub(crate) async fn rejected(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    in_path: UploadInPath,
) -> Result<Json<LinkAnswer>, Refusal> {
    let upload = find(&context, portal_id, in_path).await?;
    let none = upload.status == UploadStatus::Rejected || upload.rows.not_processed == 0;
    if upload.report_ready && none {
        return Err(Refusal::new(ProblemCode::NoRejectedRows));
    }
    link(&context, &upload, Document::Rejected).await
}

async fn link(
    context: &Context,
    upload: &UploadRecord,
    document: Document,
) -> Result<Json<LinkAnswer>, Refusal> {
    if !upload.report_ready {
        let never = upload.status.is_final();
        return Err(Refusal::new(if never {
            ProblemCode::NoReport
        } else {
            ProblemCode::ReportNotReady
        }));
    }
    let now = (context.clock)();
    // The record stays in the history; what it leads to has gone by then.
    let kept_since = now.checked_sub(REPORTS_KEPT).map(stamp).unwrap_or_default();
    if upload
        .finished_at
        .as_ref()
        .is_some_and(|finished| *finished < kept_since)
    {
        return Err(Refusal::new(ProblemCode::ReportExpired));
    }
    let link = context
        .reports
        .link(
            upload.portal_id,
            upload.upload_id,
            upload.reported_by_run(),
            document,
            now,
        )
        .await?;
    Ok(Json(link.into()))
}
