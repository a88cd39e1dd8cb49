//! `/portals/{portal_id}/uploads/{upload_id}/held-disables`: whom a hold is about, and what is decided
//! (`docs/rules.md`, "Holds").

use crate::context::Context;
use crate::upload::{UploadInPath, find};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use mapping::identity::UserId;
use mapping::problem::ProblemCode;
use platform::feed::{Decision, UploadRecord, UploadStatus};
use platform::users::StoredUser;
use platform::web::{AdministratorOf, JsonBody, Refusal, limit_and_cursor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A page of the people.
#[derive(Serialize)]
pub(crate) struct Page {
    items: Vec<HeldPerson>,
    /// Where the next page begins; `null` on the last.
    cursor: Option<String>,
}

/// Somebody who waits.
#[derive(Serialize)]
struct HeldPerson {
    action: HeldAction,
    user_id: UserId,
    email: String,
    first_name: String,
    last_name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// The people as they were held; of those who exist, as they are now. Who was erased since is left out.
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionBody {
    decision: Decided,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decided {
    Approve,
    Reject,
}

/// 202 for an approval, which waits for its turn as a file does; 200 for a rejection, which is done at once.
pub(crate) async fn decide(
    AdministratorOf(portal_id, _): AdministratorOf,
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
            .end_hold(portal_id, upload_id, Decision::Superseded, now)
            .await?;
        return Err(Refusal::new(ProblemCode::HoldSuperseded));
    }
    let (done, status) = match body.decision {
        Decided::Approve => {
            let done = context.feed.approve_hold(portal_id, upload_id, now).await?;
            (done, StatusCode::ACCEPTED)
        }
        Decided::Reject => {
            let feed = &context.feed;
            let done = feed
                .end_hold(portal_id, upload_id, Decision::Reject, now)
                .await?;
            (done, StatusCode::OK)
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
