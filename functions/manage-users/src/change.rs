//! A change of a user that is made in the portal, and that the feed has to respect.

use crate::address;
use crate::context::Context;
use crate::user::{UserAnswer, UserInPath, find};
use axum::Json;
use axum::extract::State;
use mapping::edit::{Edit, EditDraft, Editable, MAX_ADDED};
use mapping::group::Groups;
use mapping::identity::{EmailKey, PortalId};
use mapping::problem::ProblemCode;
use platform::directory::PortalUser;
use platform::feed::{Action, Assignment};
use platform::web::{AdministratorOf, JsonBody, Refusal, wholes, wire};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// A change as it is sent: what is left out stays. `null` is refused, since nothing of this can be taken away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 1000)]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 1000)]
    last_name: Option<String>,
    /// One address, which nobody else in the portal has.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 3)]
    email: Option<String>,
    /// All that the user is to have.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<wire::Role>, required = false)]
    roles: Option<Vec<String>>,
    /// All that the user is to be in; at most 100 new ones at once.
    #[serde(default, deserialize_with = "given_numbers")]
    #[schema(value_type = Vec<wire::GoId>, required = false)]
    group_ids: Option<Vec<u64>>,
    /// All that the user is to have; at most 100 new ones at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<wire::UserId>, required = false)]
    manager_ids: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = wire::Status, required = false)]
    status: Option<String>,
}

fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn given_numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u64>>, D::Error> {
    wholes(from).map(Some)
}

impl From<ChangeBody> for EditDraft {
    fn from(body: ChangeBody) -> Self {
        let ChangeBody {
            first_name,
            last_name,
            email,
            roles,
            group_ids,
            manager_ids,
            status,
        } = body;
        EditDraft {
            first_name,
            last_name,
            email,
            roles,
            group_ids,
            manager_ids,
            status,
        }
    }
}

/// How often a change is made anew that met another one. A run writes each person once, and people click slowly.
const ATTEMPTS: usize = 5;

/// Change a user
///
/// A change made in the portal, which the feed respects. What is left out stays; a list is sent as it is to be. The
/// change may be repeated where its answer was lost.
// Made on the user as it stands, also if that is not what the caller has seen: what is so already is not written again.
#[utoipa::path(
    patch, path = "/portals/{portal_id}/users/{user_id}", operation_id = "change_user", tag = "Administrators",
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The user afterwards.", body = UserAnswer),
        (status = 404, description = "`user_not_found`, `portal_not_found`"),
        (status = 409, description = "`email_taken`; `feed_running`, for another address while a file is processed; \
            `conflict`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn change(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    UserInPath(user_id): UserInPath,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Result<Json<UserAnswer>, Refusal> {
    let draft = EditDraft::from(body);
    let groups = context.portal(portal_id).await?.settings.catalogue().groups;
    for _ in 0..ATTEMPTS {
        let user = find(&context, portal_id, user_id).await?;
        let edit = check(&context, portal_id, &draft, &user, &groups).await?;
        let Some(after) = edit.apply(&user.values) else {
            return Ok(Json(user.into()));
        };
        let learning = learning(&user, &after, &groups);
        let moves = EmailKey::of(&after.email) != EmailKey::of(&user.values.email);
        let now = (context.clock)();
        let changed = Action::UserChanged {
            user_id,
            fields: after
                .changed_since(&user.values)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        let feed = &context.feed;
        let entry = feed.entry(portal_id, caller.does(portal_id, changed, now))?;
        let changed = if moves {
            address::change(&context, portal_id, &user, &after, &learning, entry).await?
        } else {
            // Before the user is in the group: a crash in between loses no learning.
            feed.assign_in_portal(portal_id, now, &learning).await?;
            let users = &context.users;
            users
                .change(portal_id, &user, &after, now, entry, None)
                .await?
        };
        if let Some(changed) = changed {
            return Ok(Json(changed.into()));
        }
    }
    Err(Refusal::new(ProblemCode::Conflict))
}

async fn check(
    context: &Context,
    portal_id: PortalId,
    draft: &EditDraft,
    user: &PortalUser,
    groups: &Groups,
) -> Result<Edit, Refusal> {
    let mut managers = draft.added_managers(&user.values);
    // Of too many nobody is looked up; they are refused for their number.
    managers = match managers.len() {
        0 => managers,
        1..=MAX_ADDED => context.users.existing(portal_id, &managers).await?,
        _ => BTreeSet::new(),
    };
    Edit::check(draft, user.user_id, &user.values, groups, &managers).map_err(Refusal::all)
}

/// The learning of the groups that the user comes into, each item once.
fn learning(user: &PortalUser, after: &Editable, groups: &Groups) -> Vec<Assignment> {
    let mut learning = BTreeMap::new();
    for id in after.group_ids.difference(&user.values.group_ids) {
        let learning_ids = groups.find(*id).map(|group| &group.learning_ids);
        for learning_id in learning_ids.into_iter().flatten() {
            learning.entry(*learning_id).or_insert(Assignment {
                user_id: user.user_id,
                learning_id: *learning_id,
                group_id: Some(*id),
            });
        }
    }
    learning.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn a_body_names_what_it_changes_and_nothing_else() {
        let body: ChangeBody = from_value(json!({})).unwrap();
        assert!(body.first_name.is_none() && body.roles.is_none() && body.status.is_none());
        let body: ChangeBody =
            from_value(json!({"first_name": "", "roles": [], "group_ids": [7]})).unwrap();
        assert_eq!(body.first_name.as_deref(), Some(""));
        assert_eq!(body.roles, Some(Vec::new()));
        assert_eq!(body.group_ids, Some(vec![7]));
        for refused in [
            json!({"first_name": null}),
            json!({"roles": null}),
            json!({"roles": "Learner"}),
            json!({"group_ids": ["7"]}),
            json!({"group_ids": [-7]}),
            json!({"status": true}),
            json!({"version": 3}),
            json!({"external_id": "7"}),
            json!({"custom": {}}),
        ] {
            assert!(
                from_value::<ChangeBody>(refused.clone()).is_err(),
                "{refused}"
            );
        }
    }
}
