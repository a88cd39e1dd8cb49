//! `/portals/{portal_id}/feed/mapping`: which column feeds which field. Saving makes a new version; an
//! old one never changes.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::mapping::{FieldDraft, Mapping, MappingDraft, identity_by_email};
use mapping::problem::ProblemCode;
use platform::clock::stamp;
use platform::feed::{Action, StoredMapping};
use platform::web::{AdministratorOf, JsonBody, Refusal, wire};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A mapping as it is sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "columns": ["Work E-mail", "Given Name", "Surname", "Employment Status"],
    "fields": [
        {"field": "email", "column": "Work E-mail"},
        {"field": "first_name", "column": "Given Name"},
        {"field": "last_name", "column": "Surname"},
        {"field": "status", "column": "Employment Status"},
    ],
    "identity": "email",
    "auto_disable": false,
})))]
pub(crate) struct MappingBody {
    /// The columns of the sample file, in its order. Left out, only those are known that feed something.
    #[serde(default)]
    #[schema(max_items = 1000, value_type = Vec<wire::ColumnName>)]
    columns: Vec<String>,
    /// What feeds what: each field once, `email`, `first_name` and `last_name` among them.
    #[schema(min_items = 3, max_items = 64, value_type = Vec<wire::MappedField>)]
    fields: Vec<FieldDraft>,
    /// By what people are told apart.
    #[serde(default = "identity_by_email")]
    #[schema(value_type = wire::IdentifyBy)]
    identity: String,
    /// Whether people who are missing from a file become inactive. Not together with a mapped `status`.
    #[serde(default)]
    auto_disable: bool,
    /// As it was shown, for who changes what was read and sends it back. It is not set here.
    #[serde(default, rename = "version")]
    #[schema(value_type = Value)]
    _version: IgnoredAny,
    /// As it was shown. It is not set here.
    #[serde(default, rename = "created_at")]
    #[schema(value_type = Value)]
    _created_at: IgnoredAny,
    /// As it was shown. It is not set here.
    #[serde(default, rename = "active")]
    #[schema(value_type = Value)]
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
#[derive(Serialize, ToSchema)]
pub(crate) struct MappingAnswer {
    /// The columns of the sample file, in its order.
    columns: Vec<String>,
    /// What feeds what.
    #[schema(value_type = Vec<wire::MappedField>)]
    fields: Vec<FieldDraft>,
    /// By what people are told apart.
    #[schema(value_type = wire::IdentifyBy)]
    identity: String,
    /// Whether people who are missing from a file become inactive.
    auto_disable: bool,
    /// Counted from 1.
    #[schema(minimum = 1)]
    version: u64,
    /// When it was saved.
    #[schema(format = DateTime)]
    created_at: String,
    /// In the list of versions: whether files are read with it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) active: Option<bool>,
}

impl From<StoredMapping> for MappingAnswer {
    fn from(stored: StoredMapping) -> Self {
        let MappingDraft {
            columns,
            fields,
            identity,
            auto_disable,
        } = stored.draft;
        MappingAnswer {
            columns,
            fields,
            identity,
            auto_disable,
            version: stored.version,
            created_at: stored.created_at,
            active: None,
        }
    }
}

/// The mapping that files are read with
#[utoipa::path(
    get, path = "/portals/{portal_id}/feed/mapping", operation_id = "show_mapping", tag = "Administrators",
    responses(
        (status = 200, description = "The mapping.", body = MappingAnswer),
        (status = 404, description = "`portal_not_found`, `mapping_not_found`"),
    ),
)]
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

/// Save a mapping
///
/// A new version, with which files are read from now on. A hold ends. What was read, also an old version, can be
/// sent back.
#[utoipa::path(
    put, path = "/portals/{portal_id}/feed/mapping", operation_id = "save_mapping", tag = "Administrators",
    request_body = MappingBody,
    responses(
        (status = 200, description = "It takes another's place.", body = MappingAnswer),
        (status = 201, description = "There was none.", body = MappingAnswer),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`conflict`"),
        (status = 422, description = "`invalid_value`, `unknown_field`, `field_mapped_twice`, \
            `required_field_not_mapped`, `external_id_not_enabled`, `auto_disable_with_status`, `unknown_column`, \
            `duplicate_column`"),
    ),
)]
pub(crate) async fn put(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<MappingBody>,
) -> Result<(StatusCode, Json<MappingAnswer>), Refusal> {
    let portal = context.portal(portal_id).await?;
    let draft = MappingDraft::from(body);
    Mapping::check(&draft, &portal.settings.catalogue()).map_err(Refusal::all)?;
    let created_at = stamp((context.clock)());
    let before = context.feed.mapping(portal_id).await?;
    let saved = Action::MappingSaved {
        mapping_version: portal.last_mapping_version + 1,
    };
    let entry = context.entry(portal_id, &caller, saved)?;
    if before.is_none() {
        context.expect_file(portal_id, &portal).await?;
    }
    match context
        .feed
        .put_mapping(portal_id, &portal, draft, created_at, entry)
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

/// Reset the mapping
///
/// The mapping is gone, and files are rejected until there is another; a hold ends. What was saved stays in the list
/// of versions, and whatever else the feed has, its key pair too, stays as it is.
#[utoipa::path(
    delete, path = "/portals/{portal_id}/feed/mapping", operation_id = "reset_mapping", tag = "Administrators",
    responses(
        (status = 204, description = "There is no mapping."),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`conflict`"),
    ),
)]
pub(crate) async fn reset(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
) -> Result<StatusCode, Refusal> {
    let portal = context.portal(portal_id).await?;
    if portal.mapping_version().is_some() {
        let entry = context.entry(portal_id, &caller, Action::MappingReset)?;
        let feed = &context.feed;
        if !feed.reset_mapping(portal_id, &portal, entry).await? {
            return Err(Refusal::new(ProblemCode::Conflict));
        }
    }
    // Also if somebody else has reset it and was stopped before this.
    context.end_hold(portal_id).await;
    Ok(StatusCode::NO_CONTENT)
}
