//! We are broken: the invocation fails, Lambda repeats it, and the sweep after that. Nothing is lost by it, because
//! what is left to erase stays in the table until it is erased.

use lambda_runtime::Diagnostic;
use platform::failure::CallFailed;
use platform::feed::LeaseLost;
use thiserror::Error;

/// Why something did not work.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The event is none that the function takes.
    #[error("the event is not one that the function takes")]
    MalformedEvent,
    /// A call to AWS did not work.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// Somebody else changes the same at this moment, again and again.
    #[error("something is being changed that is to be erased")]
    Changed,
    /// Somebody else has the portal's lease by now.
    #[error("the lease of the portal was lost")]
    LeaseLost,
}

impl From<LeaseLost> for Failure {
    fn from(_: LeaseLost) -> Self {
        Failure::LeaseLost
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let kind = match failure {
            Failure::MalformedEvent => "MalformedEvent",
            Failure::Call(_) => "CallFailed",
            Failure::Changed => "Changed",
            Failure::LeaseLost => "LeaseLost",
        };
        Diagnostic {
            error_type: kind.to_owned(),
            error_message: format!("{failure:?}"),
        }
    }
}
