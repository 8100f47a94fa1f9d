//! The member walk: windows of bytes in, members and anomalies out.
//!
//! Knows which block follows which, as Go's archive/tar has it. Must not do I/O, and must not look at what names,
//! links and modes mean: that is the audit's.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::anomaly::{AnomalyKind, Fault, Tally};
use super::extension::{Extension, Pending};
use super::header::{Header, is_zero};
use super::member::Member;
use super::merge::{self, Map, Opening};
use super::outcome::{Bytes, End, Outcome, Share};
use super::sparse;
use super::trailer::Trailer;
use super::{BLOCK, Sink, padding};
use crate::limits::Limits;

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A header block, or the first zero block of the end marker.
    Header,
    /// The second zero block.
    SecondZero,
    /// The body of an extension header.
    Extension(Extension),
    /// A block of the sparse map of the member in `opening`.
    Map,
    /// The current member's data.
    Body { left: u64, padding: usize },
    /// Padding up to a whole block.
    Padding { left: usize, share: Share, clean: bool },
    /// Anything after the end marker.
    Trailer,
    /// Nothing that can be told: an error came before.
    Failed,
}

/// Walks over an archive that arrives in windows of any size; what it tells does not depend on them.
#[derive(Clone, Debug)]
pub struct Walker {
    limits: Limits,
    tally: Tally,
    state: State,
    /// The beginning of a block or an extension body that is not yet whole.
    carry: Vec<u8>,
    /// Where the first byte lies that is neither dealt with nor carried.
    offset: u64,
    bytes: Bytes,
    members: u64,
    /// Extension headers that wait for their member.
    pending: Pending,
    /// The member whose sparse map is being read.
    opening: Option<Opening>,
    /// First header block of the current member, or of the extension headers before it.
    start: u64,
    /// Name of the current member, as far as it is known.
    name: Vec<u8>,
    trailer: Trailer,
}

impl Walker {
    /// A walk that has seen nothing yet.
    pub fn new(limits: &Limits) -> Walker {
        Walker {
            limits: limits.clone(),
            tally: Tally::default(),
            state: State::Header,
            carry: Vec::new(),
            offset: 0,
            bytes: Bytes::default(),
            members: 0,
            pending: Pending::default(),
            opening: None,
            start: 0,
            name: Vec::new(),
            trailer: Trailer::default(),
        }
    }

    /// Walks over an archive that is there as a whole.
    pub fn walk(limits: &Limits, archive: &[u8], sink: &mut impl Sink) -> Outcome {
        let mut walker = Walker::new(limits);
        walker.feed(archive, sink);
        walker.finish(sink)
    }

    /// Takes the next bytes of the archive.
    pub fn feed(&mut self, mut window: &[u8], sink: &mut impl Sink) {
        while !window.is_empty() {
            window = match self.state {
                State::Header | State::SecondZero | State::Map | State::Trailer => {
                    self.take_block(window, sink)
                }
                State::Extension(extension) => self.take_extension(extension, window, sink),
                State::Body { left, padding } => self.take_body(left, padding, window, sink),
                State::Padding { left, share, clean } => self.take_padding(left, share, clean, window, sink),
                State::Failed => {
                    self.advance(Share::Unread, window.len());
                    &[]
                }
            };
        }
    }

    /// How many bytes came behind the end marker; `None` where it has not come yet.
    pub fn trailing(&self) -> Option<u64> {
        let carried = self.carry.len() as u64;
        matches!(self.state, State::Trailer).then(|| self.bytes.trailing.saturating_add(carried))
    }

    /// Says that there are no more bytes.
    pub fn finish(mut self, sink: &mut impl Sink) -> Outcome {
        let partial = self.carry.len();
        let end = self.end(partial, sink);
        let share = if matches!(self.state, State::Trailer) { Share::Trailing } else { Share::Unread };
        self.bytes.add(share, partial);
        if end != End::Failed && !self.pending.is_empty() {
            self.tell(sink, AnomalyKind::ExtensionWithoutMember, || "the archive ends behind it".into());
        }
        self.tally.finish(sink, self.bytes.total());
        Outcome { members: self.members, end, bytes: self.bytes }
    }

