//! Compression: what a blob is compressed with, strict decoders, deterministic encoders, and who made a gzip blob.
//!
//! Knows bytes and compressed formats (RFC 1951, RFC 1952, RFC 8878, the xz and bzip2 formats). Must not know tar, images,
//! media types, digests or where the bytes came from.
//!
//! A new compression is one file in `decode/` and one row in `CODECS`; if we also write it, one file in
//! `encode/` and one row in `ENCODERS`.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use std::fmt;

use crate::limits::Limits;
use crate::media::{Media, Packing};

pub mod decode;
mod deflate;
pub mod encode;
pub mod fingerprint;
#[cfg(test)]
mod testing;

pub use decode::{DecodeError, DecodeErrorKind, Decoder, Frames};
pub use encode::{Crew, Encoder, Recipe};
pub use fingerprint::{Evidence, Fingerprint, Maker, fingerprint};

/// How a blob is compressed, found from its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not compressed, or with nothing that is known. Container engines take such bytes for a plain tar.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The .xz file format 1.2.
    Xz,
    /// bzip2.
    Bzip2,
}

/// Everything known of one compression on the reading side.
struct Codec {
    compression: Compression,
    name: &'static str,
    /// Whether a blob that starts with these bytes is of this kind.
    sniff: fn(&[u8]) -> bool,
    decoder: for<'a> fn(&'a [u8], &Limits) -> Box<dyn decode::Step + 'a>,
}

/// One row for each [`Compression`]; [`sniff`] takes the first that matches. The magic numbers are those that the
/// Docker engine's own detection looks for, so that no blob is one thing here and another there.
const CODECS: [Codec; 5] = [
    Codec {
        compression: Compression::Gzip,
        name: "gzip",
        sniff: |head| head.starts_with(&[0x1f, 0x8b, 0x08]),
        decoder: decode::gzip::decoder,
    },
    Codec {
        compression: Compression::Zstd,
        name: "zstd",
        sniff: decode::zstd::is_frame,
        decoder: decode::zstd::decoder,
    },
    Codec {
        compression: Compression::Xz,
        name: "xz",
        sniff: |head| head.starts_with(&decode::xz::MAGIC),
        decoder: decode::xz::decoder,
    },
    Codec {
        compression: Compression::Bzip2,
        name: "bzip2",
        sniff: |head| head.starts_with(decode::bzip2::MAGIC),
        decoder: decode::bzip2::decoder,
    },
    Codec {
        compression: Compression::Plain,
        name: "plain",
        sniff: |_| true,
        decoder: decode::plain::decoder,
    },
];

impl Compression {
    fn codec(self) -> &'static Codec {
        match self {
            Compression::Gzip => &CODECS[0],
            Compression::Zstd => &CODECS[1],
            Compression::Xz => &CODECS[2],
            Compression::Bzip2 => &CODECS[3],
            Compression::Plain => &CODECS[4],
        }
    }

    /// All compressions, in the order in which [`sniff`] tries them.
    pub fn all() -> impl Iterator<Item = Compression> {
        CODECS.iter().map(|codec| codec.compression)
    }

    /// What a layer's media type says; `None` for one that does not say how the layer is to be read.
    pub fn said_by(media: Media) -> Option<Compression> {
        match media {
            Media::Layer { packing: Packing::Plain, .. } => Some(Compression::Plain),
            Media::Layer { packing: Packing::Gzip, .. } => Some(Compression::Gzip),
            Media::Layer { packing: Packing::Zstd, .. } => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// The name used in reports: `gzip`.
    pub fn name(self) -> &'static str {
        self.codec().name
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a blob that starts with `head` is compressed. Eight bytes are enough; [`Compression::Plain`] when no magic
/// number is there. Content alone decides: media types and file names lie.
pub fn sniff(head: &[u8]) -> Compression {
    CODECS.iter().find(|codec| (codec.sniff)(head)).map_or(Compression::Plain, |codec| codec.compression)
}

/// A decoder over the whole of `input`, up to [`Limits::max_unpacked`] decoded bytes.
pub fn decoder<'a>(compression: Compression, input: &'a [u8], limits: &Limits) -> Decoder<'a> {
    Decoder::new((compression.codec().decoder)(input, limits), limits.max_unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_found_by_its_variant() {
        for codec in &CODECS {
            assert_eq!(codec.compression.codec().name, codec.name);
        }
        assert_eq!(Compression::all().count(), CODECS.len());
    }

    #[test]
    fn sniffs_by_content() {
        let cases: [(&[u8], Compression); 13] = [
            (b"", Compression::Plain),
            (b"\x1f\x8b", Compression::Plain),
            (b"\x1f\x8b\x08", Compression::Gzip),
            (b"\x1f\x8b\x07", Compression::Plain),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"\x28\xb5\x2f", Compression::Plain),
            (b"\x50\x2a\x4d\x18\0\0\0\0", Compression::Zstd),
            (b"\x5f\x2a\x4d\x18\0\0\0\0", Compression::Zstd),
            (b"\x60\x2a\x4d\x18\0\0\0\0", Compression::Plain),
            (b"\xfd7zXZ\0", Compression::Xz),
            (b"\xfd7zXZ", Compression::Plain),
            (b"BZh9", Compression::Bzip2),
            (b"etc/passwd\0\0\0\0", Compression::Plain),
        ];
        for (head, expected) in cases {
            assert_eq!(sniff(head), expected, "{head:02x?}");
        }
    }
}
