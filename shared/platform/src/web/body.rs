//! Bodies, checked for size and, where they are JSON, for form. What their values mean is the route's business.

use super::Refusal;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use mapping::problem::ProblemCode;
use serde::de::DeserializeOwned;

/// Larger bodies are refused with 413.
const MAX_BODY_BYTES: usize = 1_000_000;

/// A body of any bytes.
pub struct AnyBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for AnyBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        // axum's own limit of 2 MB lies above ours, so what it refuses is too large for us as well.
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Refusal::new(ProblemCode::BodyTooLarge))?;
        if body.len() > MAX_BODY_BYTES {
            return Err(Refusal::new(ProblemCode::BodyTooLarge));
        }
        Ok(AnyBody(body))
    }
}

/// A body of the form of `T`.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let AnyBody(body) = AnyBody::from_request(request, state).await?;
        // Serde takes an array for a struct too, by the order of its fields.
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if first.is_some_and(|byte| *byte == b'[') {
            let detail = "The body is refused: it is an array, not an object.";
            return Err(Refusal::because(ProblemCode::InvalidRequest, detail));
        }
        let value = serde_json::from_slice(&body).map_err(|error| {
            Refusal::because(
                ProblemCode::InvalidRequest,
                format!("The body is refused: {error}."),
            )
        })?;
        Ok(JsonBody(value))
    }
}
