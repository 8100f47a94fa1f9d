//! `build` from flags to the image in its place, with made-up environments and made-up container runtimes.

// Helpers of tests may fail loudly as tests themselves do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod environment;
#[cfg(unix)]
mod fake;
mod plan;
mod record;
mod resolve;
#[cfg(unix)]
mod run;
