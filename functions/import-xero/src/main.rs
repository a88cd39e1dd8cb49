//! `import-xero`.
fn main() {}
