//! What the functions behind the API share: who is calling, what a body must be, how a refusal looks.
//!
//! - `caller`: the token's claims -> a [`Caller`]; [`AdministratorOf`], [`OperatorOf`] and [`Operator`] decide who may.
//! - `closed`: [`closed_while_off_boarding`] refuses what is asked of a portal that is being given up.
//! - `body`: [`JsonBody`], checked for size and form, and [`AnyBody`], for size alone.
//! - `number`: [`whole`] numbers.
//! - `page`: [`limit_and_cursor`] of a list.
//! - `refusal`: [`Refusal`], which becomes `application/problem+json` (RFC 9457).
//! - `routes`: [`routes!`](crate::routes), a function's routes and what the API's document says about them.
//! - [`wire`]: how what several routes answer looks in JSON.
//!
//! Authorisation is decided before anything of the request is validated: the extractors for callers take
//! the request's head, and axum runs them before the one that takes its body.

mod body;
mod caller;
mod closed;
mod number;
mod page;
mod refusal;
mod routes;
pub mod wire;

pub use body::{AnyBody, JsonBody};
pub use caller::{AdministratorOf, Caller, Operator, OperatorOf};
pub use closed::closed_while_off_boarding;
pub use number::{whole, whole_or_null, wholes};
pub use page::limit_and_cursor;
pub use refusal::{Refusal, status_of};
#[doc(hidden)]
pub use routes::{paste, route};

use crate::clock::Clock;
use crate::failure::CallFailed;
use crate::metrics::Invocation;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use axum::{Extension, Router};
use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Service, service_fn};
use mapping::problem::ProblemCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;
use std::fmt::Debug;
use std::time::Duration;
use tokio::time::timeout;

/// Answers every request by `routes`, and what they do not know with a refusal.
///
/// # Errors
///
/// The Lambda runtime ended.
pub async fn serve(
    service: &'static str,
    clock: Clock,
    routes: Router,
) -> Result<(), lambda_http::Error> {
    let mut adapter = Adapter::from(measured(service, clock, routes));
    lambda_http::lambda_runtime::run(service_fn(move |event: LambdaEvent<LambdaRequest>| {
        adapter.call(LambdaEvent::new(
            sendable_query(event.payload),
            event.context,
        ))
    }))
    .await
}

/// The gateway gives a request up after 30 seconds (API Gateway, quotas). A function whose own time limit is longer ends
/// it by then too: nobody who was let in is about for longer.
const REQUEST: Duration = Duration::from_secs(28);

/// The same for a function that others than the gateway invoke too: what is no request is `own`'s.
///
/// # Errors
///
/// The Lambda runtime ended.
pub async fn serve_and<E: Into<Diagnostic> + Debug>(
    service: &'static str,
    clock: Clock,
    routes: Router,
    own: impl AsyncFn(LambdaEvent<Value>) -> Result<(), E>,
) -> Result<(), lambda_http::Error> {
    let in_time = from_fn(|request: Request, next: Next| async move {
        match timeout(REQUEST, next.run(request)).await {
            Ok(answer) => answer,
            Err(_) => {
                Refusal::from(CallFailed::new("answer in time", "28 s are over")).into_response()
            }
        }
    });
    let adapter = Adapter::from(measured(service, clock, routes.layer(in_time)));
    let (adapter, own) = (&adapter, &own);
    lambda_http::lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let malformed = |error: serde_json::Error| Diagnostic {
            error_type: "MalformedEvent".to_owned(),
            // Its category alone: the message may quote the event.
            error_message: format!("{:?}", error.classify()),
        };
        // The gateway's events say so, and ours do not.
        if event.payload.get("requestContext").is_none() {
            return own(event).await.map(|()| Value::Null).map_err(Into::into);
        }
        let request = serde_json::from_value(event.payload).map_err(malformed)?;
        let event = LambdaEvent::new(sendable_query(request), event.context);
        let Ok(answer) = adapter.clone().call(event).await;
        serde_json::to_value(answer).map_err(malformed)
    }))
    .await
}

/// The routes, and what they do not know; each request prints its line.
fn measured(service: &'static str, clock: Clock, routes: Router) -> Router {
    let measured = from_fn(move |request: Request, next: Next| async move {
        let mut invocation = Invocation::begin(service, clock);
        let answer = next.run(request).await;
        if let Some(Measured { name, value }) = answer.extensions().get() {
            invocation.count(name, *value);
        }
        invocation.property("status", answer.status().as_u16());
        invocation.count("failed", u64::from(answer.status().is_server_error()));
        invocation.end();
        answer
    });
    routes
        .fallback(async |_: AdministratorOf| Refusal::new(ProblemCode::NotFound))
        .method_not_allowed_fallback(async |_: AdministratorOf| {
            Refusal::new(ProblemCode::MethodNotAllowed)
        })
        .layer(measured)
}

fn sendable_query(mut request: LambdaRequest) -> LambdaRequest {
    if let LambdaRequest::ApiGatewayV2(request) = &mut request
        && let Some(query) = &mut request.raw_query_string
    {
        *query = sendable(query);
    }
    request
}

/// A number that a route counts for the line of its invocation (`crate::metrics`), beside its answer.
#[derive(Clone)]
pub struct Measured {
    name: &'static str,
    value: u64,
}

impl Measured {
    /// `None`: there is nothing to count this time.
    pub fn of(name: &'static str, value: Option<u64>) -> Option<Extension<Self>> {
        value.map(|value| Extension(Measured { name, value }))
    }
}

/// What a query may not contain (RFC 3986), and clients send all the same. The gateway passes it on, and
/// `lambda_http` panics where it makes a URI of it.
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

fn sendable(query: &str) -> String {
    utf8_percent_encode(query, NOT_IN_A_QUERY).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Uri;

    #[test]
    fn every_query_that_is_sent_makes_a_uri() {
        for c in (0..=0x2FFF).filter_map(char::from_u32) {
            let uri: Result<Uri, _> = format!("/?limit={}", sendable(&c.to_string())).parse();
            assert!(uri.is_ok(), "{c:?}");
        }
        assert_eq!(sendable("limit=2&cursor=a%20b"), "limit=2&cursor=a%20b");
    }
}
