//! xz: streams one after the other with their padding, around a decoder for one stream. For outer archives only.

use std::io::{ErrorKind, Read};

use lzma_rust2::XzReader;

use super::{DecodeError, DecodeErrorKind, Frames, Input, Progress, Step, bytes};
use crate::limits::Limits;

/// The Stream Header's magic bytes.
pub(in crate::codec) const MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
/// Stream Padding comes in multiples of this many zero bytes.
const PADDING: usize = 4;

struct Xz<'a> {
    input: Input<'a>,
    stream: Option<XzReader<&'a [u8]>>,
    /// What the decoder of a block may take, in KiB.
    memory_limit: u32,
    frames: Frames,
}

pub(in crate::codec) fn decoder<'a>(blob: &'a [u8], limits: &Limits) -> Box<dyn Step + 'a> {
    // The dictionary is what a window is in zstd, so it is held to the same limit.
    let memory_limit = 1u32.checked_shl(limits.zstd_window_log.saturating_sub(10)).unwrap_or(u32::MAX);
    Box::new(Xz { input: Input::new(blob), stream: None, memory_limit, frames: Frames::default() })
}

impl<'a> Xz<'a> {
    fn next_stream(&mut self) -> Result<XzReader<&'a [u8]>, DecodeError> {
        if self.input.rest().starts_with(&MAGIC) {
            return Ok(XzReader::new_mem_limit(self.input.rest(), false, self.memory_limit));
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

    fn error(&self, error: &std::io::Error) -> DecodeError {
        let kind = match error.kind() {
            ErrorKind::UnexpectedEof => return self.input.truncated("an xz stream"),
            ErrorKind::OutOfMemory => {
                let limit = u64::from(self.memory_limit) << 10;
                let message =
                    format!("the xz block needs a larger dictionary than the limit of {limit} bytes");
                // The decoder does not say how large, only that it is larger.
                let kind = DecodeErrorKind::Window { needs: limit.saturating_add(1), limit };
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
