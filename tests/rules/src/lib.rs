//! The feed's rules, proved: a portal in memory that is fed by the real plan, and the rules again as plainly as
//! they can be written. What is compared and how stands in `tests/`; nothing here is part of the product.

pub mod fuzzed;
pub mod portal;
pub mod reference;
