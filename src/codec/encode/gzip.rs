//! Deterministic gzip: one member of independent 1 MiB blocks, each deflated by a fresh state in one call.
//!
//! What deflate writes depends on how its input is cut and on the room it is given, and on a reused state also on
//! what that held before. Here all three are constant, so the content alone decides, and blocks can be deflated
//! side by side. Each block but the last ends in a sync flush, which brings it to a whole byte.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use zlib_rs::{Deflate, DeflateFlush, Status};

use super::crew::{Crew, Deflaters, Pending};

/// Names what decides the bytes. The version is that of the zlib-rs crate, which Cargo.toml pins.
pub(super) fn id() -> String {
    "gzip/zlib-rs-0.6.8/blocks-1MiB".to_owned()
}

/// Input bytes of a block.
pub(in crate::codec) const BLOCK: usize = 1 << 20;
/// Room for a deflated block: more than deflate ever makes of one, so that it never stops for want of room.
const ROOM: usize = BLOCK + BLOCK / 4;
/// The window that RFC 1951 allows, as a power of two.
const WINDOW_BITS: u8 = 15;

/// A block on its way: what is in it, and what became of it.
pub(super) struct Block {
    content: Vec<u8>,
    last: bool,
    room: Vec<u8>,
    deflated: usize,
}

impl Block {
    pub(super) fn new() -> Block {
        Block { content: Vec::with_capacity(BLOCK), last: false, room: vec![0; ROOM], deflated: 0 }
    }

    /// Empties it, to be filled anew.
    pub(super) fn clear(&mut self) {
        self.content.clear();
        self.last = false;
    }

    pub(super) fn deflate(&mut self, level: u32) -> io::Result<()> {
        let flush = if self.last { DeflateFlush::Finish } else { DeflateFlush::SyncFlush };
        let wanted = if self.last { Status::StreamEnd } else { Status::Ok };
        let mut state = Deflate::new(i32::try_from(level).unwrap_or(i32::MAX), false, WINDOW_BITS);
        let status = state.compress(&self.content, &mut self.room, flush);
        let taken = usize::try_from(state.total_in()).is_ok_and(|taken| taken == self.content.len());
        if status != Ok(wanted) || !taken {
            return Err(io::Error::other("deflate did not take a block in one call"));
        }
        self.deflated = usize::try_from(state.total_out()).unwrap_or(0);
        Ok(())
    }
}

/// What [`GzipEncoder`] writes behind its header for content that starts with `head`: the first block if that is
/// longer than one, else all.
pub(in crate::codec) fn deflate_head(level: u32, head: &[u8]) -> Option<Vec<u8>> {
    let mut block = Block::new();
    block.content.extend_from_slice(head.get(..BLOCK).unwrap_or(head));
    block.last = head.len() <= BLOCK;
    block.deflate(level).ok()?;
    block.room.truncate(block.deflated);
    Some(block.room)
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
        self.filling.last = true;
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
        self.crc.update(&self.filling.content);
        let Some(deflaters) = self.deflaters.clone() else {
            self.filling.deflate(self.level)?;
            write_block(&mut self.out, &self.filling)?;
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
        write_block(&mut self.out, &block)?;
        if let Some(deflaters) = &self.deflaters {
            deflaters.recycle(block);
        }
        Ok(())
    }
}

impl<W: Write> Write for GzipEncoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // A full block waits for more, because the last one is deflated differently.
        if self.filling.content.len() == BLOCK && !data.is_empty() {
            self.hand_out()?;
        }
        let room = BLOCK.saturating_sub(self.filling.content.len());
        let taken = data.get(..room).unwrap_or(data);
        self.filling.content.extend_from_slice(taken);
        self.length = self.length.wrapping_add(taken.len() as u32);
        Ok(taken.len())
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

fn write_block(out: &mut impl Write, block: &Block) -> io::Result<()> {
    out.write_all(block.room.get(..block.deflated).unwrap_or_default())
}
