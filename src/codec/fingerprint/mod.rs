//! Who made a gzip blob: its header's fields, and the habits of the encoder where they tell.
//!
//! Two builds of one layer with one diff_id and two digests were compressed by two encoders; this names them.
//! Each claim is one row of `MAKERS`, and rests on blobs that were really made that way; what fits no row is
//! [`Maker::Unknown`]. Knows gzip and deflate only. Reads some hundred KiB of a blob, and at most one MiB of content.

use std::cell::OnceCell;
use std::fmt;

use super::Compression;
use super::decode::gzip::Header;
use super::deflate::Kind;
use super::encode::block::{BLOCK, deflate_head};
use crate::limits::Limits;

mod blocks;

#[cfg(test)]
mod tests;

use blocks::{Block, Blocks};

/// How much of the deflate stream is walked, in bytes.
const WALK: usize = 256 << 10;
/// How much of a stream must be reproduced to say whose it is, in bytes: a dynamic block's header depends on all of
/// the block, so that this is much more than it takes.
const PROOF: usize = 16 << 10;
/// A gzip trailer, in bytes.
const TRAILER: usize = 8;
/// OS as written on Unix, and by those who do not say.
const UNIX: u8 = 3;
const UNKNOWN_OS: u8 = 255;

/// An encoder that can be told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Maker {
    /// pgzip: skopeo, podman, buildah, umoci.
    Pgzip,
    /// An eStargz layer: one member for each file, with a table of contents.
    Estargz,
    /// Go's compress/gzip up to Go 1.26: docker, containerd, BuildKit.
    Go,
    /// compress/gzip since Go 1.27, whose deflate is that of klauspost/compress.
    Go127,
    /// pigz.
    Pigz,
    /// GNU gzip, and those with the same code, such as busybox.
    GnuGzip,
    /// igzip of ISA-L.
    Igzip,
    /// This program's own encoder, or one that writes the same bytes, as others do for little content.
    Ours,
    /// zlib-ng, or zlib-rs, which finds the same matches.
    ZlibNg,
    /// zlib: Python, Java and many more.
    Zlib,
    /// libdeflate.
    Libdeflate,
    /// Nothing that is known, or too little of it to say.
    Unknown,
}

/// What a verdict rests on, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// None: the maker is not known.
    Nothing,
    /// Fields of the header, which anybody can write.
    Header,
    /// The blocks, too, are as this encoder makes them.
    Structure,
    /// The start of the blob was made again, byte for byte.
    Reproduced,
}

impl Evidence {
    /// The stable name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Evidence::Nothing => "nothing",
            Evidence::Header => "header",
            Evidence::Structure => "structure",
            Evidence::Reproduced => "reproduced",
        }
    }
}

/// Everything known of one maker.
struct Row {
    maker: Maker,
    name: &'static str,
    title: &'static str,
    told_by: fn(&Traces<'_>) -> Option<Evidence>,
}

/// One row for each maker; the first that fits is the verdict. Those that a blob proves stand before those that it
/// is only like.
const MAKERS: [Row; 12] = [
    Row { maker: Maker::Pgzip, name: "pgzip", title: "pgzip", told_by: |traces| traces.pgzip() },
    Row { maker: Maker::Estargz, name: "estargz", title: "eStargz", told_by: |traces| traces.estargz() },
    Row {
        maker: Maker::Go,
        name: "go",
        title: "Go compress/gzip (Go 1.26 or older)",
        told_by: |traces| traces.go(),
    },
    Row {
        maker: Maker::Go127,
        name: "go-1.27",
        title: "Go compress/gzip (Go 1.27 or newer, or klauspost/compress)",
        told_by: |traces| traces.go_127(),
    },
    Row { maker: Maker::Pigz, name: "pigz", title: "pigz", told_by: |traces| traces.pigz() },
    Row { maker: Maker::GnuGzip, name: "gzip", title: "GNU gzip", told_by: |traces| traces.gnu_gzip() },
    Row { maker: Maker::Igzip, name: "igzip", title: "igzip (ISA-L)", told_by: |traces| traces.igzip() },
    Row { maker: Maker::Ours, name: "repro-build", title: "repro-build", told_by: |traces| traces.ours() },
    Row {
        maker: Maker::ZlibNg,
        name: "zlib-ng",
        title: "zlib-ng or zlib-rs",
        told_by: |traces| traces.zlib_ng(),
    },
    Row { maker: Maker::Zlib, name: "zlib", title: "zlib", told_by: |traces| traces.zlib() },
    Row {
        maker: Maker::Libdeflate,
        name: "libdeflate",
        title: "libdeflate",
        told_by: |traces| traces.libdeflate(),
    },
    Row {
        maker: Maker::Unknown,
        name: "unknown",
        title: "an unknown encoder",
        told_by: |_| Some(Evidence::Nothing),
    },
];

impl Maker {
    fn row(self) -> &'static Row {
        let [.., unknown] = &MAKERS;
        MAKERS.iter().find(|row| row.maker == self).unwrap_or(unknown)
    }

