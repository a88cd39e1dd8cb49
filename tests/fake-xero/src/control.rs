//! What tests say to the fake, and ask it: `/fake/...`. Nothing here is Xero's.

use crate::desk::{Fake, unknown};
use crate::refuse;
use crate::wire::{
    Advance, Calls, NewEmployees, NewOrganisation, NewUser, OrganisationMade, Script, UserMade,
};
use crate::world::{Organisation, User, complete};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

pub(crate) fn routes() -> Router<Fake> {
    Router::new()
        .route("/fake/health", get(health))
        .route("/fake/users", post(add_user))
        .route("/fake/users/{id}/expire_access", post(expire_access))
        .route("/fake/organisations", post(add_organisation))
        .route("/fake/organisations/{id}/employees", put(put_employees))
        .route("/fake/organisations/{id}/disconnect", post(disconnect))
        .route("/fake/scripts", post(add_script))
        .route("/fake/calls", get(calls))
        .route("/fake/state", get(state))
        .route("/fake/secrets", get(secrets))
        .route("/fake/clock", post(advance))
        .fallback(unknown)
}

fn nobody() -> Response {
    refuse::control(StatusCode::NOT_FOUND, "no such user or organisation")
}

async fn health() -> StatusCode {
    StatusCode::OK
}

async fn add_user(State(fake): State<Fake>, Json(is): Json<NewUser>) -> Response {
    let user_id = Uuid::new_v4();
    let advanced = SignedDuration::ZERO;
    fake.world().users.insert(user_id, User { is, advanced });
    (StatusCode::CREATED, Json(UserMade { user_id })).into_response()
}

async fn add_organisation(
    State(fake): State<Fake>,
    Json(mut is): Json<NewOrganisation>,
) -> Response {
    let mut world = fake.world();
    if !world.users.contains_key(&is.owner) {
        return nobody();
    }
    let people = complete(&mut is.employees, true).and(complete(&mut is.users, false));
    if let Err(error) = people {
        return refuse::control(StatusCode::BAD_REQUEST, error);
    }
    let tenant_id = Uuid::new_v4();
    let organisation = Organisation {
        is,
        answered: Vec::new(),
    };
    let made = made(tenant_id, &organisation);
    world.organisations.insert(tenant_id, organisation);
    (StatusCode::CREATED, Json(made)).into_response()
}

async fn put_employees(
    State(fake): State<Fake>,
    Path(id): Path<Uuid>,
    Json(mut new): Json<NewEmployees>,
) -> Response {
    if let Err(error) = complete(&mut new.employees, true) {
        return refuse::control(StatusCode::BAD_REQUEST, error);
    }
    match fake.world().organisations.get_mut(&id) {
        None => nobody(),
        Some(organisation) => {
            organisation.is.employees = new.employees;
            Json(made(id, organisation)).into_response()
        }
    }
}

fn made(tenant_id: Uuid, organisation: &Organisation) -> OrganisationMade {
    let employees = organisation.is.employees.iter();
    OrganisationMade {
        tenant_id,
        employee_ids: employees
            .map(|person| person.0.get("id").cloned().unwrap_or(Value::Null))
            .collect(),
    }
}

/// The owner disconnects our app, in Xero. Tokens go on living: they are the user's.
async fn disconnect(State(fake): State<Fake>, Path(id): Path<Uuid>) -> Response {
    let mut world = fake.world();
    if !world.organisations.contains_key(&id) {
        return nobody();
    }
    world
        .connections
        .retain(|connection| connection.live.tenant_id != id);
    StatusCode::NO_CONTENT.into_response()
}

async fn add_script(State(fake): State<Fake>, Json(script): Json<Script>) -> Response {
    if script.tenant_id.is_none() && script.user_id.is_none() {
        return refuse::control(StatusCode::BAD_REQUEST, "whose calls? tenant_id or user_id");
    }
    for answer in &script.answers {
        let status = answer.status.map(StatusCode::from_u16);
        let mut headers = answer.headers.iter();
        let bad = headers.any(|(name, value)| {
            name.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err()
        });
        if bad || matches!(status, Some(Err(_))) {
            return refuse::control(StatusCode::BAD_REQUEST, "no HTTP answer");
        }
        if answer.status.is_none() && (answer.body.is_some() || !answer.headers.is_empty()) {
            return refuse::control(StatusCode::BAD_REQUEST, "an answer without a status");
        }
    }
    fake.world().scripts.push(script);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    tenant_id: Option<Uuid>,
    user_id: Option<Uuid>,
}

async fn calls(State(fake): State<Fake>, Query(whose): Query<Whose>) -> Response {
    if whose.tenant_id.is_none() && whose.user_id.is_none() {
        return refuse::control(StatusCode::BAD_REQUEST, "whose calls? tenant_id or user_id");
    }
    let world = fake.world();
    let calls = world.calls.iter().filter(|call| {
        whose.tenant_id.is_none_or(|id| call.tenant_id == Some(id))
            && whose.user_id.is_none_or(|id| call.user_id == Some(id))
    });
    let calls: Vec<_> = calls.cloned().collect();
    let tenants: BTreeSet<Uuid> = calls.iter().filter_map(|call| call.tenant_id).collect();
    let most = |tenant: Uuid| {
        (
            tenant,
            world.at_once.get(&tenant).map_or(0, |(_, most)| *most),
        )
    };
    let most_at_once = tenants.into_iter().map(most).collect();
    Json(Calls {
        calls,
        most_at_once,
    })
    .into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    user_id: Uuid,
}

async fn state(State(fake): State<Fake>, Query(who): Query<Who>) -> Response {
    let world = fake.world();
    if !world.users.contains_key(&who.user_id) {
        return nobody();
    }
    let now = world.time(fake.machine(), Some(who.user_id));
    Json(world.state(who.user_id, now)).into_response()
}

/// Everything that our app was given of the user and that nobody else may see.
async fn secrets(State(fake): State<Fake>, Query(who): Query<Who>) -> Response {
    let world = fake.world();
    if !world.users.contains_key(&who.user_id) {
        return nobody();
    }
    Json(world.secrets(who.user_id)).into_response()
}

/// Every access token of the user has expired just now.
async fn expire_access(State(fake): State<Fake>, Path(id): Path<Uuid>) -> Response {
    let mut world = fake.world();
    if !world.users.contains_key(&id) {
        return nobody();
    }
    let now = world.time(fake.machine(), Some(id));
    let tokens = world.access.values_mut();
    for access in tokens.filter(|access| access.consent.user == id) {
        access.expires_at = access.expires_at.min(now);
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn advance(State(fake): State<Fake>, Json(advance): Json<Advance>) -> Response {
    let mut guard = fake.world();
    let world = &mut *guard;
    let advanced = match advance.user_id {
        None => &mut world.advanced,
        Some(id) => match world.users.get_mut(&id) {
            None => return nobody(),
            Some(user) => &mut user.advanced,
        },
    };
    *advanced = advanced.saturating_add(SignedDuration::from_secs(i64::from(
        advance.advance_seconds,
    )));
    StatusCode::NO_CONTENT.into_response()
}
