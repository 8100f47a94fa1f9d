//! Read, verify, list, normalize and diff container image tarballs, and build them reproducibly.

pub mod archive;
pub mod build;
#[cfg(feature = "cli")]
pub mod cli;
pub mod codec;
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
pub mod observe;
pub mod policy;
#[cfg(feature = "registry")]
pub mod registry;
pub mod report;
pub mod shard;
pub mod stack;
pub mod tar;
pub mod verify;
