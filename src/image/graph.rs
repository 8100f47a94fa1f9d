//! The graph's types: blobs, documents, manifests, images. Values only; [`super::resolve`] makes them.

use std::collections::HashMap;

use super::{Config, Descriptor, DockerImage, Fault, Platform};
use crate::{
    archive::{EntryId, EntryIndex},
    digest::Digest,
    json,
    location::Location,
    media::Media,
};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) u32);

        impl $name {
            /// Position in the graph's list.
            pub fn position(self) -> usize {
                self.0 as usize
            }

            /// The id of what stands at `position`.
            pub(crate) fn at(position: usize) -> $name {
                $name(u32::try_from(position).unwrap_or(u32::MAX))
            }
        }
    )* };
}

ids! {
    /// A blob's number.
    BlobId
    /// A document's number.
    DocId
}

/// One piece of content that something refers to.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The entry that holds it; `None` if it is embedded in a descriptor.
    pub entry: Option<EntryId>,
    /// Content that is embedded in a descriptor.
    pub embedded: Vec<u8>,
    /// Where it stands.
    pub at: Location,
    /// What is claimed of it, once for each descriptor that refers to it.
    pub claims: Vec<Claim>,
    /// What it is used as.
    pub role: Role,
}

/// What a descriptor, or a docker-archive's file name, says of a blob.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content; `None` where only the name speaks.
    pub size: Option<u64>,
    /// Who says so.
    pub at: Location,
}

/// What a blob is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `oci-layout`, `index.json` or `manifest.json`: no descriptor points there.
    Root,
    /// An image index.
    Index,
    /// An image manifest.
    Manifest,
    /// An image configuration.
    Config,
    /// A file system layer.
    Layer,
    /// Anything else.
    Other,
}

/// A JSON document: its bytes, what they parse to, and what is odd about them.
#[derive(Debug)]
pub struct Document {
    /// The bytes.
    pub blob: BlobId,
    /// The parsed root, if it could be read.
    pub root: Option<json::Node>,
    /// What the strict reader found.
    pub faults: Vec<json::Fault>,
    /// What it turned out to be.
    pub node: Node,
}

/// What a document turned out to be.
#[derive(Clone, Debug)]
pub enum Node {
    /// An index and what it lists.
    Index(Vec<Descriptor>),
    /// A manifest.
    Manifest(Box<Manifest>),
    /// A configuration.
    Config(Config),
    /// Nothing that is looked into.
    Other,
}

/// An image manifest (manifest.md).
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The configuration.
    pub config: Option<Descriptor>,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// What this is about, for attestations and signatures.
    pub subject: Option<Descriptor>,
    /// What kind of artifact, if it says so.
    pub artifact_type: Option<String>,
}

/// What a manifest is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// Something that runs.
    Image,
    /// Provenance or a bill of materials of another manifest.
    Attestation,
    /// A signature, a chart, anything else.
    Artifact,
}

/// One image: a configuration and its layers, under all its names.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it is there for.
    pub kind: ImageKind,
    /// Full references or tags, in the order they were met.
    pub names: Vec<String>,
    /// The platform its descriptor or its configuration gives.
    pub platform: Option<Platform>,
    /// The manifest; `None` in a docker-archive.
    pub manifest: Option<DocId>,
    /// The manifest's digest as its descriptor claims it.
    pub digest: Option<Digest>,
    /// Who refers to it first.
    pub at: Location,
    /// The index that leads to it: the child of `index.json` above it, or `index.json` itself; `None` in a
    /// docker-archive.
    pub index: Option<DocId>,
    /// The configuration document.
    pub config: Option<DocId>,
    /// Layers, lowest first.
    pub layers: Vec<Layer>,
    /// Whether everything it needs is here.
    pub complete: bool,
}

/// One layer of one image.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The content, if it is here.
    pub blob: Option<BlobId>,
    /// The digest of the (compressed) content, where a descriptor gives one.
    pub digest: Option<Digest>,
    /// The media type as written; empty in a docker-archive.
    pub media_type: String,
    /// What the media type says.
    pub media: Media,
    /// Who refers to it.
    pub at: Location,
}

/// Everything an archive's documents say.
#[derive(Debug)]
pub struct ImageGraph<'a> {
    /// The archive.
    pub index: &'a EntryIndex<'a>,
    /// Where the archive is.
    pub at: Location,
    /// All content that is referred to, each piece once.
    pub blobs: Vec<Blob>,
    /// All documents, each once.
    pub documents: Vec<Document>,
    /// `index.json`, if there is one.
    pub root: Option<DocId>,
    /// What `manifest.json` lists; `None` without one.
    pub docker: Option<Vec<DockerImage>>,
    /// The images, in the order they are met.
    pub images: Vec<Image>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Which document a blob was read as.
    pub(super) document_of: HashMap<BlobId, DocId>,
}

impl<'a> ImageGraph<'a> {
    /// A blob.
    #[expect(clippy::indexing_slicing, reason = "only this graph makes ids, one for each blob")]
    pub fn blob(&self, id: BlobId) -> &Blob {
        &self.blobs[id.position()]
    }

    /// A document.
    #[expect(clippy::indexing_slicing, reason = "only this graph makes ids, one for each document")]
    pub fn document(&self, id: DocId) -> &Document {
        &self.documents[id.position()]
    }

    /// A blob's content.
    pub fn content(&self, id: BlobId) -> &[u8] {
        let blob = self.blob(id);
        blob.entry.map_or(blob.embedded.as_slice(), |entry| self.index.bytes(entry))
    }

    /// A document's bytes.
    pub fn raw(&self, id: DocId) -> &[u8] {
        self.content(self.document(id).blob)
    }

    /// Where a document stands.
    pub fn place(&self, id: DocId) -> &Location {
        &self.blob(self.document(id).blob).at
    }

    /// An image's configuration.
    pub fn config(&self, image: &Image) -> Option<&Config> {
        match &self.document(image.config?).node {
            Node::Config(config) => Some(config),
            _ => None,
        }
    }

    /// What an index document lists; empty for any other.
    pub fn children(&self, id: DocId) -> &[Descriptor] {
        match &self.document(id).node {
            Node::Index(children) => children,
            _ => &[],
        }
    }

    /// The document a blob was read as.
    pub fn document_of(&self, blob: BlobId) -> Option<DocId> {
        self.document_of.get(&blob).copied()
    }

    /// The layout's name: `oci`, `docker` or `oci+docker`.
    pub fn layout(&self) -> &'static str {
        match (self.root.is_some(), self.docker.is_some()) {
            (true, true) => "oci+docker",
            (true, false) => "oci",
            (false, true) => "docker",
            (false, false) => "none",
        }
    }
}
