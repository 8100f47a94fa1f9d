//! One block of content, deflated by a fresh state in one call.
//!
//! What deflate writes depends on how its input is cut and on the room it is given, and on a reused state also on
//! what that held before. Here all three are constant, so the content alone decides, and blocks can be deflated
//! side by side. Each block but the last ends in a sync flush, which brings it to a whole byte.

use std::io;

use zlib_rs::{Deflate, DeflateFlush, Status};

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

    /// Takes as much of `data` as it has room for, and tells how much.
    pub(super) fn fill(&mut self, data: &[u8]) -> usize {
        let taken = data.get(..BLOCK.saturating_sub(self.content.len())).unwrap_or(data);
        self.content.extend_from_slice(taken);
        taken.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.content.len() == BLOCK
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Says that it is the stream's last.
    pub(super) fn end(&mut self) {
        self.last = true;
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

    /// What it was deflated to.
    pub(super) fn deflated(&self) -> &[u8] {
        self.room.get(..self.deflated).unwrap_or_default()
    }
}

/// The deflated beginning of content that starts with `head`: the first block if that is longer than one, else all.
pub(in crate::codec) fn deflate_head(level: u32, head: &[u8]) -> Option<Vec<u8>> {
    let mut block = Block::new();
    if block.fill(head) == head.len() {
        block.end();
    }
    block.deflate(level).ok()?;
    Some(block.deflated().to_vec())
}
