//! The Xero import: whom an organisation has, who of them becomes a user of the portal, and what is said of
//! those who do not (`docs/rules.md`, "The Xero import"). Nothing here knows how Xero is asked.
//!
//! In the order in which people pass through: [`Employee`], as Xero has somebody; [`Staff`], everybody, checked
//! and in order; [`ImportPlan`], what happens to each; [`ImportReport`], what is said of it afterwards.

mod employee;
mod plan;
mod report;
mod staff;

pub use employee::{Employee, EmployeeId, NotAnEmployeeId, Source};
pub use plan::{Decision, ImportPlan, Known, PlannedPerson};
pub use report::{ImportReport, Instead};
pub use staff::Staff;

/// How many people are imported from Xero into one portal, over all of its imports (the product's Xero FAQ,
/// step 7).
pub const MAX_IMPORTED: u32 = 200;
