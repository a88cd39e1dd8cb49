//! The Xero import: whom an organisation has, who of them becomes a user of the portal, and what is said of
//! those who do not (`docs/rules.md`, "The Xero import"). Nothing here knows how Xero is asked.

mod employee;

pub use employee::{Employee, EmployeeId, NotAnEmployeeId, Source};
