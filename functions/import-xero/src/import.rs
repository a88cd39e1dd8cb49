//! Asking for an import. It is stored with the record of its upload, in which the history shows how it goes, and made by
//! an invocation of its own (`run`).

use crate::context::Context;
use crate::session::Session;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::import::{EmployeeId, NotAnEmployeeId};
use mapping::problem::{Problem, ProblemCode};
use platform::feed::xero::{Begun, ImportRequest};
use platform::feed::{Action, UploadRecord};
use platform::web::{AdministratorOf, JsonBody, Refusal, wire};
use serde::Deserialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// More than a portal ever has places for.
const MAX_CHOSEN: usize = 1_000;

/// Whom to import.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"assign_courses": true})))]
pub(crate) struct ImportBody {
    /// As the preview names them; everybody who can be imported, if it is left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_items = 1, max_items = 1000)]
    employee_ids: Option<Vec<String>>,
    /// Whether they are assigned the courses: those who are created, and those who are users already and active.
    assign_courses: bool,
}

fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(from).map(Some)
}

/// Import people
///
/// The record of an upload of the kind `xero`, in which the upload history shows how it goes; its report says what became
/// of everybody. Nobody is changed who is a user already. The connection is given back to Xero afterwards.
#[utoipa::path(
    post, path = "/portals/{portal_id}/xero/import", operation_id = "import_from_xero", tag = "Administrators",
    request_body = ImportBody,
    responses(
        (status = 202, description = "It is under way.", body = wire::UploadRecord),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`xero_not_offered`, `xero_not_connected`, `xero_reconnect_needed`, \
            `xero_organisation_not_chosen`, `import_running`, `conflict`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn import(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<ImportBody>,
) -> Result<(StatusCode, Json<UploadRecord>), Refusal> {
    let request = ImportRequest {
        employee_ids: body.employee_ids.as_deref().map(ids).transpose()?,
        assign_courses: body.assign_courses,
    };
    context.portal(portal_id).await?;
    let feed = &context.feed;
    if feed.pending_import(portal_id).await?.is_some() {
        return Err(Refusal::new(ProblemCode::ImportRunning));
    }
    let session = Session::of(&context, portal_id)
        .await
        .map_err(context.refuse())?;
    if session.connection.chosen.is_none() {
        return Err(Refusal::new(ProblemCode::XeroOrganisationNotChosen));
    }
    let now = (context.clock)();
    let record = UploadRecord::of_import(portal_id, &session.connection.consent, now);
    let action = Action::XeroImportBegun {
        upload_id: record.upload_id,
    };
    let entry = context.entry(portal_id, &caller, action)?;
    let begun = feed.begin_import(&record, &session.connection, request, now, entry);
    match begun.await? {
        Begun::Begun => {}
        Begun::Running => return Err(Refusal::new(ProblemCode::ImportRunning)),
        Begun::NotConnected => return Err(Refusal::new(ProblemCode::Conflict)),
    }
    context.wake(portal_id).await;
    Ok((StatusCode::ACCEPTED, Json(record)))
}

fn ids(sent: &[String]) -> Result<BTreeSet<EmployeeId>, Refusal> {
    let problem = |message: &str| {
        let problem = Problem::new(ProblemCode::InvalidValue).field("employee_ids");
        problem.message(message)
    };
    if sent.is_empty() || sent.len() > MAX_CHOSEN {
        let message = "Choose 1 to 1,000 people, or leave the list out for everybody.";
        return Err(Refusal::all(vec![problem(message)]));
    }
    let mut ids = BTreeSet::new();
    let mut wrong = Vec::new();
    for id in sent {
        match id.parse() {
            Ok(id) => _ = ids.insert(id),
            Err(NotAnEmployeeId) => wrong.push(problem("This is no id of Xero's.").value(id)),
        }
    }
    match wrong.is_empty() {
        true => Ok(ids),
        false => Err(Refusal::all(wrong)),
    }
}
