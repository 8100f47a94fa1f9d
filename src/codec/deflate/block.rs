//! Blocks: their headers and the codes that these define (RFC 1951, 3.2.3 to 3.2.7).

use std::sync::LazyLock;

use super::{Bits, Fault, code};

/// How a block is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum Kind {
    Stored,
    Fixed,
    Dynamic,
}

/// What a block starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) struct Header {
    /// BFINAL.
    pub(in crate::codec) last: bool,
    pub(in crate::codec) kind: Kind,
    /// Bytes of a stored block.
    pub(in crate::codec) stored: usize,
}

/// What a coded block is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum Symbol {
    Literal(u8),
    /// So many bytes, from so far back.
    Match {
        length: usize,
        distance: usize,
    },
    End,
}

/// Bits that stand for no literal and no length.
pub(super) const NO_CODE: Fault = Fault::Corrupt("bits that are no code");
/// Bits that stand for no distance.
pub(super) const NO_DISTANCE: Fault = Fault::Corrupt("bits that are no code of a distance");

/// The two codes of a coded block. Eleven and eight bits hold nearly all codes that occur, and tables that fit into the
/// first cache.
pub(in crate::codec) struct Codes {
    pub(super) literals: code::Table<11, 8192>,
    pub(super) distances: code::Table<8, 4096>,
}

/// The codes that RFC 1951 fixes (3.2.6).
static FIXED: LazyLock<Codes> = LazyLock::new(|| {
    let mut lengths = [8; 288];
    for (length, symbols) in [(9, 144..256), (7, 256..280)] {
        lengths.iter_mut().take(symbols.end).skip(symbols.start).for_each(|of| *of = length);
    }
    let mut codes = Codes::new();
    codes.build(&lengths, &[5; 32]).unwrap_or_default();
    codes
});

impl Codes {
    pub(in crate::codec) fn new() -> Codes {
        Codes { literals: code::Table::new(), distances: code::Table::new() }
    }

    /// The codes of a block of this kind, where `self` has those that were read last.
    #[inline]
    pub(in crate::codec) fn of(&self, kind: Kind) -> &Codes {
        if kind == Kind::Fixed { &FIXED } else { self }
    }

    /// Reads a block's header, and its codes if it has any.
    pub(in crate::codec) fn read(&mut self, bits: &mut Bits<'_>) -> Result<Header, Fault> {
        let last = bits.take(1)? == 1;
        let (kind, stored) = match bits.take(2)? {
            0 => (Kind::Stored, stored(bits)?),
            1 => (Kind::Fixed, 0),
            2 => {
                self.dynamic(bits)?;
                (Kind::Dynamic, 0)
            }
            _ => return Err(Fault::Corrupt("a block of the type that is reserved")),
        };
        Ok(Header { last, kind, stored })
    }

    /// Takes a symbol of a coded block.
    pub(in crate::codec) fn symbol(&self, bits: &mut Bits<'_>) -> Result<Symbol, Fault> {
        let (entry, length) = self.literals.take(bits)?;
        if entry.is_literal() {
            return Ok(Symbol::Literal(entry.byte()));
        }
        if entry.is_odd() {
            return if entry.is_end() { Ok(Symbol::End) } else { Err(NO_CODE) };
        }
        match self.distances.take(bits)? {
            (entry, _) if entry.is_odd() => Err(NO_DISTANCE),
            (_, distance) => Ok(Symbol::Match { length, distance }),
        }
    }

    fn dynamic(&mut self, bits: &mut Bits<'_>) -> Result<(), Fault> {
        let mut count = |width, least| bits.take(width).map(|more| usize::from(more).saturating_add(least));
        let (literals, distances, sent) = (count(5, 257)?, count(5, 1)?, count(4, 4)?);
        if literals > 286 || distances > 30 {
            return Err(Fault::Corrupt("codes for more lengths or distances than there are"));
        }
        let mut lengths = [0; 19];
        for symbol in LENGTH_ORDER.into_iter().take(sent) {
            if let Some(length) = lengths.get_mut(symbol) {
                *length = bits.take(3)? as u8;
            }
        }
        let mut code = code::Table::<7, 256>::new();
        code.build(&lengths, &code::LENGTHS).ok_or(Fault::Corrupt("lengths of codes that make no code"))?;

        let mut lengths = [0; 286 + 30];
        let mut rest = lengths.get_mut(..literals.saturating_add(distances)).unwrap_or_default();
        let mut before = None;
        while !rest.is_empty() {
            let (entry, symbol) = code.take(bits)?;
            if entry.is_odd() {
                return Err(NO_CODE);
            }
            let (length, least, more) = match symbol {
                ..16 => (symbol as u8, 1, 0),
                16 => (before.ok_or(Fault::Corrupt("a repetition of nothing"))?, 3, 2),
                17 => (0, 3, 3),
                _ => (0, 11, 7),
            };
            let count = bits.take(more)?.saturating_add(least);
            let (these, others) = std::mem::take(&mut rest)
                .split_at_mut_checked(count.into())
                .ok_or(Fault::Corrupt("a repetition beyond the last code"))?;
            these.fill(length);
            (rest, before) = (others, Some(length));
        }
        let (literals, rest) = lengths.split_at(literals);
        self.build(literals, rest.get(..distances).unwrap_or_default())
    }

    fn build(&mut self, literals: &[u8], distances: &[u8]) -> Result<(), Fault> {
        if literals.get(256).is_none_or(|length| *length == 0) {
            return Err(Fault::Corrupt("no code for the end of the block"));
        }
        let is_code = self.literals.build(literals, &code::LITERALS);
        is_code.ok_or(Fault::Corrupt("literals and lengths whose codes make no code"))?;
        let is_code = self.distances.build(distances, &code::DISTANCES);
        is_code.ok_or(Fault::Corrupt("distances whose codes make no code"))
    }
}

/// The order in which the lengths of the code length code are sent (RFC 1951, 3.2.7).
const LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Reads the length of a stored block (RFC 1951, 3.2.4).
fn stored(bits: &mut Bits<'_>) -> Result<usize, Fault> {
    let &[l0, l1, n0, n1] = bits.take_bytes(4) else { return Err(Fault::Truncated) };
    let length = u16::from_le_bytes([l0, l1]);
    if length != !u16::from_le_bytes([n0, n1]) {
        return Err(Fault::Corrupt("a stored block whose length is not that of its check"));
    }
    Ok(length.into())
}
