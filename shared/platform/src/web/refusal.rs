//! A request that is refused, as `application/problem+json` (RFC 9457) with a `code` of the catalogue.

use crate::failure::CallFailed;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mapping::problem::{Problem, ProblemCode};
use serde::Serialize;

/// Why a request is refused. The status follows from the code.
#[derive(Debug)]
pub struct Refusal {
    code: ProblemCode,
    detail: Option<String>,
    problems: Vec<Problem>,
    retry_after_seconds: Option<u64>,
}

/// An answer of Lambda has at most 6 MB, and a person does not read more.
const MAX_PROBLEMS: usize = 100;

/// As it is sent.
#[derive(Serialize)]
struct Body<'r> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: ProblemCode,
    detail: &'r str,
    #[serde(skip_serializing_if = "<[Problem]>::is_empty")]
    problems: &'r [Problem],
}

impl Refusal {
    /// For this reason.
    pub fn new(code: ProblemCode) -> Self {
        Refusal {
            code,
            detail: None,
            problems: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// For this reason, said more exactly.
    pub fn because(code: ProblemCode, detail: impl Into<String>) -> Self {
        Refusal {
            code,
            detail: Some(detail.into()),
            problems: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// And says when to try again (RFC 9110, `Retry-After`).
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// For everything that is wrong with a request; the first one's code stands for all.
    pub fn all(mut problems: Vec<Problem>) -> Self {
        problems.truncate(MAX_PROBLEMS);
        let code = problems
            .first()
            .map_or(ProblemCode::InvalidRequest, |problem| problem.code);
        Refusal {
            code,
            detail: None,
            problems,
            retry_after_seconds: None,
        }
    }

    fn status(&self) -> StatusCode {
        match self.code {
            ProblemCode::Unauthenticated => StatusCode::UNAUTHORIZED,
            ProblemCode::Forbidden => StatusCode::FORBIDDEN,
            ProblemCode::NotFound
            | ProblemCode::PortalNotFound
            | ProblemCode::MappingNotFound
            | ProblemCode::UploadNotFound
            | ProblemCode::NoCredentials
            | ProblemCode::ReportNotReady
            | ProblemCode::NoReport
            | ProblemCode::ReportExpired
            | ProblemCode::NoRejectedRows
            | ProblemCode::UserNotFound => StatusCode::NOT_FOUND,
            ProblemCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ProblemCode::Conflict
            | ProblemCode::UploadNotFinished
            | ProblemCode::NothingHeld
            | ProblemCode::HoldSuperseded
            | ProblemCode::FeedRunning
            | ProblemCode::AuthorisedTheFeed
            | ProblemCode::OffBoarding
            | ProblemCode::AccountTaken
            | ProblemCode::AccountsElsewhere
            | ProblemCode::RegenerationInProgress
            | ProblemCode::CredentialsQuota
            | ProblemCode::FileGone
            | ProblemCode::EmailTaken
            | ProblemCode::XeroReconnectNeeded
            | ProblemCode::XeroPayrollUnavailable
            | ProblemCode::XeroNotOffered
            | ProblemCode::XeroNotConnected
            | ProblemCode::XeroOrganisationNotChosen
            | ProblemCode::ImportRunning => StatusCode::CONFLICT,
            ProblemCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemCode::InternalError | ProblemCode::RegenerationFailed => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            ProblemCode::XeroBusy => StatusCode::TOO_MANY_REQUESTS,
            ProblemCode::XeroUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// The status that a refusal for this reason has.
pub fn status_of(code: ProblemCode) -> StatusCode {
    Refusal::new(code).status()
}

/// We are broken, not the request. Printed here, once; the caller hears only that.
impl From<CallFailed> for Refusal {
    fn from(failure: CallFailed) -> Self {
        tracing::error!(error = ?failure, "request failed");
        Refusal::new(ProblemCode::InternalError)
    }
}

impl IntoResponse for Refusal {
    fn into_response(mut self) -> Response {
        let status = self.status();
        if status == StatusCode::UNPROCESSABLE_ENTITY && self.problems.is_empty() {
            let problem = Problem::new(self.code);
            self.problems.push(match &self.detail {
                Some(detail) => problem.message(detail),
                None => problem,
            });
        }
        let body = Body {
            r#type: format!("urn:go1:user-feed:problem:{}", self.code.as_str()),
            title: self.code.meaning(),
            status: status.as_u16(),
            code: self.code,
            detail: self.detail.as_deref().unwrap_or(self.code.how_to_fix()),
            problems: &self.problems,
        };
        // A struct of texts and numbers always serialises.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let mut answer = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response();
        if let Some(seconds) = self.retry_after_seconds {
            let headers = answer.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
