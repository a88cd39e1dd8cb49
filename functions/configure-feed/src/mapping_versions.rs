//! `/portals/{portal_id}/feed/mapping/versions`: every mapping that was saved, newest first. They never change.

use crate::context::Context;
use crate::feed_mapping::MappingAnswer;
use axum::Json;
use axum::extract::{Query, State};
use platform::web::{AdministratorOf, Refusal, limit_and_cursor, wire};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// A page of them.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingPage)]
pub(crate) struct Page {
    items: Vec<MappingAnswer>,
    /// Where the next page begins; `null` on the last. A page that is not the last may have fewer items than were
    /// asked for.
    #[schema(required)]
    cursor: Option<String>,
}

/// So many are read at a time.
const READ_AT_ONCE: u64 = 10;

/// An answer of Lambda has at most 6 MB, and a mapping may have 300 kB.
const MAX_PAGE_BYTES: usize = 3_000_000;

/// Every mapping that was saved
///
/// Newest first. Mappings may be large: a page may have fewer items than `limit` and not be the last.
#[utoipa::path(
    get, path = "/portals/{portal_id}/feed/mapping/versions", operation_id = "list_mappings", tag = "Administrators",
    params(wire::PageQuery),
    responses(
        (status = 200, description = "A page of them.", body = Page),
        (status = 404, description = "`portal_not_found`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn list(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Page>, Refusal> {
    let (limit, before) = limit_and_cursor::<u64>(&query)?;
    let portal = context.portal(portal_id).await?;
    let active = portal.mapping_version();
    let mut next = match before {
        Some(before) => portal.last_mapping_version.min(before.saturating_sub(1)),
        None => portal.last_mapping_version,
    };
    let mut items = Vec::new();
    let mut bytes = 0;
    // Versions are numbered without gaps, from 1.
    'page: while next > 0 {
        let first = next.saturating_sub(READ_AT_ONCE - 1).max(1);
        let read = context.feed.mapping_versions(portal_id, first..=next);
        for stored in read.await? {
            let version = stored.version;
            let mut item = MappingAnswer::from(stored);
            item.active = Some(active == Some(version));
            // What serialised when it was stored does so again.
            bytes += serde_json::to_vec(&item).map_or(0, |json| json.len());
            if items.len() == usize::from(limit) || (bytes > MAX_PAGE_BYTES && !items.is_empty()) {
                break 'page;
            }
            items.push(item);
            next = version - 1;
        }
        next = next.min(first - 1);
    }
    let cursor = (next > 0).then(|| (next + 1).to_string());
    Ok(Json(Page { items, cursor }))
}
