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

impl From<Page> for PageAnswer {
    fn from(page: Page) -> Self {
        PageAnswer {
            items: page.users.into_iter().map(UserAnswer::from).collect(),
            cursor: page.next.map(|next| next.to_string()),
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
