//! The integration tests: one binary, one module for each subject, `support` for what they share.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "nothing is outside a test binary")]

mod actions;
mod build;
#[cfg(unix)]
mod build_cli;
mod builder;
mod fixtures;
mod hostile;
#[cfg(all(unix, feature = "registry"))]
mod registry;
mod support;
