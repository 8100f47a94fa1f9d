//! bzip2: streams one after the other around a decoder for one stream. For outer archives only.

use bzip2::{Decompress, Error, Status};

use super::{DecodeError, DecodeErrorKind, Frames, Input, Progress, Step};
use crate::limits::Limits;

/// What every stream starts with; its block size follows.
pub(in crate::codec) const MAGIC: &[u8] = b"BZh";

struct Bzip2<'a> {
    input: Input<'a>,
    stream: Option<Decompress>,
    frames: Frames,
}

pub(in crate::codec) fn decoder<'a>(blob: &'a [u8], _: &Limits) -> Box<dyn Step + 'a> {
    Box::new(Bzip2 { input: Input::new(blob), stream: None, frames: Frames::default() })
}

impl Bzip2<'_> {
    fn next_stream(&mut self) -> Result<Progress, DecodeError> {
        let rest = self.input.rest();
        if rest.starts_with(MAGIC) {
            self.stream = Some(Decompress::new(false));
            return Ok(Progress::Wrote(0));
        }
        match self.frames.content {
            0 => Err(self.input.not_a("bzip2")),
            _ if rest.is_empty() => Ok(Progress::End),
            _ => Err(self.input.trailing("bzip2 stream")),
        }
    }
}

impl Step for Bzip2<'_> {
    fn step(&mut self, out: &mut [u8]) -> Result<Progress, DecodeError> {
        let Some(stream) = &mut self.stream else { return self.next_stream() };
        let (read, written) = (stream.total_in(), stream.total_out());
        let status = stream.decompress(self.input.rest(), out);
        let read = moved(read, stream.total_in());
        let written = moved(written, stream.total_out());
        self.input.advance(read);
        match status {
            Ok(Status::StreamEnd) => {
                self.stream = None;
                self.frames.content = self.frames.content.saturating_add(1);
            }
            Ok(Status::MemNeeded) => {
                return Err(self.input.error(DecodeErrorKind::Corrupt, "bzip2 stream: out of memory"));
            }
            Ok(_) if read == 0 && written == 0 => return Err(self.input.truncated("a bzip2 stream")),
            Ok(_) => {}
            Err(Error::DataMagic) => {
                return Err(self
                    .input
                    .error(DecodeErrorKind::Header, "this does not start with a bzip2 header"));
            }
            Err(_) => {
                let message = "bzip2 stream: the data is damaged, or its checksum is wrong";
                return Err(self.input.error(DecodeErrorKind::Corrupt, message));
            }
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

/// How far a library's 64-bit counter moved in one call, which is never further than a buffer is long.
fn moved(before: u64, now: u64) -> usize {
    usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX)
}
