//! We are broken, not the file: the invocation fails, and Lambda repeats it. What is wrong with a file or
//! a row is never one of these; that is data, in the report.

use lambda_runtime::Diagnostic;
use mapping::plan::UnreadablePlan;
use platform::failure::CallFailed;
use thiserror::Error;

/// Why an invocation fails. The runtime prints it, once.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The event is none that S3 sends.
    #[error("the event is not one that S3 sends: {0}")]
    MalformedEvent(&'static str),
    /// A call to AWS did not work.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// A kept plan cannot be read.
    #[error("the kept plan cannot be read")]
    Plan(#[from] UnreadablePlan),
    /// The file was read once and is not there any more, or reads differently.
    #[error("the file is not what was planned any more")]
    FileChanged,
    /// A row's question was never answered, so there is no plan.
    #[error("row {0} was forgotten while planning")]
    ForgottenRow(u32),
    /// The mapping that the upload began with is gone.
    #[error("the mapping that the upload is read with is gone")]
    MappingGone,
    /// Another delivery of the event has brought the upload to its end; nothing is left to do.
    #[error("the upload has ended already")]
    Overtaken,
}

impl Failure {
    /// The `errorType` of the function's answer.
    fn kind(&self) -> &'static str {
        match self {
            Failure::MalformedEvent(_) => "MalformedEvent",
            Failure::Call(_) => "CallFailed",
            Failure::Plan(_) => "UnreadablePlan",
            Failure::FileChanged => "FileChanged",
            Failure::ForgottenRow(_) => "ForgottenRow",
            Failure::MappingGone => "MappingGone",
            Failure::Overtaken => "Overtaken",
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Diagnostic {
            error_type: failure.kind().to_owned(),
            error_message: format!("{failure:?}"),
        }
    }
}
