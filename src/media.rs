//! Media types of image content: which kind of thing a descriptor says it points to.
//!
//! Knows the OCI and Docker names (image-spec media-types.md; Docker's image manifest v2 schema 2). Must not look at
//! content: what the bytes really are is `codec`'s to say.

/// What a media type says the content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Media {
    /// OCI image index or Docker manifest list.
    Index,
    /// OCI image manifest or Docker schema 2 manifest.
    Manifest,
    /// OCI or Docker image configuration.
    Config,
    /// A file system layer.
    Layer {
        /// What the suffix says of its compression.
        packing: Packing,
        /// Whether it may be fetched from elsewhere and left out of an archive (foreign layers).
        foreign: bool,
    },
    /// Anything else: attestations, signatures, artifacts.
    Other,
}

/// What a layer's media type says of its compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// No suffix: a plain tar.
    Plain,
    /// `+gzip` or `.gzip`.
    Gzip,
    /// `+zstd`.
    Zstd,
    /// A suffix that names a compression this program does not look into, such as `+encrypted` or `+xz`.
    Unknown,
}

const TABLE: &[(&str, Media)] = &[
    ("application/vnd.oci.image.index.v1+json", Media::Index),
    ("application/vnd.docker.distribution.manifest.list.v2+json", Media::Index),
    ("application/vnd.oci.image.manifest.v1+json", Media::Manifest),
    ("application/vnd.docker.distribution.manifest.v2+json", Media::Manifest),
    ("application/vnd.oci.image.config.v1+json", Media::Config),
    ("application/vnd.docker.container.image.v1+json", Media::Config),
    ("application/vnd.oci.image.layer.v1.tar", Media::Layer { packing: Packing::Plain, foreign: false }),
    ("application/vnd.oci.image.layer.v1.tar+gzip", Media::Layer { packing: Packing::Gzip, foreign: false }),
    ("application/vnd.oci.image.layer.v1.tar+zstd", Media::Layer { packing: Packing::Zstd, foreign: false }),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        Media::Layer { packing: Packing::Plain, foreign: true },
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        Media::Layer { packing: Packing::Gzip, foreign: true },
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        Media::Layer { packing: Packing::Zstd, foreign: true },
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar",
        Media::Layer { packing: Packing::Plain, foreign: false },
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        Media::Layer { packing: Packing::Gzip, foreign: false },
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        Media::Layer { packing: Packing::Zstd, foreign: false },
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        Media::Layer { packing: Packing::Gzip, foreign: true },
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        Media::Layer { packing: Packing::Plain, foreign: true },
    ),
];

impl Media {
    /// What `media_type` names. Parameters behind a `;` do not count.
    pub fn of(media_type: &str) -> Media {
        let name = media_type.split(';').next().unwrap_or_default().trim();
        if let Some((_, media)) = TABLE.iter().find(|(known, _)| *known == name) {
            return *media;
        }
        let foreign = name.contains("nondistributable") || name.contains("foreign");
        let layer = name.starts_with("application/vnd.oci.image.layer.")
            || name.starts_with("application/vnd.docker.image.rootfs.");
        if layer { Media::Layer { packing: Packing::Unknown, foreign } } else { Media::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encrypted_and_unheard_of_layers_are_layers_of_unknown_packing() {
        let of = |name| Media::of(name);
        assert_eq!(of("application/vnd.oci.image.manifest.v1+json"), Media::Manifest);
        assert_eq!(
            of("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
            Media::Layer { packing: Packing::Unknown, foreign: false }
        );
        assert_eq!(of("application/vnd.in-toto+json"), Media::Other);
    }
}
