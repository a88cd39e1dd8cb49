//! A page of a list: `limit` and `cursor` of the query. What a cursor means is the list's own business.

use super::Refusal;
use mapping::problem::{Problem, ProblemCode};
use std::collections::HashMap;
use std::str::FromStr;

const DEFAULT_LIMIT: u8 = 20;
const MAX_LIMIT: u8 = 100;

/// How many items a page is to have, and where it begins.
///
/// # Errors
///
/// One of the two is not what it should be, or both.
pub fn limit_and_cursor<C: FromStr>(
    query: &HashMap<String, String>,
) -> Result<(u8, Option<C>), Refusal> {
    let mut problems = Vec::new();
    let mut invalid = |name: &str, value: &str, message: &str| {
        problems.push(
            Problem::new(ProblemCode::InvalidValue)
                .field(name)
                .value(value)
                .message(message),
        );
    };
    let sent = |name: &str| {
        query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let limit = sent("limit").map_or(Some(DEFAULT_LIMIT), |limit| {
        limit
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| limit.parse().ok())
            .flatten()
    });
    let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
    if limit.is_none() {
        invalid(
            "limit",
            sent("limit").unwrap_or_default(),
            "A limit is a number from 1 to 100.",
        );
    }
    let cursor = sent("cursor").map(str::parse).transpose();
    if cursor.is_err() {
        invalid(
            "cursor",
            sent("cursor").unwrap_or_default(),
            "A cursor comes from the page before.",
        );
    }
    match (limit, cursor) {
        (Some(limit), Ok(cursor)) => Ok((limit, cursor)),
        _ => Err(Refusal::all(problems)),
    }
}
