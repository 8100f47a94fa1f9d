//! Huffman codes (RFC 1951, 3.2.2), as tables that the next bits of a stream are looked up in.

use super::{Bits, Fault};

/// Longest code, in bits.
const LONGEST: usize = 15;

/// What some bits stand for, in one word, since inflating is little else than looking these up:
///
/// | bits | |
/// |---|---|
/// | 0 to 7 | length of the code and its extra bits |
/// | 8 to 11 | length of the code alone; of the index into a second table |
/// | 13 | the end of the block |
/// | 14 | codes longer than the table has bits go on in a second one |
/// | 15 | neither a literal nor a number: one of the two above, or nothing |
/// | 16 to 30 | a literal; what is added to the extra bits; where the second table starts |
/// | 31 | a literal |
#[derive(Clone, Copy)]
pub(super) struct Entry(u32);

impl Entry {
    const END: Entry = Entry(ODD | END);
    const NOTHING: Entry = Entry(ODD);

    const fn literal(byte: u8) -> Entry {
        Entry(LITERAL | (byte as u32) << 16)
    }

    const fn number(base: u16, extra: u8) -> Entry {
        Entry((base as u32) << 16 | extra as u32)
    }

    fn second(start: usize, index_bits: u32, bits: u32) -> Entry {
        Entry(ODD | SECOND | (start as u32) << 16 | index_bits << 8 | bits)
    }

    /// The same behind a code of so many bits.
    fn behind(self, code: u32) -> Entry {
        Entry((self.0 | code << 8).wrapping_add(code))
    }

    #[inline(always)]
    pub(super) fn is_literal(self) -> bool {
        self.0 & LITERAL != 0
    }

    /// Whether this is neither a literal nor a number.
    #[inline(always)]
    pub(super) fn is_odd(self) -> bool {
        self.0 & ODD != 0
    }

    #[inline(always)]
    pub(super) fn is_second(self) -> bool {
        self.0 & SECOND != 0
    }

    #[inline(always)]
    pub(super) fn is_end(self) -> bool {
        self.0 & END != 0
    }

    /// Bits of the code and its extra bits.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        self.0 & 0xff
    }

    /// The literal.
    #[inline(always)]
    pub(super) fn byte(self) -> u8 {
        (self.0 >> 16) as u8
    }

    #[inline(always)]
    fn base(self) -> usize {
        (self.0 >> 16 & 0x7fff) as usize
    }

    #[inline(always)]
    fn code_bits(self) -> u32 {
        self.0 >> 8 & 15
    }

    /// The number, where `bits` are those from the start of the code.
    #[inline(always)]
    pub(super) fn value(self, bits: u64) -> usize {
        let extra = (bits & !(u64::MAX << (self.0 & 63))) >> self.code_bits();
        self.base().wrapping_add(extra as usize)
    }
}

const LITERAL: u32 = 1 << 31;
const ODD: u32 = 1 << 15;
const SECOND: u32 = 1 << 14;
const END: u32 = 1 << 13;

/// What the symbols of an alphabet stand for.
type Alphabet<const SYMBOLS: usize> = [Entry; SYMBOLS];

/// Literals, the end of a block, and lengths of matches (RFC 1951, 3.2.5).
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(super) const LITERALS: Alphabet<288> = {
    let mut alphabet = [Entry::NOTHING; 288];
    let mut byte = 0;
    while byte < 256 {
        alphabet[byte] = Entry::literal(byte as u8);
        byte += 1;
    }
    alphabet[256] = Entry::END;
    let (mut base, mut code) = (3, 0);
    while code < 28 {
        let extra = if code < 8 { 0 } else { code as u8 / 4 - 1 };
        alphabet[257 + code] = Entry::number(base, extra);
        base += 1 << extra;
        code += 1;
    }
    alphabet[285] = Entry::number(258, 0);
    alphabet
};

/// Distances (RFC 1951, 3.2.5).
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(super) const DISTANCES: Alphabet<32> = {
    let mut alphabet = [Entry::NOTHING; 32];
    let (mut base, mut code) = (1u32, 0);
    while code < 30 {
        let extra = if code < 4 { 0 } else { code as u8 / 2 - 1 };
        alphabet[code] = Entry::number(base as u16, extra);
        base += 1 << extra;
        code += 1;
    }
    alphabet
};

/// Lengths of codes, and their repetitions (RFC 1951, 3.2.7), as their own numbers.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(super) const LENGTHS: Alphabet<19> = {
    let mut alphabet = [Entry::NOTHING; 19];
    let mut symbol = 0;
    while symbol < 19 {
        alphabet[symbol] = Entry::number(symbol as u16, 0);
        symbol += 1;
    }
    alphabet
};

