//! xz: streams one after the other with their padding, around a decoder for one stream. For outer archives only.

use std::io::{ErrorKind, Read};

use lzma_rust2::{XzReader, lzma2_get_memory_usage};

use super::{DecodeError, DecodeErrorKind, Frames, Input, Progress, Step, bytes};
use crate::limits::Limits;

/// The Stream Header's magic bytes.
pub(in crate::codec) const MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
/// Stream Padding comes in multiples of this many zero bytes.
const PADDING: usize = 4;

struct Xz<'a> {
    input: Input<'a>,
    stream: Option<XzReader<&'a [u8]>>,
    /// Largest dictionary, in bytes.
    dictionary_limit: u32,
    frames: Frames,
}

pub(in crate::codec) fn decoder<'a>(blob: &'a [u8], limits: &Limits) -> Box<dyn Step + 'a> {
    // The dictionary is what a window is in zstd, so it is held to the same limit.
    let dictionary_limit = 1u32.checked_shl(limits.zstd_window_log).unwrap_or(u32::MAX);
    Box::new(Xz { input: Input::new(blob), stream: None, dictionary_limit, frames: Frames::default() })
}

impl<'a> Xz<'a> {
    fn next_stream(&mut self) -> Result<XzReader<&'a [u8]>, DecodeError> {
        if self.input.rest().starts_with(&MAGIC) {
            // The library limits all that a decoder takes, which is more than its dictionary.
            let memory_limit = lzma2_get_memory_usage(self.dictionary_limit);
            return Ok(XzReader::new_mem_limit(self.input.rest(), false, memory_limit));
        }
        if self.frames.content == 0 {
            Err(self.input.not_a("xz"))
        } else {
            Err(self.input.trailing("xz stream"))
        }
    }

    fn skip_padding(&mut self) {
        let zeros = self.input.rest().iter().take_while(|byte| **byte == 0).count();
        let padding = zeros.saturating_sub(zeros % PADDING);
        self.frames.trailing_zeros = bytes(padding);
        self.input.advance(padding);
    }

    /// The dictionary that a block asks for, in bytes, where its header was just read. The header ends in the size of the
    /// dictionary (coded in one byte, not 0 where it is large), up to three zero bytes and a checksum of four
    /// (.xz file format 3.1 and 5.3.1).
    fn dictionary(&self) -> u64 {
        const CHECKSUM: usize = 4;
        let read = self.input.blob.get(..self.input.at.saturating_sub(CHECKSUM)).unwrap_or_default();
        let coded = u64::from(read.iter().rev().find(|byte| **byte != 0).copied().unwrap_or_default());
        (2 | coded & 1)
            .checked_shl(u32::try_from((coded / 2).saturating_add(11)).unwrap_or(u32::MAX))
            .unwrap_or(u64::MAX)
    }

    fn error(&self, error: &std::io::Error) -> DecodeError {
        let kind = match error.kind() {
            ErrorKind::UnexpectedEof => return self.input.truncated("an xz stream"),
            ErrorKind::OutOfMemory => {
                let (needs, limit) = (self.dictionary(), u64::from(self.dictionary_limit));
                let message =
                    format!("the xz block needs a dictionary of {needs} bytes, the limit is {limit}");
                let kind = DecodeErrorKind::Window { needs, limit };
                return self.input.error(kind, message);
            }
            ErrorKind::Unsupported => DecodeErrorKind::Unsupported,
            _ => DecodeErrorKind::Corrupt,
        };
        self.input.error(kind, format!("xz stream: {error}"))
    }
}

impl Step for Xz<'_> {
    fn step(&mut self, out: &mut [u8]) -> Result<Progress, DecodeError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None if self.input.rest().is_empty() && self.frames.content > 0 => return Ok(Progress::End),
            None => {
                let stream = self.next_stream()?;
                self.stream.insert(stream)
            }
        };
        let result = stream.read(out);
        let unread = stream.inner().len();
        self.input.at = self.input.blob.len().saturating_sub(unread);
        let written = result.map_err(|error| self.error(&error))?;
        if written == 0 {
            self.stream = None;
            self.frames.content = self.frames.content.saturating_add(1);
            self.skip_padding();
        }
        Ok(Progress::Wrote(written))
    }

    fn consumed(&self) -> usize {
        self.input.at
    }

    fn frames(&self) -> Frames {
        self.frames
    }
}
