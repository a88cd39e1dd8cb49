//! A call to Xero that did not work, as far as the caller does something else about it. Neither `Display` nor
//! `Debug` shows a token, a body, or an address with its query.

use jiff::Timestamp;
use reqwest::StatusCode;
use thiserror::Error;

/// Why Xero did not do, or say, what it was asked to.
#[derive(Debug, Error)]
pub enum XeroFailure {
    /// The access token has run out: it has to be refreshed. 401 with `TokenExpired`.
    #[error("the access token has run out")]
    TokenExpired,
    /// The code or refresh token was used before, ran out, or was revoked.
    #[error("Xero takes the code or refresh token no more")]
    InvalidGrant,
    /// A scope is missing, or the user or our app has no access to the organisation (any more). 401 or 403.
    #[error("Xero does not allow this")]
    NotAllowed,
    /// There is no such thing. 404.
    #[error("Xero does not have this")]
    NotFound,
    /// A limit of Xero's is reached. 429.
    #[error("Xero takes no more calls until {until}")]
    Busy {
        /// From when Xero takes calls again.
        until: Timestamp,
    },
    /// The organisation has more people than are read.
    #[error("the organisation has too many people")]
    TooMany,
    /// Xero is down, does not answer in time, or refuses what it should not refuse.
    #[error("Xero is not available")]
    Unavailable(#[source] Cause),
    /// The answer is not the one that is asked for. Says only which one: a parser's message may quote a value.
    #[error("Xero's answer has another form than is expected: {0}")]
    Malformed(&'static str),
}

/// Why Xero is not available.
#[derive(Debug, Error)]
pub enum Cause {
    /// No answer, or only a part of it. The address is taken out of it.
    #[error("no whole answer came")]
    NoAnswer(#[source] reqwest::Error),
    /// An answer that there is no other name for.
    #[error("Xero answered {0}")]
    Status(StatusCode),
    /// The token endpoint refuses our app, not the code or the token: the app's id, secret, or redirect URI is
    /// not as Xero has it.
    #[error("Xero refuses the app")]
    App,
}

impl XeroFailure {
    /// What an answer says that is neither a success nor about a limit.
    pub(super) fn of(status: StatusCode, body: &[u8]) -> Self {
        match status {
            StatusCode::UNAUTHORIZED if says_expired(body) => XeroFailure::TokenExpired,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => XeroFailure::NotAllowed,
            StatusCode::NOT_FOUND => XeroFailure::NotFound,
            other => XeroFailure::Unavailable(Cause::Status(other)),
        }
    }

    /// For `map_err` of a request that was sent.
    pub(super) fn no_answer(error: reqwest::Error) -> Self {
        XeroFailure::Unavailable(Cause::NoAnswer(error.without_url()))
    }
}

/// The key is `Detail` here and `detail` there, and errors of payroll may be XML: the word itself is looked for.
fn says_expired(body: &[u8]) -> bool {
    const WORD: &[u8] = b"TokenExpired";
    body.windows(WORD.len())
        .any(|part| part.eq_ignore_ascii_case(WORD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_token_is_told_from_a_missing_scope_however_the_keys_are_spelled() {
        let cases = [
            (
                401,
                r#"{"Type":null,"Title":"Unauthorized","Status":401,"Detail":"TokenExpired: token expired at 11/22/2026 10:00:00","Instance":"2c1b"}"#,
                "run out",
            ),
            (
                401,
                r#"{"type":null,"title":"Unauthorized","status":401,"detail":"TokenExpired","instance":"2c1b"}"#,
                "run out",
            ),
            (
                401,
                "<ApiException><Detail>tokenexpired</Detail></ApiException>",
                "run out",
            ),
            (
                401,
                r#"{"Title":"Unauthorized","Status":401,"Detail":"AuthorizationUnsuccessful"}"#,
                "not allow",
            ),
            (401, "", "not allow"),
            (401, "Token", "not allow"),
            (
                403,
                r#"{"title":"Forbidden","status":403,"detail":"AuthenticationUnsuccessful"}"#,
                "not allow",
            ),
            (403, r#"{"detail":"TokenExpired"}"#, "not allow"),
            (404, "<html>", "not have"),
            (
                400,
                r#"{"ErrorNumber":16,"Type":"QueryParseException","Message":"x"}"#,
                "not available",
            ),
            (302, "", "not available"),
            (500, "\u{0}", "not available"),
        ];
        for (status, body, meaning) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            let failure = XeroFailure::of(status, body.as_bytes()).to_string();
            assert!(failure.contains(meaning), "{status} {body}: {failure}");
        }
    }
}
