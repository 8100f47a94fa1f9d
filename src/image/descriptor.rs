//! Content descriptors (image-spec descriptor.md) and platforms.

use super::{BlobId, DocId};
use crate::{digest::Digest, location::Location, media::Media};

/// A reference to content: what it is, its digest and size, and where it was found.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// The document it stands in.
    pub document: DocId,
    /// Where in that document.
    pub at: Location,
    /// The media type as written; empty if missing.
    pub media_type: String,
    /// What the media type says the content is.
    pub media: Media,
    /// The digest, if it is valid.
    pub digest: Option<Digest>,
    /// The size in bytes, if it is valid.
    pub size: Option<u64>,
    /// The platform, where one is given.
    pub platform: Option<Platform>,
    /// Annotations in document order.
    pub annotations: Vec<(String, String)>,
    /// Where the content is.
    pub target: Target,
}

/// Where a descriptor leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To content that is here.
    Blob(BlobId),
    /// To content that is not in the archive.
    Absent,
    /// Nowhere: the digest is invalid or the entry is no file.
    Unusable,
}

impl Target {
    /// The content, if it is here.
    pub fn blob(self) -> Option<BlobId> {
        match self {
            Target::Blob(id) => Some(id),
            Target::Absent | Target::Unusable => None,
        }
    }
}

impl Descriptor {
    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// Whether BuildKit marked what this points to as an attestation of another manifest.
    pub fn is_attestation(&self) -> bool {
        self.annotation("vnd.docker.reference.type") == Some("attestation-manifest")
    }
}

/// A platform (image-index.md, "platform").
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// Operating system, in Go's words.
    pub os: String,
    /// Processor architecture, in Go's words.
    pub architecture: String,
    /// Variant of the architecture; may be empty.
    pub variant: String,
}

impl Platform {
    /// Parses `os/arch[/variant]` as users type it.
    pub fn parse(text: &str) -> Option<Platform> {
        let mut parts = text.split('/');
        let (os, architecture) = (parts.next()?, parts.next()?);
        let variant = parts.next().unwrap_or_default();
        if os.is_empty() || architecture.is_empty() || parts.next().is_some() {
            return None;
        }
        Some(Platform { os: os.into(), architecture: architecture.into(), variant: variant.into() })
    }

    /// Whether this is what a user means by `wanted`: without a variant, any variant will do.
    pub fn matches(&self, wanted: &Platform) -> bool {
        let variant = wanted.variant.is_empty() || wanted.variant == self.variant;
        self.os == wanted.os && self.architecture == wanted.architecture && variant
    }

    /// BuildKit's mark for manifests that are no image.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}
