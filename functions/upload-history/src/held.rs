//! `/portals/{portal_id}/uploads/{upload_id}/held-disables`: whom a hold is about, and what is decided
//! (`docs/rules.md`, "Holds").

use crate::context::Context;
use crate::upload::{UploadInPath, find};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use mapping::identity::UserId;
use mapping::problem::ProblemCode;
use platform::feed::{Action, Decision, UploadRecord, UploadStatus};
use platform::users::StoredUser;
use platform::web::{AdministratorOf, JsonBody, Refusal, limit_and_cursor, wire};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// A page of the people.
#[derive(Serialize, ToSchema)]
#[schema(as = HeldPage)]
pub(crate) struct Page {
    items: Vec<HeldPerson>,
    /// Where the next page begins; `null` on the last.
    #[schema(required)]
    cursor: Option<String>,
}

/// Somebody who waits.
#[derive(Serialize, ToSchema)]
struct HeldPerson {
    action: HeldAction,
    #[schema(value_type = wire::UserId)]
    user_id: UserId,
    email: String,
    first_name: String,
    last_name: String,
}

/// What would happen to somebody.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum HeldAction {
    Disable,
    Create,
}

/// A line of the kept list: of who exists, only the id.
#[derive(Deserialize)]
struct ListedPerson {
    action: HeldAction,
    user_id: UserId,
    email: String,
    first_name: String,
    last_name: String,
}

/// An address has 254 bytes at most, a name 4,000.
const LONGEST_LINE: u64 = 9_000;

/// Whom a hold is about
///
/// People as they are now, those to be created as the file has them; who was erased since is left out. Nobody, if the
/// upload holds nothing. Of a rehearsal there is no list.
#[utoipa::path(
    get, path = "/portals/{portal_id}/uploads/{upload_id}/held-disables", operation_id = "list_held",
    tag = "Administrators",
    params(wire::PageQuery),
    responses(
        (status = 200, description = "A page of them.", body = Page),
        (status = 404, description = "`upload_not_found`, `report_expired`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn list(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    in_path: UploadInPath,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Page>, Refusal> {
    let (limit, cursor) = limit_and_cursor::<u64>(&query)?;
    let upload = find(&context, portal_id, in_path).await?;
    let from = cursor.unwrap_or(0);
    let held = upload.held.disables + upload.held.creates;
    if held == 0 || !upload.report_ready || upload.rehearsal {
        let (items, cursor) = (Vec::new(), None);
        return Ok(Json(Page { items, cursor }));
    }
    // Room for one more says whether there is one.
    let length = LONGEST_LINE * (u64::from(limit) + 1);
    let reports = &context.reports;
    let bytes = reports
        .held(portal_id, upload.upload_id, from, length)
        .await?
        .ok_or_else(|| Refusal::new(ProblemCode::ReportExpired))?;
    let mut listed = Vec::new();
    let mut read = 0;
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    for line in lines.by_ref().take(usize::from(limit)) {
        // A cursor of somebody's own making begins anywhere.
        if let Some(person) = person(line) {
            listed.push(person);
        }
        read += line.len() as u64;
    }
    let cursor = lines.next().map(|_| (from + read).to_string());
    let items = as_they_are(&context, portal_id, listed).await?;
    Ok(Json(Page { items, cursor }))
}

fn person(line: &[u8]) -> Option<ListedPerson> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(line);
    reader.deserialize().next()?.ok()
}

async fn as_they_are(
    context: &Context,
    portal_id: mapping::identity::PortalId,
    listed: Vec<ListedPerson>,
) -> Result<Vec<HeldPerson>, Refusal> {
    let to_disable = listed.iter().filter(|it| it.action == HeldAction::Disable);
    let ids: Vec<UserId> = to_disable.map(|it| it.user_id).collect();
    let mut users = context.users.get(portal_id, &ids).await?;
    let shown = listed.into_iter().filter_map(|it| {
        let ListedPerson {
            action,
            user_id,
            email,
            first_name,
            last_name,
        } = it;
        Some(match action {
            HeldAction::Create => HeldPerson {
                action,
                user_id,
                email,
                first_name,
                last_name,
            },
            HeldAction::Disable => {
                let StoredUser { user, .. } = users.remove(&user_id)?;
                HeldPerson {
                    action,
                    user_id,
                    email: user.email,
                    first_name: user.first_name,
                    last_name: user.last_name,
                }
            }
        })
    });
    Ok(shown.collect())
}

/// What is decided.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionBody {
    decision: Decided,
}

/// Whether what is held is done.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Decided {
    Approve,
    Reject,
}

/// Decide a hold
#[utoipa::path(
    post, path = "/portals/{portal_id}/uploads/{upload_id}/held-disables", operation_id = "decide_hold",
    tag = "Administrators",
    request_body = DecisionBody,
    responses(
        (status = 200, description = "Rejected: what was held is not done.", body = wire::UploadRecord),
        (status = 202, description = "Approved: it waits for its turn as a file does.", body = wire::UploadRecord),
        (status = 404, description = "`upload_not_found`, `portal_not_found`"),
        (status = 409, description = "`nothing_held`, `hold_superseded`, `conflict`"),
    ),
)]
pub(crate) async fn decide(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    in_path: UploadInPath,
    JsonBody(body): JsonBody<DecisionBody>,
) -> Result<(StatusCode, Json<UploadRecord>), Refusal> {
    let upload = find(&context, portal_id, in_path).await?;
    if upload.status != UploadStatus::Held {
        return Err(undecidable(&upload));
    }
    let now = (context.clock)();
    let upload_id = upload.upload_id;
    let portal = context.feed.portal(portal_id).await?;
    let portal = portal.ok_or_else(|| Refusal::new(ProblemCode::PortalNotFound))?;
    let too_late = portal
        .hold
        .as_ref()
        .is_some_and(|hold| hold.upload_id == upload_id && hold.is_superseded(&portal, now));
    if too_late {
        context
            .feed
            .end_hold(portal_id, upload_id, Decision::Superseded, now, None)
            .await?;
        return Err(Refusal::new(ProblemCode::HoldSuperseded));
    }
    let feed = &context.feed;
    let entry = |action| feed.entry(portal_id, caller.does(portal_id, action, now));
    let (done, status) = match body.decision {
        Decided::Approve => {
            let entry = entry(Action::HoldApproved { upload_id })?;
            let done = feed.approve_hold(portal_id, upload_id, now, entry);
            (done.await?, StatusCode::ACCEPTED)
        }
        Decided::Reject => {
            let entry = entry(Action::HoldRejected { upload_id })?;
            let done = feed.end_hold(portal_id, upload_id, Decision::Reject, now, Some(entry));
            (done.await?, StatusCode::OK)
        }
    };
    let upload = context.feed.upload(portal_id, upload_id).await?;
    let upload = upload.ok_or_else(|| Refusal::new(ProblemCode::UploadNotFound))?;
    if !done {
        // Somebody else decided, or something ended it, at the same moment.
        return Err(undecidable(&upload));
    }
    // An approval is in the queue, and of a rejection others are to be told; if not now, by the sweep.
    if let Err(error) = context.process_upload.wake(portal_id).await {
        tracing::warn!(%portal_id, %upload_id, %error, "not woken");
    }
    Ok((status, Json(upload)))
}

fn undecidable(upload: &UploadRecord) -> Refusal {
    Refusal::new(match (upload.status, upload.held.decision) {
        (_, Some(Decision::Superseded)) => ProblemCode::HoldSuperseded,
        (UploadStatus::Held, _) => ProblemCode::Conflict,
        _ => ProblemCode::NothingHeld,
    })
}
