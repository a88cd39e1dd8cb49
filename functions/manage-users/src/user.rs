//! One user, as it is shown.

use crate::context::Context;
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use mapping::edit::Editable;
use mapping::fields::Status;
use mapping::identity::{PortalId, UserId};
use mapping::problem::ProblemCode;
use mapping::role::Role;
use platform::directory::PortalUser;
use platform::web::{AdministratorOf, Refusal, wire};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use utoipa::ToSchema;

/// A user as it is shown. What is absent is left out; sets are always there, and sorted.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserAnswer {
    #[schema(value_type = wire::UserId)]
    user_id: UserId,
    /// As it was sent, trimmed.
    email: String,
    first_name: String,
    last_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    external_id: Option<String>,
    #[schema(value_type = wire::Status)]
    status: Status,
    /// Whoever gave them.
    // In the order of `Role::ALL`.
    #[schema(value_type = Vec<wire::Role>)]
    roles: BTreeSet<Role>,
    /// Those that the feed gave, and takes away again.
    #[schema(value_type = Vec<wire::Role>)]
    feed_roles: BTreeSet<Role>,
    #[schema(value_type = Vec<u64>)]
    group_ids: BTreeSet<u64>,
    #[schema(value_type = Vec<wire::UserId>)]
    manager_ids: BTreeSet<UserId>,
    /// The values of the portal's own fields, by their names.
    custom: BTreeMap<String, String>,
    /// Whether a file was about this person.
    feed_managed: bool,
    /// What created the user: `feed` or `xero`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    source: Option<String>,
    /// When the feed gave the role `Manager` to somebody's manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    manager_granted_at: Option<String>,
    /// The upload that made the user inactive because of an absence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    disabled_by_upload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    updated_at: Option<String>,
    /// The upload that changed the user last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_upload_id: Option<String>,
    /// Goes up with every change.
    version: u64,
}

impl From<PortalUser> for UserAnswer {
    fn from(user: PortalUser) -> Self {
        let PortalUser {
            user_id,
            values:
                Editable {
                    email,
                    first_name,
                    last_name,
                    status,
                    roles,
                    feed_roles,
                    group_ids,
                    manager_ids,
                    disabled_by_upload,
                },
            external_id,
            custom,
            feed_managed,
            source,
            manager_granted_at,
            created_at,
            updated_at,
            last_upload_id,
            version,
        } = user;
        UserAnswer {
            user_id,
            email,
            first_name,
            last_name,
            external_id,
            status,
            roles,
            feed_roles,
            group_ids,
            manager_ids,
            custom,
            feed_managed,
            source,
            manager_granted_at,
            disabled_by_upload,
            created_at,
            updated_at,
            last_upload_id,
            version,
        }
    }
}

/// One user
#[utoipa::path(
    get, path = "/portals/{portal_id}/users/{user_id}", operation_id = "show_user", tag = "Administrators",
    responses(
        (status = 200, description = "The user.", body = UserAnswer),
        (status = 404, description = "`user_not_found`"),
    ),
)]
pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    UserInPath(user_id): UserInPath,
) -> Result<Json<UserAnswer>, Refusal> {
    Ok(Json(find(&context, portal_id, user_id).await?.into()))
}

/// The path's `user_id`. Whatever is no id is no user either.
pub(crate) struct UserInPath(pub(crate) UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserInPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state)
            .await
            .ok();
        let id = path.and_then(|Path(path)| UserId::spelled(path.get("user_id")?));
        id.map(UserInPath)
            .ok_or_else(|| Refusal::new(ProblemCode::UserNotFound))
    }
}

/// The user, or the refusal that there is none.
pub(crate) async fn find(
    context: &Context,
    portal_id: PortalId,
    user_id: UserId,
) -> Result<PortalUser, Refusal> {
    let user = context.users.user(portal_id, user_id).await?;
    user.ok_or_else(|| Refusal::new(ProblemCode::UserNotFound))
}
