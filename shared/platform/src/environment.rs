//! The environment, read once, in `main`, into a struct of the function's own. A variable that is missing
//! or malformed is an error that names it; its value is never shown.

use std::str::FromStr;
use thiserror::Error;

/// A variable that the function cannot do without.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    /// It is not set.
    #[error("the environment variable {0} is missing")]
    Missing(&'static str),
    /// It does not say what it should.
    #[error("the environment variable {0} is not valid")]
    Invalid(&'static str),
}

/// The text of a variable.
///
/// # Errors
///
/// It is not set, or empty.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the environment is read"
)]
pub fn required(name: &'static str) -> Result<String, EnvironmentError> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(EnvironmentError::Missing(name)),
    }
}

/// The text of a variable; `None`: it is not set, or empty.
pub fn optional(name: &'static str) -> Option<String> {
    required(name).ok()
}

/// A variable as a value of another type.
///
/// # Errors
///
/// It is not set, or does not parse.
pub fn parsed<T: FromStr>(name: &'static str) -> Result<T, EnvironmentError> {
    required(name)?
        .parse()
        .map_err(|_| EnvironmentError::Invalid(name))
}
