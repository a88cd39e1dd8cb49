//! `/portals/{portal_id}/audit`: who did what to the portal, newest first.

use crate::context::Context;
use axum::Json;
use axum::extract::{Query, State};
use mapping::problem::ProblemCode;
use platform::feed::AuditEntry;
use platform::web::{AdministratorOf, Refusal, limit_and_cursor, wire};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// A page of the trail.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(crate) struct Page {
    #[schema(value_type = Vec<wire::AuditEntry>)]
    items: Vec<AuditEntry>,
    /// Where the next page begins; `null` on the last.
    #[schema(required)]
    cursor: Option<String>,
}

/// Who did what to the portal
///
/// Newest first. The trail of a portal that is gone stays.
#[utoipa::path(
    get, path = "/portals/{portal_id}/audit", operation_id = "list_audit", tag = "Administrators",
    params(wire::PageQuery),
    responses(
        (status = 200, description = "A page of the trail.", body = Page),
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
    let (items, next) = context.feed.audit(portal_id, limit, cursor).await?;
    if items.is_empty() && cursor.is_none() {
        // There never was one: setting it up is its first entry.
        return Err(Refusal::new(ProblemCode::PortalNotFound));
    }
    Ok(Json(Page {
        items,
        cursor: next.map(|next| next.to_string()),
    }))
}
