//! Deterministic gzip: one member of independent 1 MiB blocks.
//!
//! Knows the framing (RFC 1952) and the order of blocks. Must not know how one is deflated, and by which thread.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use super::block::Block;
use super::crew::{Crew, Deflaters, Pending};

/// Names what decides the bytes. The version is that of the zlib-rs crate, which Cargo.toml pins.
pub(super) fn id() -> String {
    "gzip/zlib-rs-0.6.8/blocks-1MiB".to_owned()
}

/// Writes one gzip member. All encoders of a crew hold at most two blocks for each of its threads, and each two of its
/// own: one that fills, one that it has handed out however busy the others keep the crew.
///
/// A write may wait for a block. The threads it waits for wait for nobody, so it may be used on any pool.
pub struct GzipEncoder<W: Write> {
    out: W,
    level: u32,
    crc: crc32fast::Hasher,
    /// Of the content, modulo 2^32, as the trailer has it.
    length: u32,
    filling: Block,
    deflaters: Option<Arc<Deflaters>>,
    /// Blocks handed out, in the order of the content.
    pending: VecDeque<Pending>,
}

impl<W: Write> GzipEncoder<W> {
    pub(super) fn new(level: u32, crew: &Crew, mut out: W) -> io::Result<GzipEncoder<W>> {
        out.write_all(&header(level))?;
        Ok(GzipEncoder {
            out,
            level,
            crc: crc32fast::Hasher::new(),
            length: 0,
            filling: Block::new(),
            deflaters: crew.deflaters(),
            pending: VecDeque::new(),
        })
    }

    /// Deflates what is left, writes the trailer, and gives the output back.
    ///
    /// # Errors
    /// Whatever the output says.
    pub fn finish(mut self) -> io::Result<W> {
        self.filling.end();
        self.hand_out()?;
        while !self.pending.is_empty() {
            self.collect()?;
        }
        self.out.write_all(&self.crc.finalize().to_le_bytes())?;
        self.out.write_all(&self.length.to_le_bytes())?;
        Ok(self.out)
    }

    /// Sends the filled block to be deflated, and puts an empty one in its place.
    fn hand_out(&mut self) -> io::Result<()> {
        self.crc.update(self.filling.content());
        let Some(deflaters) = self.deflaters.clone() else {
            self.filling.deflate(self.level)?;
            self.out.write_all(self.filling.deflated())?;
            self.filling.clear();
            return Ok(());
        };
        if deflaters.are_busy() {
            self.collect()?;
        }
        let block = std::mem::replace(&mut self.filling, deflaters.empty());
        self.pending.push_back(deflaters.hand_out(block, self.level)?);
        Ok(())
    }

    /// Waits for the oldest block and writes it.
    fn collect(&mut self) -> io::Result<()> {
        let Some(oldest) = self.pending.pop_front() else { return Ok(()) };
        let block = oldest.fetch()?;
        self.out.write_all(block.deflated())?;
        if let Some(deflaters) = &self.deflaters {
            deflaters.recycle(block);
        }
        Ok(())
    }
}

impl<W: Write> Write for GzipEncoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // A full block waits for more, because the last one is deflated differently.
        if self.filling.is_full() && !data.is_empty() {
            self.hand_out()?;
        }
        let taken = self.filling.fill(data);
        self.length = self.length.wrapping_add(taken as u32);
        Ok(taken)
    }

    /// Flushes the output only: an early end of a block would change what is written.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The header that Go's compress/gzip writes, and so docker and BuildKit: no time, no name, unknown system.
fn header(level: u32) -> [u8; 10] {
    let extra_flags = match level {
        1 => 4,
        9 => 2,
        _ => 0,
    };
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra_flags, 255]
}
