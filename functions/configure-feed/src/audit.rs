//! `/portals/{portal_id}/audit`: who did what to the portal, newest first.

use crate::context::Context;
use axum::Json;
use axum::extract::{Query, State};
use mapping::problem::ProblemCode;
use platform::feed::AuditEntry;
use platform::web::{AdministratorOf, Refusal, limit_and_cursor};
use serde::Serialize;
use std::collections::HashMap;

/// A page of the trail.
#[derive(Serialize)]
pub(crate) struct Page {
    items: Vec<AuditEntry>,
    /// Where the next page begins; `null` on the last.
    cursor: Option<String>,
}

/// Also of a portal that is gone: its trail stays.
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
