//! The image graph: what an archive's documents say there is, and where each piece of content stands.
//!
//! Knows the OCI image layout (image-layout.md, image-index.md, manifest.md, config.md) and docker-archive's
//! `manifest.json`. Reads documents only: layers are never opened here, and nothing is hashed. What is wrong becomes a
//! [`Fault`]; resolving never fails.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

mod config;
mod descriptor;
mod docker;
mod fault;
mod graph;
mod images;
mod oci;
mod reference;
mod resolve;
mod resolver;
mod shape;

pub use config::{Config, History};
pub(crate) use descriptor::REFERENCE;
pub use descriptor::{Descriptor, Platform, Target};
pub use docker::DockerImage;
pub use fault::{Fault, FaultKind};
pub use graph::{
    Blob, BlobId, Claim, DocId, Document, Image, ImageGraph, ImageKind, Layer, Manifest, Node, Role,
};
pub use resolve::resolve;
