//! Maps of sparse files: old GNU header blocks, PAX formats 0.0 and 0.1 (in records) and 1.0 (in the body).
//!
//! Knows how maps are written and which are valid. Must not know how blocks arrive.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::BLOCK;
use super::anomaly::{AnomalyKind, Fault};
use super::header::number;
use super::member::Member;
use super::pax::{SPARSE_COUNT, SPARSE_MAP, parse_int};

/// Most bytes that a map may take, in whichever format: Go's limit.
const MAX_MAP: usize = 1 << 20;

/// Bytes of an entry in an old GNU header: offset and length, twelve each.
const GNU_ENTRY: usize = 24;

/// Offset and length of each data segment, not yet validated.
pub(super) type Segments = Vec<(i64, i64)>;

fn broken(why: &str) -> Fault {
    Fault::new(AnomalyKind::SparseMap, why.into())
}

fn too_long() -> Fault {
    Fault::new(AnomalyKind::SparseTooLong, format!("the map takes more than the limit of {MAX_MAP} bytes"))
}

/// Puts the holes of a sparse file back between its stored data; the data of any other file it hands on as it is.
#[derive(Debug)]
pub struct Unfolded {
    /// Segments whose data is still to come, the last first; `None` where the file is not sparse.
    segments: Option<Vec<(u64, u64)>>,
    /// Up to where the content was handed on.
    at: u64,
    size: u64,
}

impl Unfolded {
    /// For the content of `member`.
    pub fn of(member: &Member) -> Unfolded {
        Unfolded::up_to(member, u64::MAX)
    }

    /// For the first `end` bytes of the content of `member`: of a sparse file, no hole behind them is handed on.
    pub fn up_to(member: &Member, end: u64) -> Unfolded {
        let before = |segment: &&(u64, u64)| segment.0 < end;
        let segments = member.sparse.as_ref().map(|map| map.iter().filter(before).rev().copied().collect());
        Unfolded { segments, at: 0, size: member.size.min(end) }
    }

    /// Hands on the next stored `data`, and the holes before it.
    pub fn data(&mut self, mut data: &[u8], mut take: impl FnMut(&[u8])) {
        let Some(segments) = &mut self.segments else { return take(data) };
        while let Some((offset, length)) = segments.last_mut().filter(|_| !data.is_empty()) {
            zeros(&mut self.at, *offset, &mut take);
            let count = usize::try_from(*length).unwrap_or(usize::MAX).min(data.len());
            let (part, rest) = data.split_at(count);
            take(part);
            data = rest;
            self.at = self.at.saturating_add(count as u64);
            (*offset, *length) = (self.at, length.saturating_sub(count as u64));
            if *length == 0 {
                segments.pop();
            }
        }
    }

    /// Hands on the hole at the end, once all data has come.
    pub fn end(&mut self, mut take: impl FnMut(&[u8])) {
        if self.segments.is_some() {
            zeros(&mut self.at, self.size, &mut take);
        }
    }
}

/// Hands on zeros from `at` on, which moves with them, to `end`.
fn zeros(at: &mut u64, end: u64, take: &mut impl FnMut(&[u8])) {
    const ZEROS: [u8; 16 << 10] = [0; 16 << 10];
    while let left @ 1.. = end.saturating_sub(*at) {
        let piece = usize::try_from(left).ok().and_then(|left| ZEROS.get(..left)).unwrap_or(&ZEROS);
        take(piece);
        *at = at.saturating_add(piece.len() as u64);
    }
}

/// Checks that segments are in order, do not overlap and lie within `size`.
pub(super) fn validate(segments: &[(i64, i64)], size: i64) -> Result<Vec<(u64, u64)>, Fault> {
    let mut end = 0;
    let size = u64::try_from(size).map_err(|_| broken("the real size is negative"))?;
    segments
        .iter()
        .map(|(offset, length)| {
            let (Ok(offset), Ok(length)) = (u64::try_from(*offset), u64::try_from(*length)) else {
                return Err(broken("a segment's offset or length is negative"));
            };
            if offset < end {
                return Err(broken("segments overlap or are out of order"));
            }
            end = offset.saturating_add(length);
            if end > size {
                return Err(broken("a segment ends behind the file's end"));
            }
            Ok((offset, length))
        })
        .collect()
}