    /// The stable name, as reports show it: `pgzip`.
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for Maker {
    /// The name for people: `Go compress/gzip (Go 1.26 or older)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().title)
    }
}

/// How a gzip blob was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Who made it.
    pub maker: Maker,
    /// What that rests on.
    pub evidence: Evidence,
    /// MTIME of the first member: seconds since 1970, 0 for none.
    pub mtime: u32,
    /// OS of the first member (RFC 1952, 2.3.1).
    pub os: u8,
    /// XFL of the first member: 2 for slowest, 4 for fastest compression.
    pub extra_flags: u8,
    /// FLG of the first member.
    pub flags: u8,
    /// FNAME of the first member: untrusted bytes, to be escaped when shown.
    pub file_name: Option<Vec<u8>>,
}

/// How `blob` was made, if it starts with a gzip header.
pub fn fingerprint(blob: &[u8]) -> Option<Fingerprint> {
    let header = Header::parse(blob).ok()?;
    let stream = blob.get(header.len..)?;
    let traces = Traces { blob, header, stream, blocks: OnceCell::new(), again: OnceCell::new() };
    let (maker, evidence) = MAKERS
        .iter()
        .find_map(|row| Some((row.maker, (row.told_by)(&traces)?)))
        .unwrap_or((Maker::Unknown, Evidence::Nothing));
    let Header { flags, mtime, extra_flags, os, name, .. } = traces.header;
    let file_name = name.map(<[u8]>::to_vec);
    Some(Fingerprint { maker, evidence, mtime, os, extra_flags, flags, file_name })
}

/// What an encoder left behind.
struct Traces<'a> {
    blob: &'a [u8],
    header: Header<'a>,
    /// The first member's deflate stream, and all after it.
    stream: &'a [u8],
    /// The first blocks of the stream.
    blocks: OnceCell<Vec<Block>>,
    /// What our own encoder makes of the content's start.
    again: OnceCell<Option<Vec<u8>>>,
}

