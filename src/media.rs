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

/// An OCI image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer that is a plain tar.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

const fn layer(packing: Packing, foreign: bool) -> Media {
    Media::Layer { packing, foreign }
}

/// OCI's name, Docker's, and what both name.
const TABLE: [(&str, &str, Media); 9] = [
    (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json", Media::Index),
    (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json", Media::Manifest),
    (CONFIG, "application/vnd.docker.container.image.v1+json", Media::Config),
    (LAYER, "application/vnd.docker.image.rootfs.diff.tar", layer(Packing::Plain, false)),
    (
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        layer(Packing::Gzip, false),
    ),
    (
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        layer(Packing::Zstd, false),
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        layer(Packing::Plain, true),
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        layer(Packing::Gzip, true),
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd",
        layer(Packing::Zstd, true),
    ),
];

impl Media {
    /// What `media_type` names. Parameters behind a `;` do not count.
    pub fn of(media_type: &str) -> Media {
        let name = media_type.split(';').next().unwrap_or_default().trim();
        if let Some((_, _, media)) = TABLE.iter().find(|(oci, docker, _)| [*oci, *docker].contains(&name)) {
            return *media;
        }
        let foreign = name.contains("nondistributable") || name.contains("foreign");
        let layer = name.starts_with("application/vnd.oci.image.layer.")
            || name.starts_with("application/vnd.docker.image.rootfs.");
        if layer { self::layer(Packing::Unknown, foreign) } else { Media::Other }
    }

    /// The names of what this is: OCI's, then Docker's.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        TABLE.iter().filter(move |(_, _, media)| *media == self).flat_map(|(oci, docker, _)| [*oci, *docker])
    }
}

/// A media type's OCI form, where it is one of Docker's.
pub fn in_oci(media_type: &str) -> &str {
    TABLE.iter().find(|(_, docker, _)| *docker == media_type).map_or(media_type, |(oci, _, _)| oci)
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
