//! A call to AWS that did not work: we are broken, not the file. It goes up to the handler, which fails
//! the invocation so that Lambda repeats it, and is printed there, once.

use std::error::Error;
use std::fmt;

/// A call that failed, and why.
///
/// `Debug` is what the runtime prints. It shows the chain of causes in words and nothing of requests or
/// responses, which may hold addresses.
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

    /// For `map_err`.
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
