//! The integration tests: one binary, one module for each subject, `support` for what they share.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "nothing is outside a test binary")]

mod builder;
mod cli_help;
mod fixtures;
mod hostile;
mod html;
mod policy;
mod reports;
mod scale;
mod stopping;
mod support;
