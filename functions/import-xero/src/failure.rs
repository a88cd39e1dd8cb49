//! Why something cannot be done: we are broken, or it cannot be done now, for a reason that is the administrator's to
//! know. The second is said in the API's answer, or in the record of an import.

use crate::xero::XeroFailure;
use jiff::Timestamp;
use lambda_http::lambda_runtime::Diagnostic;
use mapping::problem::{Problem, ProblemCode};
use platform::clock::Clock;
use platform::failure::CallFailed;
use platform::feed::LeaseLost;
use platform::web::Refusal;
use thiserror::Error;

/// Why something did not work.
#[derive(Debug, Error)]
pub enum Failure {
    /// The event is none that the function takes.
    #[error("the event is not one that the function takes")]
    MalformedEvent,
    /// A call to AWS did not work.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// Somebody else has the portal's lease by now.
    #[error("the lease of the portal was lost")]
    LeaseLost,
    /// It cannot be done now.
    #[error("{}", .0.code.as_str())]
    Refused(Refused),
}

/// Why it cannot be done now.
#[derive(Debug)]
pub struct Refused {
    /// In a word.
    pub code: ProblemCode,
    /// In a sentence, if the code does not say all.
    pub message: Option<String>,
    /// When to try again, if that is known.
    pub retry_at: Option<Timestamp>,
}

/// What Xero was asked for: what a failure means depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Other tokens, or which organisations are connected.
    Access,
    /// To take a connection back.
    Return,
    /// What the organisation is.
    Organisation,
    /// Whom it has.
    Staff,
}

impl From<LeaseLost> for Failure {
    fn from(_: LeaseLost) -> Self {
        Failure::LeaseLost
    }
}

impl Failure {
    /// It cannot be done now, for this reason.
    pub(crate) fn because(code: ProblemCode) -> Self {
        Failure::Refused(Refused {
            code,
            message: None,
            retry_at: None,
        })
    }

    /// The same, said more exactly.
    pub(crate) fn saying(code: ProblemCode, message: impl Into<String>) -> Self {
        Failure::Refused(Refused {
            code,
            message: Some(message.into()),
            retry_at: None,
        })
    }

    /// What it means that Xero did not say what it was asked for. What is not in the answer is printed here, once.
    pub(crate) fn of_xero(asked: Asked, failure: &XeroFailure) -> Self {
        match failure {
            XeroFailure::Busy { until } => Failure::busy(*until),
            XeroFailure::TooMany => Failure::because(ProblemCode::XeroOrganisationTooLarge),
            XeroFailure::NotAllowed | XeroFailure::NotFound if asked == Asked::Staff => {
                Failure::because(ProblemCode::XeroPayrollUnavailable)
            }
            // It has not confirmed, and may another time. Only dead tokens are a reason to ask no more.
            XeroFailure::TokenExpired | XeroFailure::NotAllowed | XeroFailure::NotFound
                if asked == Asked::Return =>
            {
                tracing::warn!(?asked, error = ?failure, "Xero does not let us give back");
                Failure::because(ProblemCode::XeroUnavailable)
            }
            XeroFailure::TokenExpired
            | XeroFailure::InvalidGrant
            | XeroFailure::NotAllowed
            | XeroFailure::NotFound => Failure::because(ProblemCode::XeroReconnectNeeded),
            XeroFailure::Unavailable(_) | XeroFailure::Malformed(_) => {
                tracing::warn!(?asked, error = ?failure, "Xero did not answer as it should");
                Failure::because(ProblemCode::XeroUnavailable)
            }
        }
    }

    /// Xero, or we ourselves, take no more calls before this time.
    pub(crate) fn busy(until: Timestamp) -> Self {
        // To the minute, and never too early.
        let minute = until + jiff::SignedDuration::from_secs(59);
        let message = format!(
            "Xero takes no more calls for now. Try again at {} UTC.",
            minute.strftime("%Y-%m-%d %H:%M")
        );
        Failure::Refused(Refused {
            code: ProblemCode::XeroBusy,
            message: Some(message),
            retry_at: Some(until),
        })
    }

    /// As the API answers it.
    pub(crate) fn refusal(self, clock: Clock) -> Refusal {
        match self {
            Failure::Refused(refused) => {
                let refusal = match refused.message {
                    Some(message) => Refusal::because(refused.code, message),
                    None => Refusal::new(refused.code),
                };
                match refused.retry_at {
                    Some(at) => {
                        let seconds = at.duration_since(clock()).as_secs().max(0);
                        refusal.retry_after(seconds.unsigned_abs() + 1)
                    }
                    None => refusal,
                }
            }
            Failure::Call(failure) => Refusal::from(failure),
            other @ (Failure::MalformedEvent | Failure::LeaseLost) => {
                Refusal::from(CallFailed::new("answer", other))
            }
        }
    }
}

impl Refused {
    /// As an upload's record has it.
    pub(crate) fn problem(self) -> Problem {
        let problem = Problem::new(self.code);
        match self.message {
            Some(message) => problem.message(message),
            None => problem,
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let kind = match failure {
            Failure::MalformedEvent => "MalformedEvent",
            Failure::Call(_) => "CallFailed",
            Failure::LeaseLost => "LeaseLost",
            Failure::Refused(_) => "Refused",
        };
        Diagnostic {
            error_type: kind.to_owned(),
            error_message: format!("{failure:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(failure: Failure) -> &'static str {
        match failure {
            Failure::Refused(refused) => refused.code.as_str(),
            _ => "",
        }
    }

    #[test]
    fn what_xero_does_not_allow_depends_on_what_it_was_asked_for() {
        let not_allowed = |asked| code(Failure::of_xero(asked, &XeroFailure::NotAllowed));
        assert_eq!(not_allowed(Asked::Staff), "xero_payroll_unavailable");
        assert_eq!(not_allowed(Asked::Organisation), "xero_reconnect_needed");
        assert_eq!(not_allowed(Asked::Access), "xero_reconnect_needed");
        assert_eq!(not_allowed(Asked::Return), "xero_unavailable");
    }

    #[test]
    fn a_busy_xero_names_the_minute_from_which_it_is_not() {
        let until = "2026-11-22T14:04:01Z".parse().unwrap();
        let Failure::Refused(refused) = Failure::busy(until) else {
            panic!("refused");
        };
        let message = refused.message.unwrap();
        assert!(
            message.ends_with("Try again at 2026-11-22 14:05 UTC."),
            "{message}"
        );
    }
}
