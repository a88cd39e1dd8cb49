//! Logs: JSON or text as Lambda's `LoggingConfig` says, at the level that it says. What may be logged:
//! ids, codes, counts, durations with their unit. What may not, ever: e-mail addresses, names, values of
//! a file, keys of objects, tokens, secrets, bodies.

/// Sets up logging for the whole process. Called once, in `main`.
pub fn init() {
    lambda_runtime::tracing::init_default_subscriber();
}
