//! A stand-in for Xero.
fn main() {}