    fn end(&mut self, partial: usize, sink: &mut impl Sink) -> End {
        let (kind, detail) = match self.state {
            State::Failed => return End::Failed,
            State::Trailer => {
                self.trailer.finish(&self.carry, self.offset, sink, &mut self.tally);
                return End::Marker;
            }
            State::Header if partial == 0 => {
                if self.bytes.total() == 0 {
                    return End::Empty;
                }
                self.tell_end(sink, AnomalyKind::EndMarkerMissing);
                return End::NoMarker;
            }
            State::SecondZero if partial == 0 => {
                let empty = self.members == 0 && self.pending.is_empty();
                self.tell_end(
                    sink,
                    if empty { AnomalyKind::EmptyHalfMarker } else { AnomalyKind::EndMarkerHalf },
                );
                return End::HalfMarker;
            }
            State::Padding { left, .. } => {
                let detail = || format!("{left} bytes of padding are missing");
                self.tally.tell(sink, AnomalyKind::TruncatedPadding, self.offset, &self.name, detail);
                return End::NoMarker;
            }
            State::Header | State::SecondZero | State::Map => {
                self.start = self.offset;
                (AnomalyKind::TruncatedHeader, format!("{partial} of {BLOCK} bytes of the block are there"))
            }
            State::Extension(Extension { size, .. }) => {
                (AnomalyKind::TruncatedExtension, format!("{partial} of {size} bytes are there"))
            }
            State::Body { left, .. } => {
                self.start = self.offset;
                (AnomalyKind::TruncatedBody, format!("{left} bytes of the body are missing"))
            }
        };
        self.tell(sink, kind, || detail);
        End::Failed
    }

    fn tell_end(&mut self, sink: &mut impl Sink, kind: AnomalyKind) {
        self.tally.tell(sink, kind, self.offset, &[], String::new);
    }

    /// Tells of an anomaly of the current member.
    fn tell(&mut self, sink: &mut impl Sink, kind: AnomalyKind, detail: impl FnOnce() -> String) {
        self.tally.tell(sink, kind, self.start, &self.name, detail);
    }

    fn advance(&mut self, share: Share, count: usize) {
        self.bytes.add(share, count);
        self.offset = self.offset.saturating_add(count as u64);
    }

    fn fail(&mut self, fault: Fault, sink: &mut impl Sink) {
        self.state = State::Failed;
        self.tell(sink, fault.kind, || fault.detail);
    }