/// Which sparse format a member's PAX records speak of.
pub(super) enum PaxFormat {
    /// None.
    None,
    /// One that Go does not know: the member is taken as a plain file.
    Unknown,
    /// 0.0 or 0.1: the map is in the records.
    InRecords,
    /// 1.0: the map is at the beginning of the body.
    InBody,
}

impl PaxFormat {
    /// The format of a member with these records.
    pub(super) fn of(member: &Member) -> PaxFormat {
        let record = |key| member.record(key).unwrap_or_default();
        match (record(b"GNU.sparse.major"), record(b"GNU.sparse.minor")) {
            (b"0", b"0" | b"1") => PaxFormat::InRecords,
            (b"1", b"0") => PaxFormat::InBody,
            (b"", b"") if record(SPARSE_MAP).is_empty() => PaxFormat::None,
            (b"", b"") => PaxFormat::InRecords,
            _ => PaxFormat::Unknown,
        }
    }
}

/// The first record that speaks of a sparse file, empty ones aside.
pub(super) fn stray_record(member: &Member) -> Option<&[u8]> {
    let is_stray = |key: &[u8], value: &[u8]| key.starts_with(b"GNU.sparse.") && !value.is_empty();
    member.records.iter().find(|(key, value)| is_stray(key, value)).map(|(key, _)| key.as_slice())
}

/// The real size that the records of a sparse member state.
pub(super) fn real_size(member: &Member) -> Result<Option<i64>, Fault> {
    let stated = member.record(b"GNU.sparse.size").or_else(|| member.record(b"GNU.sparse.realsize"));
    let number = |text| parse_int(text).ok_or_else(|| broken("the real size is no decimal number"));
    stated.map(number).transpose()
}

/// The map of format 0.0 or 0.1.
pub(super) fn map_in_records(member: &Member) -> Result<Segments, Fault> {
    let count = member.record(SPARSE_COUNT).and_then(parse_int);
    let count = count.ok_or_else(|| broken("GNU.sparse.numblocks is missing or no decimal number"))?;
    let map = member.record(SPARSE_MAP).unwrap_or_default();
    let numbers: Vec<&[u8]> =
        if map.is_empty() { Vec::new() } else { map.split(|byte| *byte == b',').collect() };
    if count.checked_mul(2).and_then(|count| usize::try_from(count).ok()) != Some(numbers.len()) {
        return Err(broken("the map's length is not what GNU.sparse.numblocks says"));
    }
    pairs(numbers.into_iter())
}

/// Decimal numbers, two by two.
fn pairs<'a>(mut numbers: impl Iterator<Item = &'a [u8]>) -> Result<Segments, Fault> {
    let mut segments = Vec::new();
    while let (Some(offset), Some(length)) = (numbers.next(), numbers.next()) {
        match (parse_int(offset), parse_int(length)) {
            (Some(offset), Some(length)) => segments.push((offset, length)),
            _ => return Err(broken("an offset or a length is no decimal number")),
        }
    }
    Ok(segments)
}

/// An old GNU map, read from the header block and the blocks that follow it.
#[derive(Clone, Debug, Default)]
pub(super) struct GnuMap {
    segments: Segments,
    /// Bytes of maps seen.
    taken: usize,
}

