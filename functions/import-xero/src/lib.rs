//! `import-xero`.
