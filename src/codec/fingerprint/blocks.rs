//! The block structure of a deflate stream (RFC 1951), without its content.
//!
//! Every deflate encoder has habits: after how many symbols it ends a block, how it brings a block to a whole
//! byte, how it ends the stream. This walk sees them at the cost of decoding the symbols and keeping none.

use std::sync::LazyLock;

/// How a block is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stored,
    Fixed,
    Dynamic,
}

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
    decoded: u64,
    ended: bool,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(stream: &'a [u8]) -> Blocks<'a> {
        Blocks { bits: Bits { stream, at: 0 }, decoded: 0, ended: false }
    }

    fn block(&mut self) -> Option<Block> {
        let start = self.decoded;
        let last = self.bits.take(1)? == 1;
        let (kind, symbols) = match self.bits.take(2)? {
            0 => (Kind::Stored, self.stored()?),
            1 => (Kind::Fixed, self.coded(&FIXED)?),
            2 => {
                let codes = dynamic_codes(&mut self.bits)?;
                (Kind::Dynamic, self.coded(&codes)?)
            }
            _ => return None,
        };
        let (decoded, aligned) = (self.decoded.saturating_sub(start), self.bits.at.is_multiple_of(8));
        Some(Block { kind, last, symbols, decoded, decoded_end: self.decoded, aligned })
    }

    fn stored(&mut self) -> Option<u64> {
        self.bits.at = self.bits.at.next_multiple_of(8);
        let length = self.bits.take(16)?;
        if self.bits.take(16)? != length ^ 0xffff {
            return None;
        }
        self.bits.at = self.bits.at.saturating_add(u64::from(length) << 3);
        self.produce(length);
        (self.bits.at <= self.bits.len()).then_some(0)
    }

    fn coded(&mut self, (lengths, distances): &(Code, Code)) -> Option<u64> {
        let mut symbols = 0_u64;
        loop {
            let symbol = lengths.decode(&mut self.bits)?;
            match symbol {
                0..256 => self.produce(1),
                256 => return Some(symbols),
                _ => {
                    let (base, extra) = *LENGTHS.get(usize::from(symbol.checked_sub(257)?))?;
                    let more = self.bits.take(extra.into())?;
                    self.produce(u32::from(base).saturating_add(more));
                    let distance = distances.decode(&mut self.bits)?;
                    self.bits.take(u32::from(distance >> 1).saturating_sub(1))?;
                }
            }
            symbols = symbols.saturating_add(1);
        }
    }

    /// Counts bytes of content.
    fn produce(&mut self, count: u32) {
        self.decoded = self.decoded.saturating_add(count.into());
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

/// Base and extra bits of the length codes 257 and up (RFC 1951, 3.2.5).
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const LENGTHS: [(u16, u8); 29] = {
    let mut table = [(0, 0); 29];
    let (mut base, mut code) = (3, 0);
    while code < 28 {
        let extra = if code < 8 { 0 } else { code as u8 / 4 - 1 };
        table[code] = (base, extra);
        base += 1 << extra;
        code += 1;
    }
    table[28] = (258, 0);
    table
};

/// The order in which the lengths of the code length code are sent (RFC 1951, 3.2.7).
const LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Bits of the stream, the lowest of each byte first.
struct Bits<'a> {
    stream: &'a [u8],
    at: u64,
}

impl Bits<'_> {
    fn len(&self) -> u64 {
        (self.stream.len() as u64).saturating_mul(8)
    }

    /// The next 16 bits, zeros after the end.
    fn peek(&self) -> u32 {
        let start = usize::try_from(self.at / 8).unwrap_or(usize::MAX);
        let rest = self.stream.get(start..).unwrap_or_default();
        let bytes = match rest {
            [a, b, c, ..] => [*a, *b, *c, 0],
            [a, b] => [*a, *b, 0, 0],
            [a] => [*a, 0, 0, 0],
            [] => [0; 4],
        };
        u32::from_le_bytes(bytes) >> (self.at % 8) & 0xffff
    }

    /// Moves on by `count` bits; `None` when that is past the end.
    fn skip(&mut self, count: u32) -> Option<()> {
        self.at = self.at.saturating_add(count.into());
        (self.at <= self.len()).then_some(())
    }

    /// Takes a number of at most 16 bits.
    fn take(&mut self, count: u32) -> Option<u32> {
        let number = self.peek() & !(u32::MAX << count);
        self.skip(count)?;
        Some(number)
    }
}

/// Longest code of deflate, in bits.
const LONGEST: usize = 15;

/// A canonical Huffman code (RFC 1951, 3.2.2), decoded by its counts for each length.
struct Code {
    counts: [u16; LONGEST + 1],
    /// The symbols in the order of their codes.
    symbols: Vec<u16>,
}

impl Code {
    fn new(lengths: &[u8]) -> Code {
        let mut counts = [0; LONGEST + 1];
        let mut symbols = Vec::with_capacity(lengths.len());
        for (length, count) in (0..).zip(&mut counts).skip(1) {
            symbols.extend((0u16..).zip(lengths).filter(|(_, of)| **of == length).map(|(symbol, _)| symbol));
            *count = lengths.iter().filter(|of| **of == length).count() as u16;
        }
        Code { counts, symbols }
    }

    fn decode(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let mut window = bits.peek();
        let (mut code, mut first, mut index) = (0u32, 0u32, 0u32);
        for (length, count) in (0u32..).zip(&self.counts).skip(1) {
            code |= window & 1;
            window >>= 1;
            let count = u32::from(*count);
            let end = first.saturating_add(count);
            if code < end {
                bits.skip(length)?;
                let position = code.checked_sub(first)?.saturating_add(index);
                return self.symbols.get(usize::try_from(position).ok()?).copied();
            }
            index = index.saturating_add(count);
            first = end << 1;
            code <<= 1;
        }
        None
    }
}

/// The codes that RFC 1951 fixes (3.2.6): lengths and distances.
static FIXED: LazyLock<(Code, Code)> = LazyLock::new(|| {
    let lengths: Vec<u8> = [(144, 8), (112, 9), (24, 7), (8, 8)]
        .into_iter()
        .flat_map(|(count, length)| std::iter::repeat_n(length, count))
        .collect();
    (Code::new(&lengths), Code::new(&[5; 30]))
});

fn dynamic_codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let mut number = |count, least| bits.take(count).map(|number| (number as usize).saturating_add(least));
    let literals = number(5, 257)?;
    let both = number(5, 1)?.saturating_add(literals);
    let sent = number(4, 4)?;
    let mut lengths = [0; 19];
    for symbol in LENGTH_ORDER.into_iter().take(sent) {
        *lengths.get_mut(symbol)? = bits.take(3)? as u8;
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::with_capacity(both);
    while lengths.len() < both {
        let (length, least, more) = match code.decode(bits)? {
            length @ 0..16 => (length as u8, 1, 0),
            16 => (*lengths.last()?, 3, 2),
            17 => (0, 3, 3),
            _ => (0, 11, 7),
        };
        let count = (bits.take(more)? as usize).saturating_add(least);
        lengths.extend(std::iter::repeat_n(length, count));
    }
    let (literals, distances) = lengths.split_at_checked(literals)?;
    Some((Code::new(literals), Code::new(distances)))
}
