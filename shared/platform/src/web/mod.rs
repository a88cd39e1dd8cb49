//! What the functions behind the API share: who is calling, what a body must be, how a refusal looks.
//!
//! - `caller`: the token's claims -> a [`Caller`]; [`AdministratorOf`] and [`OperatorOf`] decide who may.
//! - `body`: [`JsonBody`], checked for size and form.
//! - `refusal`: [`Refusal`], which becomes `application/problem+json` (RFC 9457).
//!
//! Authorisation is decided before anything of the request is validated: the extractors for callers take
//! the request's head, and axum runs them before the one that takes its body.

mod body;
mod caller;
mod refusal;

pub use body::JsonBody;
pub use caller::{AdministratorOf, Caller, OperatorOf};
pub use refusal::Refusal;

use crate::clock::Clock;
use crate::metrics::Invocation;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use mapping::problem::ProblemCode;

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
    let measured = from_fn(move |request: Request, next: Next| async move {
        let mut invocation = Invocation::begin(service, clock);
        let answer = next.run(request).await;
        invocation.property("status", answer.status().as_u16());
        invocation.count("failed", u64::from(answer.status().is_server_error()));
        invocation.end();
        answer
    });
    let routes = routes
        .fallback(async |_: AdministratorOf| Refusal::new(ProblemCode::NotFound))
        .method_not_allowed_fallback(async |_: AdministratorOf| {
            Refusal::new(ProblemCode::MethodNotAllowed)
        })
        .layer(measured);
    lambda_http::run(routes).await
}