impl GnuMap {
    /// Takes the map in the header block (97 bytes) or a whole further block; the segments if it was the last.
    pub(super) fn push(&mut self, map: &[u8]) -> Result<Option<Segments>, Fault> {
        self.taken = self.taken.saturating_add(map.len());
        if self.taken >= MAX_MAP {
            return Err(too_long());
        }
        let entries = map.chunks_exact(GNU_ENTRY);
        let flag_at = entries.len().saturating_mul(GNU_ENTRY);
        for entry in entries {
            let Some((offset, length)) = entry.split_at_checked(GNU_ENTRY / 2) else { break };
            if offset.first() == Some(&0) {
                break;
            }
            match (number(offset), number(length)) {
                (Ok(offset), Ok(length)) => self.segments.push((offset, length)),
                _ => return Err(broken("an offset or a length is no number")),
            }
        }
        let more = map.get(flag_at).is_some_and(|flag| *flag != 0);
        Ok((!more).then(|| std::mem::take(&mut self.segments)))
    }
}

/// A map of format 1.0, read from blocks at the beginning of the body.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyMap {
    text: Vec<u8>,
    newlines: usize,
    /// How many numbers follow the count, once that is known.
    numbers: Option<usize>,
}

impl BodyMap {
    /// Takes the next block; the segments if it was the last.
    pub(super) fn push(&mut self, block: &[u8; BLOCK]) -> Result<Option<Segments>, Fault> {
        self.text.extend_from_slice(block);
        if self.text.len() > MAX_MAP {
            return Err(too_long());
        }
        let newlines =
            block.iter().fold(0_usize, |count, byte| count.wrapping_add(usize::from(*byte == b'\n')));
        self.newlines = self.newlines.saturating_add(newlines);
        if self.newlines == 0 {
            return Ok(None);
        }
        let lines = || self.text.split(|byte| *byte == b'\n');
        let numbers = match self.numbers {
            Some(numbers) => numbers,
            None => {
                let count = lines().next().and_then(parse_int).and_then(|count| usize::try_from(count).ok());
                let numbers = count.and_then(|count| count.checked_mul(2));
                numbers.ok_or_else(|| broken("the map's length is no decimal number"))?
            }
        };
        self.numbers = Some(numbers);
        // The first newline ends the count.
        if numbers >= self.newlines {
            return Ok(None);
        }
        pairs(lines().skip(1).take(numbers)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_must_be_in_order_and_inside() {
        assert_eq!(validate(&[(0, 5), (5, 0), (7, 3)], 10).unwrap(), [(0, 5), (5, 0), (7, 3)]);
        for segments in [&[(5, 5), (0, 5)][..], &[(0, 6), (5, 5)], &[(0, 11)], &[(-1, 2)], &[(0, -1)]] {
            assert_eq!(validate(segments, 10).unwrap_err().kind, AnomalyKind::SparseMap, "{segments:?}");
        }
        assert!(validate(&[(i64::MAX, i64::MAX)], i64::MAX).is_err());
        assert!(validate(&[], -1).is_err());
    }

    #[test]
    fn a_map_in_the_body_may_span_blocks() {
        let mut text = b"100\n".to_vec();
        (0..100).for_each(|i| text.extend_from_slice(format!("{}\n512\n", i * 1024).as_bytes()));
        text.resize(text.len().next_multiple_of(BLOCK), 0);
        let mut map = BodyMap::default();
        let blocks: Vec<_> =
            text.as_chunks::<BLOCK>().0.iter().map(|block| map.push(block).unwrap()).collect();
        let (last, before) = blocks.split_last().unwrap();
        assert!(before.iter().all(Option::is_none));
        let segments = last.clone().unwrap();
        assert_eq!((segments.len(), segments[99]), (100, (99 * 1024, 512)));
    }

    #[test]
    fn maps_cannot_grow_without_limit() {
        let mut map = BodyMap::default();
        let mut block = [b'1'; BLOCK];
        block[9] = b'\n';
        let results: Vec<_> = (0..3000).map(|_| map.push(&block)).take_while(Result::is_ok).collect();
        assert_eq!(results.len(), MAX_MAP / BLOCK);

        let mut endless = [b'7'; BLOCK];
        endless[504] = 1;
        let mut map = GnuMap::default();
        let blocks = (0..3000).take_while(|_| map.push(&endless).is_ok()).count();
        assert_eq!(blocks, MAX_MAP / BLOCK - 1);
    }
}
