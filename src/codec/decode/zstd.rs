//! Zstandard (RFC 8878): our own walk over the frames around libzstd's decoder.
//!
//! The frame headers are read here first, so that a window over the limit, a dictionary or a reserved bit is
//! refused by name and before anything is allocated; libzstd checks blocks, content size and checksum. Headers of
//! blocks are read here too, for the blocks that libzstd takes and the readers of container engines do not.

use zstd::zstd_safe::{self, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};
use zstd_safe::zstd_sys::ZSTD_ErrorCode;

use super::{DecodeError, DecodeErrorKind, Frames, Input, Progress, Step, bytes};
use crate::limits::Limits;

const MAGIC: u32 = 0xfd2f_b528;
/// Bytes of a magic number.
const MAGIC_SIZE: usize = 4;
/// Sixteen magic numbers, the low four bits free.
const SKIPPABLE: u32 = 0x184d_2a50;
/// A skippable frame's magic number and length.
const SKIPPABLE_HEADER: usize = 8;
/// Smallest window, where a frame's header states one.
const MIN_WINDOW: u64 = 1 << 10;
/// Largest block, in the frame and decoded.
const MAX_BLOCK: u64 = 128 << 10;
/// The window sizes that libzstd can be limited to, as powers of two.
const WINDOW_LOGS: std::ops::RangeInclusive<u32> = 10..=31;

/// Whether `head` starts with a frame, of content or skippable.
pub(in crate::codec) fn is_frame(head: &[u8]) -> bool {
    magic(head).is_some_and(|magic| magic == MAGIC || is_skippable(magic))
}

fn magic(head: &[u8]) -> Option<u32> {
    head.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn is_skippable(magic: u32) -> bool {
    magic & !0xf == SKIPPABLE
}

/// What a frame header asks for (RFC 8878, 3.1.1.1).
#[derive(Debug, PartialEq, Eq)]
struct FrameHeader {
    reserved: bool,
    window: u64,
    dictionary: u64,
    /// Bytes of content, where the header says.
    content: Option<u64>,
    /// Bytes of the header itself, the magic number not counted.
    length: usize,
}

impl FrameHeader {
    /// Reads what follows the magic number; `None` if it is cut short.
    fn parse(header: &[u8]) -> Option<FrameHeader> {
        let mut fields = header;
        let descriptor = little_endian(&mut fields, 1)?;
        let single_segment = descriptor & 0x20 != 0;
        let mut window = 0;
        if !single_segment {
            let descriptor = little_endian(&mut fields, 1)?;
            // Five bits of exponent and three of mantissa: at most 2^41 and seven eighths.
            let eighth = 1_u64 << (descriptor >> 3).saturating_add(7);
            window = eighth.saturating_mul((descriptor & 7).saturating_add(8));
        }
        let dictionary_size = [0, 1, 2, 4].into_iter().nth(usize::try_from(descriptor & 3).unwrap_or(0))?;
        let dictionary = little_endian(&mut fields, dictionary_size)?;
        let content = match descriptor >> 6 {
            0 if !single_segment => None,
            0 => Some(little_endian(&mut fields, 1)?),
            1 => Some(little_endian(&mut fields, 2)?.saturating_add(256)),
            2 => Some(little_endian(&mut fields, 4)?),
            _ => Some(little_endian(&mut fields, 8)?),
        };
        if single_segment {
            window = content.unwrap_or_default();
        }
        let length = header.len().saturating_sub(fields.len());
        Some(FrameHeader { reserved: descriptor & 0x08 != 0, window, dictionary, content, length })
    }
}

/// Takes a little-endian number of `count` ≤ 8 bytes off the front of `fields`.
fn little_endian(fields: &mut &[u8], count: usize) -> Option<u64> {
    let (field, rest) = fields.split_at_checked(count)?;
    *fields = rest;
    Some(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

struct Zstd<'a> {
    input: Input<'a>,
    context: DCtx<'static>,
    /// In bytes.
    window_limit: u64,
    in_frame: bool,
    /// What the current frame's header says of its content, and how much of it was seen. libzstd does not compare them
    /// where the last block is empty.
    content: Option<u64>,
    written: u64,
    /// Most bytes that a block of the current frame may make.
    block_limit: u64,
    /// Where the current frame's next block begins; `None` behind the last.
    block: Option<usize>,
    frames: Frames,
}

pub(in crate::codec) fn decoder<'a>(blob: &'a [u8], limits: &Limits) -> Box<dyn Step + 'a> {
    let window_log = limits.zstd_window_log.clamp(*WINDOW_LOGS.start(), *WINDOW_LOGS.end());
    let mut context = DCtx::create();
    // Cannot fail for a log in that range; were it to, the library's own default of 27 holds.
    let _ = context.set_parameter(DParameter::WindowLogMax(window_log));
    Box::new(Zstd {
        input: Input::new(blob),
        context,
        window_limit: 1 << window_log,
        in_frame: false,
        content: None,
        written: 0,
        block_limit: 0,
        block: None,
        frames: Frames::default(),
    })
}

