//! The bits of a stream, the lowest of each byte first (RFC 1951, 3.1.1).

use super::Fault;

/// Bytes that a round of the decoder must see ahead: it refills twice, the second time at most seven bytes on.
pub(super) const AHEAD: usize = 16;

/// A place in a stream.
///
/// Bits of `word` at and above `count` are zero or those that the stream has there, so that adding them once more changes
/// nothing.
#[derive(Clone, Copy)]
pub(in crate::codec) struct Bits<'a> {
    stream: &'a [u8],
    /// What follows the bits that count.
    rest: &'a [u8],
    /// The next bits, the first one lowest.
    word: u64,
    /// How many of them count, 63 at most.
    count: u32,
}

impl<'a> Bits<'a> {
    pub(in crate::codec) fn new(stream: &'a [u8]) -> Bits<'a> {
        Bits { stream, rest: stream, word: 0, count: 0 }
    }

    /// Bytes of the stream that were begun.
    pub(super) fn read(&self) -> usize {
        let ahead = self.rest.len().saturating_add(self.count as usize / 8);
        self.stream.len().saturating_sub(ahead)
    }

    /// Whether the place is between two bytes.
    pub(in crate::codec) fn is_aligned(&self) -> bool {
        self.count.is_multiple_of(8)
    }

    /// The next bits, 56 of them after a refill; zeros after the end of the stream.
    #[inline(always)]
    pub(super) fn peek(&self) -> u64 {
        self.word
    }

    /// Adds whole bytes from those that come next; how many.
    #[inline(always)]
    fn add(&mut self, next: &[u8; 8]) -> usize {
        self.word |= u64::from_le_bytes(*next) << (self.count & 63);
        let taken = (self.count & 63 ^ 63) >> 3;
        self.count |= 56;
        taken as usize
    }

    /// Makes it 56 bits at least, or all that are left.
    pub(super) fn fill(&mut self) {
        if let Some(next) = self.rest.first_chunk() {
            let used = self.add(next);
            self.advance(used);
            return;
        }
        while let (true, Some((byte, rest))) = (self.count < 56, self.rest.split_first()) {
            self.word |= u64::from(*byte) << self.count;
            self.count = self.count.wrapping_add(8);
            self.rest = rest;
        }
    }

    /// What follows the bits that count, for [`refill`](Bits::refill); `None` close to the end.
    #[inline(always)]
    pub(super) fn ahead(&self) -> Option<&'a [u8; AHEAD]> {
        self.rest.first_chunk()
    }

    /// Makes it 56 bits at least. `used` counts the bytes of `ahead` that were taken, which is less than eight before.
    #[inline(always)]
    pub(super) fn refill(&mut self, ahead: &[u8; AHEAD], used: &mut usize) {
        if let Some(next) = ahead.get(*used & 7..).and_then(<[u8]>::first_chunk) {
            *used = used.wrapping_add(self.add(next));
        }
    }

    /// Moves on by the bytes that refills took.
    #[inline(always)]
    pub(super) fn advance(&mut self, used: usize) {
        self.rest = self.rest.get(used & (AHEAD - 1)..).unwrap_or_default();
    }

    /// Drops bits that are there.
    #[inline(always)]
    pub(super) fn drop(&mut self, count: u32) {
        self.word >>= count & 63;
        self.count = self.count.wrapping_sub(count);
    }

    /// An error where so many bits are not there.
    pub(super) fn need(&self, count: u32) -> Result<(), Fault> {
        if count > self.count { Err(Fault::Truncated) } else { Ok(()) }
    }

    /// Takes a number of at most 16 bits.
    pub(super) fn take(&mut self, count: u32) -> Result<u16, Fault> {
        if self.count < count {
            self.fill();
        }
        let number = self.word & !(u64::MAX << count);
        self.need(count)?;
        self.drop(count);
        Ok(number as u16)
    }

    /// Takes the whole bytes that come next, as many as are left and at most `most`.
    pub(in crate::codec) fn take_bytes(&mut self, most: usize) -> &'a [u8] {
        let rest = self.stream.get(self.read()..).unwrap_or_default();
        let (bytes, rest) = rest.split_at_checked(most).unwrap_or((rest, &[]));
        (self.rest, self.word, self.count) = (rest, 0, 0);
        bytes
    }
}
