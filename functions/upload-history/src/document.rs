//! Links to `report.csv` and `rejected.csv`. They work for a short time and without signing in, so the
//! bytes never pass through the API.

use crate::routes::Context;
use crate::upload::find;
use axum::Json;
use axum::extract::{Path, State};
use mapping::problem::ProblemCode;
use platform::feed::UploadStatus;
use platform::objects::{Document, Link};
use platform::web::{AdministratorOf, Refusal};
use serde::Serialize;

/// Where a document can be fetched, and until when.
#[derive(Serialize)]
pub(crate) struct LinkAnswer {
    url: String,
    expires_at: String,
}

impl From<Link> for LinkAnswer {
    fn from(Link { url, expires_at }: Link) -> Self {
        LinkAnswer { url, expires_at }
    }
}

pub(crate) async fn report(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    Path((_, upload_id)): Path<(String, String)>,
) -> Result<Json<LinkAnswer>, Refusal> {
    let upload = find(&context, portal_id, &upload_id).await?;
    if !upload.report_ready {
        return Err(Refusal::new(ProblemCode::ReportNotReady));
    }
    let link = context
        .reports
        .link(
            portal_id,
            upload.upload_id,
            Document::Report,
            (context.clock)(),
        )
        .await?;
    Ok(Json(link.into()))
}

pub(crate) async fn rejected(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    Path((_, upload_id)): Path<(String, String)>,
) -> Result<Json<LinkAnswer>, Refusal> {
    let upload = find(&context, portal_id, &upload_id).await?;
    if !upload.report_ready {
        return Err(Refusal::new(ProblemCode::ReportNotReady));
    }
    if upload.status == UploadStatus::Rejected || upload.rows.not_processed == 0 {
        return Err(Refusal::new(ProblemCode::NoRejectedRows));
    }
    let link = context
        .reports
        .link(
            portal_id,
            upload.upload_id,
            Document::Rejected,
            (context.clock)(),
        )
        .await?;
    Ok(Json(link.into()))
}