impl Traces<'_> {
    /// The header without time, name or system that Go writes, and libdeflate, and we.
    fn is_bare(&self) -> bool {
        self.header.mtime == 0 && self.header.os == UNKNOWN_OS && self.header.flags == 0
    }

    /// The first blocks of the stream, all of them if it is short.
    fn blocks(&self) -> &[Block] {
        self.blocks.get_or_init(|| Blocks::new(self.stream.get(..WALK).unwrap_or(self.stream)).collect())
    }

    /// Whether the blob ends in `bytes`, its trailer aside.
    fn ends_in(&self, bytes: &[u8]) -> bool {
        self.stream
            .len()
            .checked_sub(TRAILER)
            .and_then(|end| self.stream.get(..end))
            .is_some_and(|stream| stream.ends_with(bytes))
    }

    /// The coded blocks that ended because they were full, not because of a flush or the end: those that a block
    /// with content follows. `None` when there are none, so that no rule holds for want of blocks.
    fn full(&self) -> Option<Vec<&Block>> {
        let pairs = self.blocks().windows(2).filter_map(|pair| match pair {
            [block, next] if block.kind != Kind::Stored && block.decoded > 0 && next.decoded > 0 => {
                Some(block)
            }
            _ => None,
        });
        Some(pairs.collect()).filter(|full: &Vec<&Block>| !full.is_empty())
    }

    /// A verdict by structure when every full block, of which there is at least one, is like this.
    fn when_full(&self, alike: impl Fn(&Block) -> bool) -> Option<Evidence> {
        self.full()?.into_iter().all(alike).then_some(Evidence::Structure)
    }

    fn pgzip(&self) -> Option<Evidence> {
        // Go's zero time, 1 January of the year 1, in the low 32 bits of seconds since 1970.
        const ZERO_TIME: u32 = 0x886e_0900;
        // It ends in a sync flush and an empty fixed block.
        const END: &[u8] = &[0, 0, 0xff, 0xff, 3, 0];
        let evidence = if self.ends_in(END) { Evidence::Structure } else { Evidence::Header };
        (self.header.mtime == ZERO_TIME && self.header.os == UNKNOWN_OS).then_some(evidence)
    }

    fn estargz(&self) -> Option<Evidence> {
        // The footer is a member of its own: 10 bytes of header, 28 of extra field, 5 of an empty block, 8 of trailer.
        const FOOTER: usize = 51;
        let start = self.blob.len().checked_sub(FOOTER)?;
        let footer = Header::parse(self.blob.get(start..)?).ok()?;
        let extra = footer.extra?;
        (extra.starts_with(b"SG\x16\0") && extra.ends_with(b"STARGZ")).then_some(Evidence::Structure)
    }

    fn go(&self) -> Option<Evidence> {
        // It ends in an empty stored block. Others write one for a flush, but never as the last block.
        (self.is_bare() && self.ends_in(&[0, 0, 0xff, 0xff])).then_some(Evidence::Structure)
    }

    fn go_127(&self) -> Option<Evidence> {
        // It ends in an empty fixed block with no flush before it, and takes its input in pieces of 65535 bytes.
        const PIECE: u64 = 65535;
        let fixed_end = match self.blocks() {
            [.., before, end] if end.last => {
                end.kind == Kind::Fixed && end.decoded == 0 && before.decoded > 0
            }
            _ => self.when_full(|block| block.decoded == PIECE).is_some(),
        };
        (self.is_bare() && fixed_end).then_some(Evidence::Structure)
    }

    fn pigz(&self) -> Option<Evidence> {
        // It brings its output to a whole byte after each piece of input.
        const PIECE: u64 = 128 << 10;
        let mut pieces = self.blocks().iter().filter(|block| block.decoded_end == PIECE && !block.last);
        (self.header.os == UNIX && pieces.any(|block| block.aligned)).then_some(Evidence::Structure)
    }

    fn gnu_gzip(&self) -> Option<Evidence> {
        // Its buffer holds 32768 symbols less one, and it looks at every 4096th whether a new block would pay.
        let alike = |block: &Block| {
            block.symbols == 32767 || block.symbols < 32767 && block.symbols.is_multiple_of(4096)
        };
        if self.header.os == UNIX { self.when_full(alike) } else { None }
    }

    fn igzip(&self) -> Option<Evidence> {
        // No other encoder has blocks of so many symbols, those of one fixed block aside.
        let alike = |block: &Block| block.kind == Kind::Dynamic && block.symbols > 65536;
        if self.header.os == UNIX { self.when_full(alike) } else { None }
    }

    /// Our encoder's level for the header's XFL; of those that leave it 0, the default.
    fn level(&self) -> u32 {
        match self.header.extra_flags {
            4 => 1,
            2 => 9,
            _ => 6,
        }
    }

    /// What our encoder makes of the content's start.
    fn again(&self) -> Option<&[u8]> {
        let make = || {
            let mut head = vec![0; BLOCK + 1];
            let mut decoder = super::decoder(Compression::Gzip, self.blob, &Limits::default());
            let count = decoder.fill(&mut head).ok()?;
            deflate_head(self.level(), head.get(..count)?)
        };
        self.again.get_or_init(make).as_deref()
    }

    fn ours(&self) -> Option<Evidence> {
        let possible = self.is_bare() && self.full().is_none_or(|_| self.is_zlib_like());
        (possible && self.stream.starts_with(self.again()?)).then_some(Evidence::Reproduced)
    }

    /// zlib and its descendants have room for 16384 symbols, and end the block one short of it.
    fn is_zlib_like(&self) -> bool {
        self.when_full(|block| block.symbols == 16383).is_some()
    }

    fn zlib_ng(&self) -> Option<Evidence> {
        // At level 1 it has one fixed block, which the walk does not come to the end of.
        let possible = self.is_zlib_like() || self.blocks().is_empty() && self.header.extra_flags == 4;
        let proof = self.stream.get(..PROOF)?;
        (possible && self.again()?.starts_with(proof)).then_some(Evidence::Reproduced)
    }

    fn zlib(&self) -> Option<Evidence> {
        self.is_zlib_like().then_some(Evidence::Structure)
    }

    fn libdeflate(&self) -> Option<Evidence> {
        // It splits where the content changes, but never makes a block of less than 5000 or, by much, more than
        // 300000 bytes. That is a habit of no other encoder with this header that wrote more than two blocks.
        let alike = |block: &Block| (5000..=310_000).contains(&block.decoded);
        if self.is_bare() && self.full()?.len() > 2 { self.when_full(alike) } else { None }
    }
}
