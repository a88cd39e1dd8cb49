//! Which organisations are connected with our app, and connected no more (`xero-identity.yaml`).

use crate::desk::{Caller, Fake, signed_in, user_of};
use crate::refuse::{self, Api};
use crate::wire::Route;
use crate::world::{Connection, World};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) fn routes() -> Router<Fake> {
    // The OpenAPI file writes it large, Xero's SDKs small.
    Router::new()
        .route("/connections", get(list))
        .route("/Connections", get(list))
        .route("/connections/{id}", delete(disconnect))
        .route("/Connections/{id}", delete(disconnect))
}

async fn list(State(fake): State<Fake>, caller: Caller) -> Response {
    let user = user_of(&fake.world(), &caller);
    fake.answer(Route::Connections, user, &caller, |world, now| {
        let user = match signed_in(world, &caller, now, Api::Connections, &[]) {
            Ok(user) => user,
            Err(refusal) => return refusal,
        };
        let only = caller.parameter("authEventId");
        let mine = world.connections.iter().filter(|connection| {
            let event = connection.live.auth_event_id.to_string();
            connection.user == user && only.as_ref().is_none_or(|only| *only == event)
        });
        let mine: Vec<Value> = mine.map(|connection| shown(world, connection)).collect();
        Json(mine).into_response()
    })
    .await
}

fn shown(world: &World, connection: &Connection) -> Value {
    let mut shown = json!({
        "id": connection.live.id,
        "authEventId": connection.live.auth_event_id,
        "tenantId": connection.live.tenant_id,
        "tenantType": "ORGANISATION",
        "createdDateUtc": stamp(connection.created_at),
        "updatedDateUtc": stamp(connection.updated_at),
    });
    let organisation = world.organisations.get(&connection.live.tenant_id);
    if let Some(name) = organisation.and_then(|organisation| organisation.is.name.as_ref()) {
        shown["tenantName"] = name.clone().into();
    }
    shown
}

/// As `/connections` writes times: seven digits, and no zone.
fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.7f").to_string()
}

async fn disconnect(State(fake): State<Fake>, Path(id): Path<String>, caller: Caller) -> Response {
    let user = user_of(&fake.world(), &caller);
    fake.answer(Route::DeleteConnection, user, &caller, |world, now| {
        let user = match signed_in(world, &caller, now, Api::Connections, &[]) {
            Ok(user) => user,
            Err(refusal) => return refusal,
        };
        let Ok(id) = id.parse::<Uuid>() else {
            return refuse::api(Api::Connections, StatusCode::NOT_FOUND, "Not found");
        };
        let mut mine = world.connections.iter();
        if mine.any(|connection| connection.live.id == id && connection.user == user) {
            world
                .connections
                .retain(|connection| connection.live.id != id);
            return StatusCode::NO_CONTENT.into_response();
        }
        // As in https://github.com/freakboy3742/pyxero/issues/307.
        let mut others = world.connections.iter();
        if others.any(|other| [other.live.tenant_id, other.live.auth_event_id].contains(&id)) {
            let detail = "AuthenticationUnsuccessful";
            return refuse::api(Api::Connections, StatusCode::FORBIDDEN, detail);
        }
        refuse::api(Api::Connections, StatusCode::NOT_FOUND, "Not found")
    })
    .await
}
