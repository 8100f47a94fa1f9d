//! Read, verify, list, normalize and diff container image tarballs, and build them reproducibly.
//!
//! | to … | call | which gives |
//! |---|---|---|
//! | know whether an image is what its digests say | [`verify()`] | a [`Verdict`](verify::Verdict): findings, and how each check ended |
//! | know all of it | [`analyze()`] | an [`Input`](report::wire::Input), as `--format json` has it |
//! | make equal builds equal bytes | [`normalize()`] | an [`Outcome`](normalize::Outcome): what changed, old and new digests |
//! | know why two images differ | [`diff()`] | a [`Diff`](diff::Diff): every difference with its cause |
//! | build an image reproducibly | [`Builder::build`](build::Builder::build) | the [`BuildRequest`](build::BuildRequest) that was carried out |
//!
//! The folder `examples` has a program for each of them.
//!
//! # Shapes and units
//!
//! An input is an image tarball (an OCI layout, a docker-archive, or both at once; also compressed as a whole) or a layout
//! directory. It is read where it lies: nothing is extracted. Sizes and offsets are bytes, times are seconds since
//! 1970-01-01T00:00:00Z, digests are [`digest::Digest`], [`digest::DiffId`] (of a layer's uncompressed tar stream) or
//! [`digest::ChainId`] (of a stack of layers). Names and paths in reports are [`escape`]d, which loses nothing; elsewhere
//! they are raw bytes.
//!
//! # Errors
//!
//! A wrong image is no error: it is a finding, with a [`grade::Grade`] and a [`location::Location`]. An
//! [`error::Error`] means that the job could not be done, and its [`kind`](error::ErrorKind) why. A limit that is hit
//! ([`limits::Limits`]) is one or the other, never a pass.
//!
//! # Where the rules come from
//!
//! Each check names its source in [`verify::checks`] (`docs/checks.md`): the OCI image and distribution specifications,
//! Docker's image specification, POSIX pax, and what Go's `archive/tar` accepts, which is what container engines run. What
//! `normalize` does is the table [`rules::RULES`] (`docs/rules.md`).
//!
//! # Features
//!
//! `cli` (on by default) is the program; `registry` (on by default) looks up digests in registries. Without both, no
//! terminal and no network crate is compiled.

mod api;
pub mod archive;
pub mod build;
#[cfg(feature = "cli")]
pub mod cli;
pub mod codec;
pub mod diff;
pub mod digest;
pub mod error;
pub mod escape;
pub mod grade;
pub mod image;
pub mod inspect;
pub mod json;
pub mod ladder;
pub mod limits;
pub mod location;
pub mod measure;
pub mod media;
pub mod normalize;
pub mod observe;
mod place;
pub mod policy;
#[cfg(feature = "registry")]
pub mod registry;
pub mod report;
pub mod rfc3339;
pub mod rules;
pub mod shard;
pub mod stack;
pub mod tar;
pub mod verify;

pub use api::{analyze, diff, normalize, verify};
