//! We are broken, not the file. What repeating may cure fails the invocation, and Lambda repeats it; for
//! what it cannot, the upload is given up, and its record says why. What is wrong with a file or a row is
//! never one of these; that is data, in the report.

use lambda_runtime::Diagnostic;
use mapping::plan::{NotPlanned, UnreadablePlan};
use platform::failure::CallFailed;
use platform::feed::LeaseLost;
use platform::objects::ReadFailed;
use thiserror::Error;

/// Why something did not work. Printed once: by the runtime, or where the upload is given up.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The event is none that the function takes.
    #[error("the event is not one that the function takes: {0}")]
    MalformedEvent(&'static str),
    /// A call to AWS did not work.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// A kept plan cannot be read.
    #[error("the kept plan cannot be read")]
    Plan(#[from] UnreadablePlan),
    /// The upload counts on a plan, and does not say which.
    #[error("the record names no plan")]
    NoPlan,
    /// The file was deleted.
    #[error("the file was deleted")]
    FileGone,
    /// The file was read once and reads differently now.
    #[error("the file is not what was planned any more")]
    FileChanged,
    /// There is no plan.
    #[error(transparent)]
    NotPlanned(NotPlanned),
    /// The mapping that the upload began with is gone.
    #[error("the mapping that the upload is read with is gone")]
    MappingGone,
    /// A hold that is to end is being written by somebody else.
    #[error("the portal's hold is being decided at this moment")]
    HoldInUse,
    /// The worker is not its portal's any more; somebody else goes on, or will.
    #[error("the lease of the portal was lost")]
    LeaseLost,
    /// Nothing came of the time that there was.
    #[error("the time was up before anything came of it")]
    OutOfTime,
    /// It was taken over again and again, and never came forward.
    #[error("it was begun several times and never came forward")]
    Hopeless,
}

impl From<LeaseLost> for Failure {
    fn from(_: LeaseLost) -> Self {
        Failure::LeaseLost
    }
}

impl From<ReadFailed> for Failure {
    fn from(failed: ReadFailed) -> Self {
        match failed {
            ReadFailed::Gone => Failure::FileGone,
            ReadFailed::Call(failed) => Failure::Call(failed),
        }
    }
}

impl Failure {
    /// Whether repeating can make it good. If not, the upload is given up, and its record says why.
    pub(crate) fn may_be_cured(&self) -> bool {
        match self {
            Failure::MalformedEvent(_)
            | Failure::Call(_)
            | Failure::NotPlanned(NotPlanned::RosterChanged)
            | Failure::HoldInUse
            | Failure::LeaseLost
            | Failure::OutOfTime => true,
            Failure::Plan(_)
            | Failure::NoPlan
            | Failure::FileGone
            | Failure::FileChanged
            | Failure::NotPlanned(NotPlanned::Forgotten(_))
            | Failure::MappingGone
            | Failure::Hopeless => false,
        }
    }

    /// The `errorType` of the function's answer.
    fn kind(&self) -> &'static str {
        match self {
            Failure::MalformedEvent(_) => "MalformedEvent",
            Failure::Call(_) => "CallFailed",
            Failure::Plan(_) => "UnreadablePlan",
            Failure::NoPlan => "NoPlan",
            Failure::FileChanged => "FileChanged",
            Failure::NotPlanned(_) => "NotPlanned",
            Failure::MappingGone => "MappingGone",
            Failure::FileGone => "FileGone",
            Failure::HoldInUse => "HoldInUse",
            Failure::LeaseLost => "LeaseLost",
            Failure::OutOfTime => "OutOfTime",
            Failure::Hopeless => "Hopeless",
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
