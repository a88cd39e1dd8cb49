//! A stand-in for Xero.