impl Zstd<'_> {
    fn next_frame(&mut self) -> Result<Progress, DecodeError> {
        let rest = self.input.rest();
        let first = self.frames.content == 0 && self.frames.skippable == 0;
        match magic(rest) {
            _ if rest.is_empty() && !first => Ok(Progress::End),
            Some(MAGIC) => self.start_frame(),
            Some(magic) if is_skippable(magic) => self.skip_frame(),
            _ if first => Err(self.input.not_a("zstd")),
            _ => Err(self.input.trailing("zstd frame")),
        }
    }

    fn start_frame(&mut self) -> Result<Progress, DecodeError> {
        let header = FrameHeader::parse(self.input.rest().get(MAGIC_SIZE..).unwrap_or_default())
            .ok_or_else(|| self.input.truncated("a zstd frame header"))?;
        if header.reserved {
            let message = "zstd frame header: the reserved bit is set";
            return Err(self.input.error(DecodeErrorKind::ReservedFlags, message));
        }
        if header.dictionary != 0 {
            let message = format!("the zstd frame needs dictionary {}", header.dictionary);
            return Err(self.input.error(DecodeErrorKind::Dictionary, message));
        }
        let (needs, limit) = (header.window, self.window_limit);
        if needs > limit {
            let message = format!("the zstd frame needs a window of {needs} bytes, the limit is {limit}");
            return Err(self.input.error(DecodeErrorKind::Window { needs, limit }, message));
        }
        self.in_frame = true;
        (self.content, self.written) = (header.content, 0);
        // Blocks are held to the window (RFC 8878, 3.1.1.2.4). libzstd does not look where it has the whole frame at once,
        // Go's zstd does, and takes smaller windows for 1 KiB.
        self.block_limit = header.window.clamp(MIN_WINDOW, MAX_BLOCK);
        self.block = Some(self.input.at.saturating_add(MAGIC_SIZE).saturating_add(header.length));
        Ok(Progress::Wrote(0))
    }

    fn skip_frame(&mut self) -> Result<Progress, DecodeError> {
        let place = "a zstd skippable frame";
        let mut fields = self.input.rest().get(4..).unwrap_or_default();
        let length = little_endian(&mut fields, 4).ok_or_else(|| self.input.truncated(place))?;
        if length > bytes(fields.len()) {
            return Err(self.input.truncated(&format!("{place} of {length} bytes")));
        }
        let length = SKIPPABLE_HEADER.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        self.input.advance(length);
        self.frames.skippable = self.frames.skippable.saturating_add(1);
        self.frames.skippable_bytes = self.frames.skippable_bytes.saturating_add(bytes(length));
        Ok(Progress::Wrote(0))
    }

    fn frame(&mut self, out: &mut [u8]) -> Result<Progress, DecodeError> {
        let mut from = InBuffer::around(self.input.rest());
        let mut to = OutBuffer::around(out);
        let wanted = self.context.decompress_stream(&mut to, &mut from);
        let (read, written) = (from.pos(), to.pos());
        self.written = self.written.saturating_add(bytes(written));
        match wanted {
            Ok(0) if self.content.is_some_and(|content| content != self.written) => {
                let (says, holds) = (self.content.unwrap_or_default(), self.written);
                let message = format!("the zstd frame says that it holds {says} bytes, but holds {holds}");
                return Err(self.input.error(DecodeErrorKind::Length, message));
            }
            Ok(0) => {
                // Clears a decoder that stands at a frame's end anyway, so nothing can go wrong.
                let _ = self.context.reset(ResetDirective::SessionOnly);
                self.in_frame = false;
                self.frames.content = self.frames.content.saturating_add(1);
            }
            Ok(_) if read == 0 && written == 0 => return Err(self.input.truncated("a zstd frame")),
            Ok(_) => {}
            Err(code) => {
                let kind = if zstd_safe::is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_checksum_wrong) {
                    DecodeErrorKind::Checksum
                } else {
                    DecodeErrorKind::Corrupt
                };
                let message = format!("zstd frame: {}", zstd_safe::get_error_name(code));
                return Err(self.input.error(kind, message));
            }
        }
        self.input.advance(read);
        self.blocks()?;
        Ok(Progress::Wrote(written))
    }

    /// Looks at the headers of the blocks that begin in what was read (RFC 8878, 3.1.1.2). A compressed block has two
    /// bytes at least; of one that has none libzstd makes nothing, and Go's zstd, which container engines use, an error.
    fn blocks(&mut self) -> Result<(), DecodeError> {
        const HEADER: usize = 3;
        const RLE: u64 = 1;
        const COMPRESSED: u64 = 2;
        while let Some(at) = self.block.filter(|at| at.saturating_add(HEADER) <= self.input.at) {
            let mut fields = self.input.blob.get(at..).unwrap_or_default();
            let Some(header) = little_endian(&mut fields, HEADER) else { break };
            let (last, kind, size) = (header & 1 == 1, header >> 1 & 3, header >> 3);
            if kind == COMPRESSED && size < 2 {
                let message = format!("zstd frame: a compressed block of {size} bytes");
                return Err(DecodeError::new(DecodeErrorKind::Corrupt, at, message));
            }
            if size > self.block_limit {
                let limit = self.block_limit;
                let message =
                    format!("zstd frame: a block of {size} bytes, the frame's window allows {limit}");
                return Err(DecodeError::new(DecodeErrorKind::Corrupt, at, message));
            }
            let content = if kind == RLE { 1 } else { usize::try_from(size).unwrap_or(usize::MAX) };
            self.block = (!last).then(|| at.saturating_add(HEADER).saturating_add(content));
        }
        Ok(())
    }
}

impl Step for Zstd<'_> {
    fn step(&mut self, out: &mut [u8]) -> Result<Progress, DecodeError> {
        if self.in_frame { self.frame(out) } else { self.next_frame() }
    }

    fn consumed(&self) -> usize {
        self.input.at
    }

    fn frames(&self) -> Frames {
        self.frames
    }
}
