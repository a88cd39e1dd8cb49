//! How Xero refuses: three forms, one of which has two spellings.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

/// Which API refuses. The keys of its body are spelled accordingly: both
/// <https://github.com/XeroAPI/xero-node/issues/432> and others show bodies that were sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// `/connections`: lower case.
    Connections,
    /// Accounting and payroll: upper case.
    OfOrganisations,
}

/// `AuthorizationUnsuccessful` with 401: a scope is missing. `AuthenticationUnsuccessful` with 403: the tenant is
/// missing, wrong, or connected no more (<https://developer.xero.com/documentation/guides/oauth2/troubleshooting>).
pub(crate) fn api(api: Api, status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason();
    let (number, instance) = (status.as_u16(), Uuid::new_v4());
    let body = match api {
        Api::Connections => {
            json!({"type": null, "title": title, "status": number, "detail": detail, "instance": instance})
        }
        Api::OfOrganisations => {
            json!({"Type": null, "Title": title, "Status": number, "Detail": detail, "Instance": instance, "Extensions": {}})
        }
    };
    (status, Json(body)).into_response()
}

/// A parameter that cannot be understood (`xero_accounting.yaml`, `Error`).
pub(crate) fn query(message: &str) -> Response {
    let body = json!({"ErrorNumber": 16, "Type": "QueryParseException", "Message": message});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// The token endpoint's (RFC 6749, 5.2).
pub(crate) fn token(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response()
}

/// What a browser is shown when the app has asked for something impossible: it never comes back
/// (<https://developer.xero.com/documentation/guides/oauth2/troubleshooting>).
pub(crate) fn page(reason: &'static str) -> Response {
    let page = format!(
        "<!doctype html><title>Xero</title><h1>Sorry, something went wrong</h1><p>Error: 500<p>{reason}"
    );
    (StatusCode::INTERNAL_SERVER_ERROR, Html(page)).into_response()
}

/// The control routes': what a test has wrong.
pub(crate) fn control(status: StatusCode, error: impl Into<String>) -> Response {
    (status, Json(json!({"error": error.into()}))).into_response()
}