    /// Deals with the next block once it is whole; gives back what is left of the window.
    fn take_block<'w>(&mut self, window: &'w [u8], sink: &mut impl Sink) -> &'w [u8] {
        if self.carry.is_empty()
            && let Some((block, rest)) = window.split_first_chunk()
        {
            self.on_block(block, sink);
            return rest;
        }
        let rest = self.fill(BLOCK, window);
        if let Ok(block) = <[u8; BLOCK]>::try_from(self.carry.as_slice()) {
            self.carry.clear();
            self.on_block(&block, sink);
        }
        rest
    }

    /// Carries bytes until there are `wanted`; gives back what is left of the window.
    fn fill<'w>(&mut self, wanted: usize, window: &'w [u8]) -> &'w [u8] {
        let missing = wanted.saturating_sub(self.carry.len());
        let (part, rest) = window.split_at(missing.min(window.len()));
        self.carry.extend_from_slice(part);
        rest
    }

    fn on_block(&mut self, block: &[u8; BLOCK], sink: &mut impl Sink) {
        let result = match self.state {
            State::SecondZero if is_zero(block) => {
                self.state = State::Trailer;
                Ok(Share::End)
            }
            State::SecondZero => {
                self.start = self.offset;
                self.name.clear();
                Err(Fault::new(AnomalyKind::ZeroBlockInside, String::new()))
            }
            State::Map => self.on_map_block(block, sink),
            State::Trailer => {
                self.trailer.block(block, self.offset, sink, &mut self.tally);
                Ok(Share::Trailing)
            }
            _ => self.on_header(block, sink),
        };
        match result {
            Ok(share) => self.advance(share, BLOCK),
            Err(fault) => {
                self.advance(Share::Unread, BLOCK);
                self.fail(fault, sink);
            }
        }
    }

    fn on_header(&mut self, block: &[u8; BLOCK], sink: &mut impl Sink) -> Result<Share, Fault> {
        if block.first() == Some(&0) && is_zero(block) {
            self.state = State::SecondZero;
            return Ok(Share::End);
        }
        if self.pending.is_empty() {
            self.start = self.offset;
        }
        self.name.clear();
        let header = Header::parse(block)?;
        self.name.extend_from_slice(header.name);
        if header.is_odd() {
            for (kind, detail) in merge::header_oddities(&header) {
                self.tell(sink, kind, || detail);
            }
        }
        if let Some(extension) = Extension::of(&header, &self.limits)? {
            self.pending.dialects = self.pending.dialects.only(header.dialects);
            self.state = State::Extension(extension);
            if extension.size == 0 {
                self.on_extension(extension, &[], sink)?;
            }
            return Ok(Share::Extension);
        }
        let pending = std::mem::take(&mut self.pending);
        let data_offset = self.offset.saturating_add(BLOCK as u64);
        let (start, tally) = (self.start, &mut self.tally);
        let mut opening = merge::open(&header, block, pending, |member, kind, detail| {
            tally.tell(sink, kind, start, &member.name, || detail);
        })?;
        self.name.clone_from(&opening.member.name);
        opening.member.header_offset = start;
        opening.member.data_offset = data_offset;
        match &mut opening.map {
            Map::None => self.begin_member(opening.member, opening.data, sink)?,
            Map::Known(segments) => {
                let segments = std::mem::take(segments);
                self.begin_sparse(opening, &segments, sink)?;
            }
            Map::Gnu(_) | Map::Body(_) => self.want_map_block(opening)?,
        }
        Ok(Share::Header)
    }

    /// Waits for a block of a sparse map; one of format 1.0 lies in the body and must not run past it.
    fn want_map_block(&mut self, opening: Opening) -> Result<(), Fault> {
        if matches!(opening.map, Map::Body(_)) && opening.data < BLOCK as u64 {
            return Err(Fault::new(AnomalyKind::SparseMap, "the body ends inside the map".into()));
        }
        self.opening = Some(opening);
        self.state = State::Map;
        Ok(())
    }

    fn on_map_block(&mut self, block: &[u8; BLOCK], sink: &mut impl Sink) -> Result<Share, Fault> {
        let Some(mut opening) = self.opening.take() else { return Ok(Share::Unread) };
        let (segments, share) = match &mut opening.map {
            Map::Gnu(map) => {
                opening.member.data_offset = self.offset.saturating_add(BLOCK as u64);
                (map.push(block)?, Share::Extension)
            }
            Map::Body(map) => {
                opening.data = opening.data.saturating_sub(BLOCK as u64);
                (map.push(block)?, Share::Body)
            }
            Map::None | Map::Known(_) => (None, Share::Unread),
        };
        match segments {
            Some(segments) => self.begin_sparse(opening, &segments, sink)?,
            None => self.want_map_block(opening)?,
        }
        Ok(share)
    }

    fn begin_sparse(
        &mut self,
        mut opening: Opening,
        segments: &[(i64, i64)],
        sink: &mut impl Sink,
    ) -> Result<(), Fault> {
        let segments = sparse::validate(segments, opening.real_size)?;
        let mapped = segments.iter().fold(0, |sum: u64, (_, length)| sum.saturating_add(*length));
        let kind = if opening.member.typeflag == b'S' { AnomalyKind::SparseGnu } else { AnomalyKind::Sparse };
        self.tell(sink, kind, || format!("{} data segments", segments.len()));
        opening.member.size = opening.real_size.unsigned_abs();
        opening.member.sparse = Some(segments);
        self.begin_member(opening.member, opening.data, sink)?;
        if mapped != opening.data {
            let detail = format!("the map speaks of {mapped} bytes of data, the body holds {}", opening.data);
            return Err(Fault::new(AnomalyKind::SparseData, detail));
        }
        Ok(())
    }

    fn begin_member(&mut self, member: Member, data: u64, sink: &mut impl Sink) -> Result<(), Fault> {
        if self.members >= self.limits.max_members {
            let detail = format!("more than the limit of {} members", self.limits.max_members);
            return Err(Fault::new(AnomalyKind::TooManyMembers, detail));
        }
        self.members = self.members.saturating_add(1);
        sink.member(member);
        if data == 0 {
            self.end_body(0, sink);
        } else {
            self.state = State::Body { left: data, padding: padding(data) };
        }
        Ok(())
    }

    fn end_body(&mut self, padding: usize, sink: &mut impl Sink) {
        sink.end_member();
        self.begin_padding(padding, Share::Padding);
    }

    fn begin_padding(&mut self, left: usize, share: Share) {
        self.state = if left == 0 { State::Header } else { State::Padding { left, share, clean: true } };
    }

    fn take_body<'w>(
        &mut self,
        left: u64,
        padding: usize,
        window: &'w [u8],
        sink: &mut impl Sink,
    ) -> &'w [u8] {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(window.len());
        let (data, rest) = window.split_at(count);
        self.advance(Share::Body, count);
        sink.data(data);
        let left = left.saturating_sub(count as u64);
        if left == 0 {
            self.end_body(padding, sink);
        } else {
            self.state = State::Body { left, padding };
        }
        rest
    }

    fn take_padding<'w>(
        &mut self,
        left: usize,
        share: Share,
        clean: bool,
        window: &'w [u8],
        sink: &mut impl Sink,
    ) -> &'w [u8] {
        let (padding, rest) = window.split_at(left.min(window.len()));
        let left = left.saturating_sub(padding.len());
        let clean = clean && is_zero(padding);
        self.advance(share, padding.len());
        if left > 0 {
            self.state = State::Padding { left, share, clean };
            return rest;
        }
        self.state = State::Header;
        if !clean {
            self.tell(sink, AnomalyKind::PaddingNotZero, String::new);
        }
        rest
    }

    fn take_extension<'w>(
        &mut self,
        extension: Extension,
        window: &'w [u8],
        sink: &mut impl Sink,
    ) -> &'w [u8] {
        let (result, rest) = if self.carry.is_empty() && window.len() >= extension.size {
            let (body, rest) = window.split_at(extension.size);
            (self.on_extension(extension, body, sink), rest)
        } else {
            let rest = self.fill(extension.size, window);
            if self.carry.len() < extension.size {
                return rest;
            }
            let mut body = std::mem::take(&mut self.carry);
            let result = self.on_extension(extension, &body, sink);
            body.clear();
            self.carry = body;
            (result, rest)
        };
        match result {
            Ok(()) => self.advance(Share::Extension, extension.size),
            Err(fault) => {
                self.advance(Share::Unread, extension.size);
                self.fail(fault, sink);
            }
        }
        rest
    }

    fn on_extension(&mut self, extension: Extension, body: &[u8], sink: &mut impl Sink) -> Result<(), Fault> {
        let (start, tally, name) = (self.start, &mut self.tally, &self.name);
        let global = self.pending.take_body(extension.typeflag, body, |kind, detail| {
            tally.tell(sink, kind, start, name, || detail);
        })?;
        if let Some(records) = global {
            sink.global(super::extension::global_header(name, records, start));
        }
        self.begin_padding(padding(extension.size as u64), Share::Extension);
        Ok(())
    }
}
