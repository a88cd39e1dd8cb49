//! A link to put a file to, for people without a script: the file goes to the feed bucket without passing through the
//! API, and is processed as any that comes with the key pair.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::problem::{Problem, ProblemCode};
use platform::feed::Action;
use platform::objects::Link;
use platform::web::{AdministratorOf, JsonBody, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is to be uploaded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"file_name": "people.csv", "rehearsal": true})))]
pub(crate) struct UploadBody {
    /// Ends in `.csv`, and names no folder.
    #[schema(
        max_length = 255,
        pattern = r"^[^/\\\x00-\x1f\x7f-\x9f]*\.[cC][sS][vV]$"
    )]
    file_name: String,
    /// Planned and reported in full, and nobody is changed.
    #[serde(default)]
    rehearsal: bool,
}

/// Where the file is to be put, with the method PUT, and until when.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadLinkAnswer {
    url: String,
    /// `PUT`.
    method: &'static str,
    /// Where the file will be in the bucket.
    key: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// A key of S3 has 1,024 bytes at most, and file systems name files with 255.
const MAX_NAME_BYTES: usize = 255;

/// Whether the feed would take a file of this name, in the folder that it is put into.
fn is_file_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.to_ascii_lowercase().ends_with(".csv")
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
}

/// Get a link to put a file to
///
/// For people without a script. The upload is in the history once the file has arrived.
#[utoipa::path(
    post, path = "/portals/{portal_id}/uploads", operation_id = "give_upload_link", tag = "Administrators",
    request_body = UploadBody,
    responses(
        (status = 201, description = "The link.", body = UploadLinkAnswer),
        (status = 404, description = "`portal_not_found`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn give(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<UploadBody>,
) -> Result<(StatusCode, Json<UploadLinkAnswer>), Refusal> {
    let UploadBody {
        file_name,
        rehearsal,
    } = body;
    if !is_file_name(&file_name) {
        let message =
            "The name of a file ends in .csv, has at most 255 bytes, and names no folder.";
        let problem = Problem::new(ProblemCode::InvalidValue).field("file_name");
        return Err(Refusal::all(vec![
            problem.value(&file_name).message(message),
        ]));
    }
    context.portal_exists(portal_id).await?;
    let now = (context.clock)();
    let (key, Link { url, expires_at }) = context
        .files
        .link_to_put(portal_id, &file_name, rehearsal, now)
        .await?;
    let given = Action::UploadLinkGiven {
        file_name,
        rehearsal,
    };
    let feed = &context.feed;
    let entry = feed.entry(portal_id, caller.does(portal_id, given, now))?;
    feed.record(entry).await?;
    let answer = UploadLinkAnswer {
        url,
        method: "PUT",
        key,
        expires_at,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

#[cfg(test)]
mod tests {
    use super::is_file_name;

    #[test]
    fn a_file_name_is_one_that_the_feed_takes() {
        for name in [
            "a.csv",
            "People 2026.CSV",
            "Mitarbeiter für heute.csv",
            ".csv",
        ] {
            assert!(is_file_name(name), "{name}");
        }
        let long = format!("{}.csv", "a".repeat(252));
        for name in [
            "", "a", "a.txt", "a.csv.gz", "../a.csv", "x/a.csv", "x\\a.csv", "a\n.csv", &long,
        ] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
