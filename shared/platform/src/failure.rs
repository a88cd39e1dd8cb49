//! A call to AWS that did not work: we are broken, not the file. It goes up to the handler, which fails
//! the invocation so that Lambda repeats it, and is printed there, once.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use std::error::Error;
use std::fmt;

/// A call that failed, and why.
///
/// `Debug` is what the runtime prints. It shows the chain of causes in words, and of what AWS answered only
/// code and request id: bodies and messages may hold addresses and keys of objects.
pub struct CallFailed {
    what: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl CallFailed {
    /// `what` says what was being done, such as "read the portal".
    pub fn new(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        CallFailed {
            what,
            source: source.into(),
        }
    }

    /// For `map_err` of a call to AWS. Of an answer, only its code and the request's id are kept: the
    /// message of a service may name keys and values.
    pub fn sdk<E, R>(what: &'static str) -> impl FnOnce(SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        move |error| match error.as_service_error() {
            Some(answer) => {
                let code = answer.code().unwrap_or("no code");
                let request = answer.meta().request_id().unwrap_or("unknown");
                CallFailed::new(
                    what,
                    format!("the service answered {code} (request {request})"),
                )
            }
            None => CallFailed::new(what, error),
        }
    }

    /// An item or an answer does not have the form that is expected. Says no more: a parser's message may
    /// quote a value.
    pub fn malformed<E>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |_| {
            CallFailed::new(
                what,
                "what was read does not have the form that is expected",
            )
        }
    }

    /// For `map_err` of everything else.
    pub fn to<E: Into<Box<dyn Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| CallFailed::new(what, source)
    }
}

impl fmt::Display for CallFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.what)
    }
}

impl fmt::Debug for CallFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for CallFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_of_causes_is_said_once() {
        let inner = CallFailed::new("reach the table", std::io::Error::other("refused"));
        let outer = CallFailed::new("read the portal", inner);
        assert_eq!(outer.to_string(), "could not read the portal");
        assert_eq!(
            format!("{outer:?}"),
            "could not read the portal: could not reach the table: refused"
        );
    }
}
