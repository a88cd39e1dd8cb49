//! The portal's users, page by page; or those who have an address or are called so.

use crate::context::Context;
use crate::user::UserAnswer;
use axum::Json;
use axum::extract::{Query, State};
use mapping::identity::{EmailKey, PortalId, check_email};
use mapping::problem::{Problem, ProblemCode};
use mapping::search::NameSearch;
use platform::directory::{Cursor, Page};
use platform::web::{AdministratorOf, Refusal, wire};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};

/// A page of users.
#[derive(Serialize, ToSchema)]
#[schema(as = UserPage)]
pub(crate) struct PageAnswer {
    items: Vec<UserAnswer>,
    /// Where the next page begins; `null` on the last. A page that is not the last may have few items or none
    /// if a name is looked for.
    #[schema(required)]
    cursor: Option<String>,
}

/// An answer of Lambda has at most 6 MB, and a user may have 50 custom fields of 1,000 characters each.
const MAX_PAGE_BYTES: usize = 3_000_000;

impl From<Page> for PageAnswer {
    /// As many of its users as an answer has room for, and one at least.
    fn from(page: Page) -> Self {
        let (mut items, mut next, mut bytes) = (Vec::new(), page.next, 0);
        let mut before = None;
        for user in page.users {
            let after = Cursor::after(&user);
            let item = UserAnswer::from(user);
            // What was read from the table serialises.
            bytes += serde_json::to_vec(&item).map_or(0, |json| json.len());
            if bytes > MAX_PAGE_BYTES && !items.is_empty() {
                next = before;
                break;
            }
            items.push(item);
            before = Some(after);
        }
        PageAnswer {
            items,
            cursor: next.map(|next| next.to_string()),
        }
    }
}

/// What is asked for.
struct Asked {
    limit: usize,
    cursor: Option<Cursor>,
    /// Trimmed.
    email: Option<String>,
    name: Option<NameSearch>,
}

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// For the API's document: what can be looked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Whoever has exactly this address, compared as addresses are. What is no address finds nobody.
    #[param(required = false)]
    #[expect(dead_code, reason = "it is described, not made")]
    email: String,
    /// A part of “first last”, in any case.
    #[param(required = false)]
    #[expect(dead_code, reason = "it is described, not made")]
    name: String,
}

