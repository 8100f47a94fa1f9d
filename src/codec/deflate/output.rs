//! Where inflated bytes go: a buffer of the caller's, and behind it what earlier buffers had.

use super::Fault;

/// How far back a distance reaches (RFC 1951, 3.2.5).
const REACH: usize = 32 << 10;

/// The last bytes that were written to earlier buffers.
pub(super) struct Past {
    /// The newest at the end.
    bytes: Box<[u8; REACH]>,
    /// How many there are.
    known: usize,
}

impl Past {
    pub(super) fn new() -> Past {
        Past { bytes: Box::new([0; REACH]), known: 0 }
    }

    pub(super) fn forget(&mut self) {
        self.known = 0;
    }

    /// Adds what was written to a buffer.
    pub(super) fn remember(&mut self, written: &[u8]) {
        let newest = written.get(written.len().saturating_sub(REACH)..).unwrap_or_default();
        self.bytes.copy_within(newest.len().., 0);
        if let Some(place) = self.bytes.get_mut(REACH.saturating_sub(newest.len())..) {
            place.copy_from_slice(newest);
        }
        self.known = self.known.saturating_add(newest.len()).min(REACH);
    }

    /// Writes to `buffer` from `at` on what stood `distance` bytes back, `length` bytes or as many as there is room for;
    /// where it ends.
    pub(super) fn copy(
        &self,
        buffer: &mut [u8],
        mut at: usize,
        length: usize,
        distance: usize,
    ) -> Result<usize, Fault> {
        let end = at.saturating_add(length).min(buffer.len());
        if let Some(back) = distance.checked_sub(at).filter(|back| *back > 0) {
            let start = self.known.checked_sub(back).and_then(|_| REACH.checked_sub(back));
            let start = start.ok_or(Fault::Corrupt("a distance too far back"))?;
            let count = back.min(end.saturating_sub(at));
            let past = self.bytes.get(start..).and_then(|past| past.get(..count)).unwrap_or_default();
            if let Some(place) = buffer.get_mut(at..at.saturating_add(count)) {
                place.copy_from_slice(past);
            }
            at = at.saturating_add(count);
        }
        // Each run is at most as long as what it repeats, and never overlaps it.
        while let (true, Some(start)) = (at < end, at.checked_sub(distance)) {
            let run = distance.min(end.saturating_sub(at));
            buffer.copy_within(start..start.saturating_add(run), at);
            at = at.saturating_add(run);
        }
        Ok(at)
    }
}

/// A buffer that is being filled.
pub(super) struct Output<'o> {
    pub(super) buffer: &'o mut [u8],
    /// How much of it is filled.
    pub(super) at: usize,
    pub(super) past: &'o Past,
}

impl Output<'_> {
    pub(super) fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.at)
    }

    /// Writes as many of these bytes as there is room for.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for (slot, byte) in self.buffer.iter_mut().skip(self.at).zip(bytes) {
            *slot = *byte;
        }
        self.at = self.at.saturating_add(bytes.len()).min(self.buffer.len());
    }

    /// Writes what stood `distance` bytes back, `length` bytes or as many as there is room for; how many are left.
    pub(super) fn copy(&mut self, length: usize, distance: usize) -> Result<usize, Fault> {
        let end = self.past.copy(self.buffer, self.at, length, distance)?;
        let left = length.saturating_sub(end.saturating_sub(self.at));
        self.at = end;
        Ok(left)
    }
}
