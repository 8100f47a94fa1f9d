//! The block structure of a deflate stream (RFC 1951), without its content.
//!
//! Every deflate encoder has habits: after how many symbols it ends a block, how it brings a block to a whole
//! byte, how it ends the stream. This walk sees them at the cost of decoding the symbols and keeping none.

use crate::codec::deflate::{Bits, Codes, Header, Kind, Symbol};

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// BFINAL.
    pub(super) last: bool,
    /// Literals and matches, the end-of-block symbol not counted; none in a stored block.
    pub(super) symbols: u64,
    /// Bytes of content; none in the blocks that flushes leave.
    pub(super) decoded: u64,
    /// Where the content ends in the decoded stream.
    pub(super) decoded_end: u64,
    /// Whether the block ends with a whole byte of the compressed stream.
    pub(super) aligned: bool,
}

/// The blocks of the raw deflate stream at the start of a slice, up to its last block, the end of the slice or the
/// first thing that makes no sense. Only whole blocks are given.
pub(super) struct Blocks<'a> {
    bits: Bits<'a>,
    codes: Box<Codes>,
    decoded: u64,
    ended: bool,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(stream: &'a [u8]) -> Blocks<'a> {
        Blocks { bits: Bits::new(stream), codes: Box::new(Codes::new()), decoded: 0, ended: false }
    }

    fn block(&mut self) -> Option<Block> {
        let start = self.decoded;
        let Header { last, kind, stored } = self.codes.read(&mut self.bits).ok()?;
        let symbols = match kind {
            Kind::Stored => {
                let is_whole = self.bits.take_bytes(stored).len() == stored;
                self.produce(stored);
                is_whole.then_some(0)?
            }
            Kind::Fixed | Kind::Dynamic => self.symbols(kind)?,
        };
        let (decoded, aligned) = (self.decoded.saturating_sub(start), self.bits.is_aligned());
        Some(Block { kind, last, symbols, decoded, decoded_end: self.decoded, aligned })
    }

    fn symbols(&mut self, kind: Kind) -> Option<u64> {
        let mut symbols = 0_u64;
        loop {
            match self.codes.of(kind).symbol(&mut self.bits).ok()? {
                Symbol::Literal(_) => self.produce(1),
                Symbol::Match { length, .. } => self.produce(length),
                Symbol::End => return Some(symbols),
            }
            symbols = symbols.saturating_add(1);
        }
    }

    /// Counts bytes of content.
    fn produce(&mut self, count: usize) {
        self.decoded = self.decoded.saturating_add(count as u64);
    }
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        if self.ended {
            return None;
        }
        let block = self.block();
        self.ended = block.is_none_or(|block| block.last);
        block
    }
}
