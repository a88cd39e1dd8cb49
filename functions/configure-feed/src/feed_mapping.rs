//! `/portals/{portal_id}/feed/mapping`: which column feeds which field. Saving makes a new version; an
//! old one never changes.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::mapping::{FieldDraft, Mapping, MappingDraft, identity_by_email};
use mapping::problem::ProblemCode;
use platform::clock::stamp;
use platform::feed::StoredMapping;
use platform::web::{AdministratorOf, JsonBody, Refusal};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// A mapping as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MappingBody {
    #[serde(default)]
    columns: Vec<String>,
    fields: Vec<FieldDraft>,
    #[serde(default = "identity_by_email")]
    identity: String,
    #[serde(default)]
    auto_disable: bool,
    /// As it was shown, for who changes what was read and sends it back. It is not set here.
    #[serde(default, rename = "version")]
    _version: IgnoredAny,
    #[serde(default, rename = "created_at")]
    _created_at: IgnoredAny,
    #[serde(default, rename = "active")]
    _active: IgnoredAny,
}

impl From<MappingBody> for MappingDraft {
    fn from(body: MappingBody) -> Self {
        let MappingBody {
            columns,
            fields,
            identity,
            auto_disable,
            ..
        } = body;
        MappingDraft {
            columns,
            fields,
            identity,
            auto_disable,
        }
    }
}

/// A mapping as it is shown.
#[derive(Serialize)]
pub(crate) struct MappingAnswer {
    #[serde(flatten)]
    draft: MappingDraft,
    version: u64,
    created_at: String,
}

impl From<StoredMapping> for MappingAnswer {
    fn from(stored: StoredMapping) -> Self {
        MappingAnswer {
            draft: stored.draft,
            version: stored.version,
            created_at: stored.created_at,
        }
    }
}

pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<MappingAnswer>, Refusal> {
    context.portal(portal_id).await?;
    match context.feed.mapping(portal_id).await? {
        Some(stored) => Ok(Json(stored.into())),
        None => Err(Refusal::new(ProblemCode::MappingNotFound)),
    }
}

/// 201 for a mapping where there was none, 200 for one that takes another's place.
pub(crate) async fn put(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<MappingBody>,
) -> Result<(StatusCode, Json<MappingAnswer>), Refusal> {
    let portal = context.portal(portal_id).await?;
    let draft = MappingDraft::from(body);
    Mapping::check(&draft, &portal.settings.catalogue()).map_err(Refusal::all)?;
    let created_at = stamp((context.clock)());
    let before = context.feed.mapping(portal_id).await?;
    if before.is_none() {
        context.expect_file(portal_id, &portal).await?;
    }
    match context
        .feed
        .put_mapping(portal_id, &portal, draft, created_at)
        .await?
    {
        Some(stored) => {
            context.end_hold(portal_id).await;
            let status = if before.is_some() {
                StatusCode::OK
            } else {
                StatusCode::CREATED
            };
            Ok((status, Json(stored.into())))
        }
        None => Err(Refusal::new(ProblemCode::Conflict)),
    }
}

/// The mapping is gone, and files are refused until there is another. What was saved stays in the list of versions,
/// and whatever else the feed has stays as it is.
pub(crate) async fn reset(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<StatusCode, Refusal> {
    let portal = context.portal(portal_id).await?;
    let is_mapped = portal.mapping_version().is_some();
    if is_mapped && !context.feed.reset_mapping(portal_id, &portal).await? {
        return Err(Refusal::new(ProblemCode::Conflict));
    }
    // Also if somebody else has reset it and was stopped before this.
    context.end_hold(portal_id).await;
    Ok(StatusCode::NO_CONTENT)
}
