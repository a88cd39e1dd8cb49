//! `/portals`: every portal, and how its feed does.

use crate::context::Context;
use crate::open_hold::{OpenHold, open_hold};
use axum::Json;
use axum::extract::{Query, State};
use futures_util::{StreamExt, TryStreamExt, stream};
use mapping::identity::PortalId;
use platform::failure::CallFailed;
use platform::feed::{UploadId, UploadRecord, UploadStatus};
use platform::web::{Operator, Refusal, limit_and_cursor, wire};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// A page of them.
#[derive(Serialize, ToSchema)]
#[schema(as = PortalPage)]
pub(crate) struct Page {
    items: Vec<ListedPortal>,
    /// Where the next page begins; `null` on the last.
    #[schema(required)]
    cursor: Option<String>,
}

/// A portal, and how its feed does.
#[derive(Serialize, ToSchema)]
struct ListedPortal {
    #[schema(value_type = wire::PortalId)]
    portal_id: PortalId,
    name: String,
    country: String,
    authorised: bool,
    /// `null`: there is no mapping, and files are rejected.
    #[schema(required, minimum = 1)]
    mapping_version: Option<u64>,
    /// The newest, rehearsals aside.
    #[schema(required)]
    last_file: Option<LastFile>,
    /// What waits for a decision.
    #[schema(required)]
    held: Option<OpenHold>,
    /// Since when a file is missing that was expected.
    #[schema(required, format = DateTime)]
    overdue_since: Option<String>,
    /// Since when the portal is being given up.
    #[schema(required, format = DateTime)]
    off_boarding_since: Option<String>,
}

/// The newest file that came.
#[derive(Serialize, ToSchema)]
struct LastFile {
    #[schema(value_type = wire::UploadId)]
    upload_id: UploadId,
    file_name: String,
    #[schema(format = DateTime)]
    received_at: String,
    #[schema(value_type = wire::UploadStatus)]
    status: UploadStatus,
}

impl From<UploadRecord> for LastFile {
    fn from(upload: UploadRecord) -> Self {
        LastFile {
            upload_id: upload.upload_id,
            file_name: upload.file_name,
            received_at: upload.received_at,
            status: upload.status,
        }
    }
}

/// Portals looked at at the same time; a page of 100 takes some 20 round trips so.
const IN_FLIGHT: usize = 16;

/// Every portal, and how its feed does
///
/// In the order of the numbers' spelling.
#[utoipa::path(
    get, path = "/portals", operation_id = "list_portals", tag = "Operators",
    params(wire::PageQuery),
    responses(
        (status = 200, description = "A page of them.", body = Page),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn list(
    _: Operator,
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Page>, Refusal> {
    let (limit, after) = limit_and_cursor::<PortalId>(&query)?;
    let (ids, next) = context.feed.portal_ids(limit, after).await?;
    let items: Vec<Option<ListedPortal>> = stream::iter(ids)
        .map(|portal_id| look_at(&context, portal_id))
        .buffered(IN_FLIGHT)
        .try_collect()
        .await?;
    Ok(Json(Page {
        items: items.into_iter().flatten().collect(),
        cursor: next.map(|next| next.to_string()),
    }))
}

/// `None`: it was given up a moment ago.
async fn look_at(
    context: &Context,
    portal_id: PortalId,
) -> Result<Option<ListedPortal>, CallFailed> {
    let Some(portal) = context.feed.portal(portal_id).await? else {
        return Ok(None);
    };
    let last_file = context.feed.last_file(portal_id).await?;
    let held = open_hold(context, portal_id, &portal, last_file.as_ref()).await?;
    let mapping_version = portal.mapping_version();
    let awaited = context.feed.awaited(portal_id, &portal).await?;
    Ok(Some(ListedPortal {
        portal_id,
        name: portal.settings.name,
        country: portal.settings.country,
        authorised: portal.authorisation.is_some(),
        mapping_version,
        last_file: last_file.map(LastFile::from),
        held,
        overdue_since: awaited.overdue_since,
        off_boarding_since: portal.off_boarding_since,
    }))
}
