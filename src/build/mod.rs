//! Building an image with BuildKit, under docker (buildx) or podman, so that the same input gives the same bytes.
//!
//! [`Builder::build`] is all of it. The way through: a [`Builder`] and an [`Environment`] resolve to a [`BuildRequest`] (values only); [`plan()`] turns that
//! into command lines without touching anything; [`run`] carries them out through an [`Executor`], into a
//! directory beside the output, and moves the image into place when it is whole. Knows nothing of what is inside
//! an image: whoever wants to know verifies the output.

mod command;
mod context;
mod describe;
mod environment;
mod epoch;
mod exec;
mod ignore;
mod pins;
mod plan;
mod record;
mod request;
mod resolve;
mod run;
mod runtime;

pub use command::{CommandSpec, shell_line};
pub use context::{context_digest, dockerfile_digest};
pub use describe::describe;
pub use environment::{Environment, RecordOnly, System};
pub use exec::{DryRun, Executor, Process};
pub use pins::{DEFAULT_PIN, DEFAULT_ROOTLESS_PIN, PINS, Pin};
pub use plan::{Dockerfile, Files, Plan, plan};
pub use record::{BuildRecord, Difference, Input, Program, Rung, rung_differences};
pub use request::{BuildKit, BuildRequest, Builder, Context, Exporter};
pub use resolve::epoch_of;
pub use run::run;
pub use runtime::{RUNTIMES, Runtime};
