//! Encoders whose output depends on the content alone: not on threads, chunking of the writes, processor or allocator.
//!
//! Knows which encoders there are, their levels, and their names as reports record them.

use std::io::{self, Write};
use std::ops::RangeInclusive;

use super::Compression;
use crate::error::{Error, Result};

pub(super) mod block;
mod crew;
mod gzip;
mod zstd;

#[cfg(test)]
mod tests;

pub use crew::Crew;
pub use gzip::GzipEncoder;
pub use zstd::ZstdEncoder;

/// Everything known of one encoder.
struct Row {
    compression: Compression,
    /// What decides the output besides the level; new bytes for old content mean a new id.
    id: fn() -> String,
    levels: RangeInclusive<u32>,
    default_level: u32,
}

/// One row for each compression that can be written.
const ENCODERS: [Row; 3] = [
    Row { compression: Compression::Gzip, id: gzip::id, levels: 1..=9, default_level: 6 },
    Row { compression: Compression::Zstd, id: zstd::id, levels: 1..=19, default_level: 3 },
    Row { compression: Compression::Plain, id: || "plain".to_owned(), levels: 0..=0, default_level: 0 },
];

/// How to compress: an encoder and its level, both checked. Together with the content it decides every byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    compression: Compression,
    level: u32,
}

impl Recipe {
    /// The recipe for `compression` at `level`, or at the encoder's own default level.
    ///
    /// # Errors
    /// A usage error for a compression that is only read, and for a level that the encoder does not have.
    pub fn new(compression: Compression, level: Option<u32>) -> Result<Recipe> {
        let row = ENCODERS
            .iter()
            .find(|row| row.compression == compression)
            .ok_or_else(|| Error::usage(format!("{compression} can be read but not written")))?;
        let level = level.unwrap_or(row.default_level);
        if !row.levels.contains(&level) {
            let (low, high) = (row.levels.start(), row.levels.end());
            let message = format!("{compression} has no level {level} (want {low} to {high})");
            return Err(Error::usage(message));
        }
        Ok(Recipe { compression, level })
    }

    /// The compression that is written.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The level.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// What reports record, so that the same bytes can be made again: `gzip/zlib-rs-0.6.8/blocks-1MiB/level-6`.
    pub fn id(&self) -> String {
        let row = ENCODERS.iter().find(|row| row.compression == self.compression);
        let id = row.map(|row| (row.id)()).unwrap_or_default();
        match self.compression {
            Compression::Plain => id,
            _ => format!("{id}/level-{}", self.level),
        }
    }

    /// An encoder that writes to `out`, with the help of a crew. How many threads that has changes how long it takes,
    /// never what is written.
    ///
    /// # Errors
    /// The system refused a thread, or memory, or `out` its first bytes.
    pub fn encoder<W: Write>(&self, crew: &Crew, out: W) -> io::Result<Encoder<W>> {
        Ok(match self.compression {
            Compression::Gzip => Encoder::Gzip(GzipEncoder::new(self.level, crew, out)?),
            Compression::Zstd => Encoder::Zstd(ZstdEncoder::new(self.level, crew.share(), out)?),
            Compression::Plain | Compression::Xz | Compression::Bzip2 => Encoder::Plain(out),
        })
    }
}

/// An encoder, made by [`Recipe::encoder`]. What is written to it goes to its output compressed; [`Encoder::finish`]
/// must be called, or the output is cut short.
pub enum Encoder<W: Write> {
    /// Passes the bytes on.
    Plain(W),
    /// gzip.
    Gzip(GzipEncoder<W>),
    /// zstd.
    Zstd(ZstdEncoder<W>),
}

impl<W: Write> Encoder<W> {
    /// Writes what is left and the stream's end, and gives the output back.
    ///
    /// # Errors
    /// Whatever the output says.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Encoder::Plain(out) => Ok(out),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Encoder::Plain(out) => out.write(data),
            Encoder::Gzip(encoder) => encoder.write(data),
            Encoder::Zstd(encoder) => encoder.write(data),
        }
    }

    /// Flushes the output only: an early end of a block would change what is written.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Plain(out) => out.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }
}
