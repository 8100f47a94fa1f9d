//! Read, verify, list, normalize and diff container image tarballs, and build them reproducibly.

pub mod build;
pub mod digest;
pub mod error;
pub mod escape;
pub mod limits;
pub mod location;
pub mod media;
pub mod observe;
