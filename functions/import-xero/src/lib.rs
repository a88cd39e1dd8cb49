//! `import-xero`: the people of a company on Xero become users of its portal.
//!
//! # Layout
//!
//! - [`xero`]: Xero itself, as it is called over HTTP.

pub mod xero;
