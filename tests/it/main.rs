//! The integration tests: one binary, one module for each subject, `support` for what they share.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "nothing is outside a test binary")]

mod actions;
mod build;
mod builder;
mod checks_table;
mod conformance;
mod fixtures;
mod hostile;
mod judge;
mod listing;
mod measure;
mod support;