/// A code whose first `BITS` bits are looked up at once, and the rest of longer codes in second tables behind. `SIZE` is
/// a power of two with room for all of them.
pub(super) struct Table<const BITS: u32, const SIZE: usize> {
    entries: [Entry; SIZE],
}

impl<const BITS: u32, const SIZE: usize> Table<BITS, SIZE> {
    const LAST: usize = SIZE - 1;

    pub(super) fn new() -> Self {
        const { assert!(SIZE.is_power_of_two() && SIZE > 1 << BITS) }
        Table { entries: [Entry::NOTHING; SIZE] }
    }

    /// Makes it the code in which each symbol's code has the length that is given, 0 for none. `None` if there is no
    /// such code, or if bits are left that mean nothing; a code of one symbol or none may leave some, as zlib and Go's
    /// reader have it.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "lengths are 15 at most; symbols and codes are counted, and no more of them than fit"
    )]
    pub(super) fn build(&mut self, lengths: &[u8], alphabet: &[Entry]) -> Option<()> {
        let mut counts = [0_usize; LONGEST + 1];
        for length in lengths {
            *counts.get_mut(usize::from(*length))? += 1;
        }
        counts[0] = 0;
        // Where in a list by length the symbols of each begin; whether more codes are asked for than there are.
        let mut starts = [0; LONGEST + 1];
        let (mut start, mut left) = (0, 1_usize);
        for (begin, count) in starts.iter_mut().zip(counts) {
            *begin = start;
            start += count;
            left = (left << 1).checked_sub(count << 1)?;
        }
        let longest = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        if left > 0 {
            if longest > 1 {
                return None;
            }
            self.entries.get_mut(..2)?.fill(Entry::NOTHING.behind(1));
        }
        let mut sorted = [Entry::NOTHING; 288];
        for (length, meaning) in lengths.iter().zip(alphabet).filter(|(length, _)| **length > 0) {
            let place = starts.get_mut(usize::from(*length))?;
            *sorted.get_mut(*place)? = *meaning;
            *place += 1;
        }

        let mut symbols = sorted.iter();
        let mut code = 0_u32;
        let index = |code: u32, length| (code.reverse_bits() >> (32 - length)) as usize;
        for (length, count) in (1..=BITS).zip(counts.into_iter().skip(1)) {
            // What stands in the table repeats behind each further bit.
            if length > 1 {
                self.entries.copy_within(..1 << (length - 1), 1 << (length - 1));
            }
            code <<= 1;
            for meaning in symbols.by_ref().take(count) {
                *self.entries.get_mut(index(code, length))? = meaning.behind(length);
                code += 1;
            }
        }
        let (first, index_bits) = (code, (longest as u32).saturating_sub(BITS));
        for (rest, count) in (1..).zip(counts.into_iter().skip(BITS as usize + 1)) {
            code <<= 1;
            for meaning in symbols.by_ref().take(count) {
                let prefix = code >> rest;
                let start = (1 << BITS) + ((prefix - first) << index_bits) as usize;
                *self.entries.get_mut(index(prefix, BITS))? = Entry::second(start, index_bits, BITS);
                let table = self.entries.get_mut(start..)?.get_mut(..1 << index_bits)?;
                let slots = table.get_mut(index(code & !(u32::MAX << rest), rest)..)?;
                slots.iter_mut().step_by(1 << rest).for_each(|slot| *slot = meaning.behind(rest));
                code += 1;
            }
        }
        Some(())
    }

    /// What the next bits stand for.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "the table has more entries than the mask can give")]
    pub(super) fn entry(&self, bits: u64) -> Entry {
        self.entries[(bits & !(u64::MAX << BITS)) as usize]
    }

    /// What the next bits stand for where `entry` leads to a second table; drops those that led there.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "the mask is the table's last index")]
    pub(super) fn second(&self, entry: Entry, bits: &mut Bits<'_>) -> Entry {
        bits.drop(BITS);
        let index = (bits.peek() & !(u64::MAX << entry.code_bits())) as usize;
        self.entries[entry.base().wrapping_add(index) & Self::LAST]
    }

    /// Takes one symbol: what it stands for, and the number if it is one.
    pub(super) fn take(&self, bits: &mut Bits<'_>) -> Result<(Entry, usize), Fault> {
        bits.fill();
        let mut entry = self.entry(bits.peek());
        if entry.is_second() {
            bits.need(BITS)?;
            entry = self.second(entry, bits);
        }
        let number = entry.value(bits.peek());
        bits.need(entry.bits())?;
        bits.drop(entry.bits());
        Ok((entry, number))
    }
}
