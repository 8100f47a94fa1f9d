//! `build` from flags to the image in its place, with made-up environments and made-up container runtimes.

mod environment;
#[cfg(unix)]
pub(crate) mod fake;
mod plan;
#[cfg(unix)]
mod podman;
mod record;
mod resolve;
#[cfg(unix)]
mod run;