/// The portal's users
///
/// In the order of their ids; or those who have an address, or are called so. Looking for a name examines 5,000 users
/// at a time: a page may have fewer items than `limit`, or none, and not be the last. Go on while `cursor` is not
/// `null`.
#[utoipa::path(
    get, path = "/portals/{portal_id}/users", operation_id = "list_users", tag = "Administrators",
    params(SearchQuery, wire::PageQuery),
    responses(
        (status = 200, description = "A page of them.", body = PageAnswer),
        (status = 404, description = "`portal_not_found`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn list(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<PageAnswer>, Refusal> {
    let asked = asked(&query).map_err(Refusal::all)?;
    context.portal(portal_id).await?;
    let page = match &asked.email {
        Some(email) => of_address(&context, portal_id, email, &asked).await?,
        None => {
            let search = asked.name.as_ref();
            let users = &context.users;
            users
                .page(portal_id, asked.limit, asked.cursor, search)
                .await?
        }
    };
    Ok(Json(page.into()))
}

/// One user, or none; after an accident several, and then they come in pages as any do.
async fn of_address(
    context: &Context,
    portal_id: PortalId,
    email: &str,
    asked: &Asked,
) -> Result<Page, Refusal> {
    let mut users = Vec::new();
    // Nobody has what is no address.
    if check_email(email).is_ok() {
        let key = EmailKey::of(email);
        users = context.users.holders(portal_id, &key).await?;
    }
    users.retain(|user| {
        let values = &user.values;
        let name = asked.name.as_ref();
        name.is_none_or(|name| name.finds(&values.first_name, &values.last_name))
            && asked.cursor.is_none_or(|cursor| cursor.is_before(user))
    });
    let more = users.len() > asked.limit;
    users.truncate(asked.limit);
    let last = users.last().filter(|_| more);
    let next = last.map(Cursor::after);
    Ok(Page { users, next })
}

fn asked(query: &HashMap<String, String>) -> Result<Asked, Vec<Problem>> {
    let sent = |name: &str| {
        query
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    };
    let mut problems = Vec::new();
    let mut invalid = |name: &str, message: &str| {
        problems.push(
            Problem::new(ProblemCode::InvalidValue)
                .field(name)
                .value(sent(name).unwrap_or_default())
                .message(message),
        );
    };
    let limit = sent("limit").map_or(Some(DEFAULT_LIMIT), |limit| {
        // `parse` takes a plus sign; a number has none.
        let number = limit.bytes().all(|byte| byte.is_ascii_digit());
        limit.parse().ok().filter(|_| number)
    });
    let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
    if limit.is_none() {
        invalid("limit", "A limit is a number from 1 to 100.");
    }
    let cursor = sent("cursor").map(str::parse).transpose();
    if cursor.is_err() {
        invalid("cursor", "A cursor comes from the page before.");
    }
    match (limit, cursor) {
        (Some(limit), Ok(cursor)) => Ok(Asked {
            limit,
            cursor,
            email: sent("email").map(str::to_owned),
            name: sent("name").map(NameSearch::new),
        }),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::edit::Editable;
    use mapping::fields::Status;
    use mapping::identity::{Identity, UserId};
    use platform::directory::PortalUser;
    use std::collections::{BTreeMap, BTreeSet};

    fn user(n: u32, bytes: usize) -> PortalUser {
        let email = format!("p{n}@x.example");
        PortalUser {
            user_id: UserId::of("1".parse().unwrap(), &Identity::Email(&email), 0),
            values: Editable {
                email,
                first_name: "Pat".to_owned(),
                last_name: "Lee".to_owned(),
                status: Status::Active,
                roles: BTreeSet::new(),
                feed_roles: BTreeSet::new(),
                group_ids: BTreeSet::new(),
                manager_ids: BTreeSet::new(),
                disabled_by_upload: None,
            },
            external_id: None,
            custom: BTreeMap::from([("job".to_owned(), "x".repeat(bytes))]),
            feed_managed: true,
            source: None,
            manager_granted_at: None,
            created_at: None,
            updated_at: None,
            last_upload_id: None,
            version: 1,
        }
    }

    #[test]
    fn a_page_has_as_many_users_as_an_answer_has_room_for_and_the_next_one_goes_on_there() {
        let page = |users: &[PortalUser], next| {
            let answer = PageAnswer::from(Page {
                users: users.to_vec(),
                next,
            });
            (answer.items.len(), answer.cursor)
        };
        let users: Vec<PortalUser> = (0..5).map(|n| user(n, 1_000_000)).collect();
        let after = |n: usize| Some(Cursor::after(&users[n]));
        let spelled = |n: usize| after(n).map(|cursor| cursor.to_string());
        assert_eq!(page(&users, None), (2, spelled(1)));
        assert_eq!(page(&users[2..], after(4)), (2, spelled(3)));
        assert_eq!(page(&users[4..], None), (1, None));
        assert_eq!(page(&users[4..], after(4)), (1, spelled(4)));
        let large = [user(9, 4_000_000), user(10, 1)];
        let alone = Some(Cursor::after(&large[0]).to_string());
        assert_eq!(page(&large, None), (1, alone));
    }

    fn ask(query: &[(&str, &str)]) -> Result<Asked, Vec<Problem>> {
        let query = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        asked(&query.collect())
    }

    #[test]
    fn what_is_asked_for_is_understood_or_refused_with_everything_that_is_wrong() {
        let plain = ask(&[("email", " "), ("name", ""), ("cursor", ""), ("limit", "")]);
        let plain = plain.unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!((plain.limit, plain.cursor), (20, None));
        assert!(plain.email.is_none() && plain.name.is_none());

        let cursor = "2f1c3a52-9d0e-5b7b-8a61-2e5dc0f47b19";
        let all = ask(&[
            ("email", " Ann@x.example "),
            ("name", "ann"),
            ("cursor", cursor),
            ("limit", "100"),
        ]);
        let all = all.unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(all.limit, 100);
        assert_eq!(all.cursor, cursor.parse().ok());
        assert_eq!(all.email.as_deref(), Some("Ann@x.example"));
        assert!(all.name.is_some_and(|name| name.finds("Ann", "Lee")));

        for (query, fields) in [
            (&[("limit", "0")][..], &["limit"][..]),
            (&[("limit", "101")], &["limit"]),
            (&[("limit", "+1")], &["limit"]),
            (&[("limit", "x"), ("cursor", "x")], &["limit", "cursor"]),
        ] {
            let problems = ask(query).err().unwrap_or_default();
            let found: Vec<_> = problems
                .iter()
                .map(|problem| problem.field.as_deref().unwrap())
                .collect();
            assert_eq!(found, fields, "{query:?}");
        }
    }
}
