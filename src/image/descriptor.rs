//! Content descriptors (image-spec descriptor.md) and platforms.

use super::{BlobId, DocId};
use crate::{digest::Digest, json::Node, location::Location, media::Media};

/// BuildKit's annotation that ties an attestation to the manifest beside it, by its digest.
pub(crate) const REFERENCE: &str = "vnd.docker.reference.digest";

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
    /// Nowhere: the digest is invalid, the entry is no file or the nesting is too deep.
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

    /// Whether what it points to is called an image's configuration, or not called anything.
    pub(super) fn says_config(&self) -> bool {
        self.media == Media::Config || self.media_type.is_empty()
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

    /// Reads the fields `os`, `architecture` and `variant`; what is not there is empty.
    pub(crate) fn of(node: &Node) -> Platform {
        let text = |key| node.get(key).and_then(|value| value.str().ok()).unwrap_or_default().to_owned();
        Platform { os: text("os"), architecture: text("architecture"), variant: text("variant") }
    }

    /// Whether this is what a user means by `wanted`: without a variant, any variant will do.
    pub fn matches(&self, wanted: &Platform) -> bool {
        let (this, other) = (self.normal(), wanted.normal());
        this == other
            || wanted.variant.is_empty() && (this.os, this.architecture) == (other.os, other.architecture)
    }

    /// The one spelling that containerd's `platforms.Normalize` has for it.
    fn normal(&self) -> Platform {
        let [os, architecture, variant] =
            [&self.os, &self.architecture, &self.variant].map(|part| part.to_ascii_lowercase());
        let os = if os == "macos" { "darwin".to_owned() } else { os };
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("x86_64" | "x86-64" | "amd64", variant) => ("amd64", if variant == "v1" { "" } else { variant }),
            ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
            ("aarch64" | "arm64", variant) => ("arm64", variant),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            ("i386", _) => ("386", ""),
            known => known,
        };
        Platform { os, architecture: architecture.to_owned(), variant: variant.to_owned() }
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

#[cfg(test)]
mod tests {
    use super::Platform;

    /// By the table of containerd's platforms package.
    #[test]
    fn platforms_match_however_they_are_spelt() {
        let matches = |there, wanted| {
            let parse = |text| Platform::parse(text).unwrap();
            parse(there).matches(&parse(wanted))
        };
        let same = [
            ("linux/amd64", "linux/amd64"),
            ("linux/amd64", "linux/x86_64"),
            ("linux/amd64", "linux/amd64/v1"),
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/arm64/v8", "linux/aarch64"),
            ("linux/arm/v6", "linux/armel"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm"),
            ("linux/386", "linux/i386"),
            ("darwin/arm64", "macos/aarch64"),
        ];
        for (there, wanted) in same {
            assert!(matches(there, wanted), "{there} is {wanted}");
        }
        let others = [
            ("linux/amd64", "linux/arm64"),
            ("linux/amd64", "linux/amd64/v2"),
            ("linux/arm64/v9", "linux/arm64/v8"),
            ("linux/arm/v6", "linux/arm/v7"),
            ("linux/amd64", "windows/amd64"),
        ];
        for (there, wanted) in others {
            assert!(!matches(there, wanted), "{there} is not {wanted}");
        }
    }
}
