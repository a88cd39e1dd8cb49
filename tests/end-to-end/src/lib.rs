//! The tests' hands: the running stack, a portal of one's own in it, and what is in the tables. They touch
//! only what customers, administrators and operators touch, and read the users table besides. What should
//! be so is said by the tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in tests a panic is how a test fails"
)]

mod account;
mod company;
mod listener;
mod portal;
mod stack;
mod traces;
mod users;
mod xero;

pub use account::Account;
pub use company::{Company, employee, employee_id};
pub use listener::{Listener, Mail};
pub use portal::{FieldLine, Portal, Upload};
pub use stack::{Answer, Stack};
pub use traces::{Traces, names};
pub use users::StoredUser;
pub use xero::{Answered, Browser};
