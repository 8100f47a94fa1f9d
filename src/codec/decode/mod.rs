//! Strict streaming decoders: one pass over a borrowed blob, every checksum checked, nothing left unread.
//!
//! Knows how decoders are driven and what they may answer. Each format has its own file; each implements `Step`.

use std::fmt;

pub(super) mod bzip2;
pub(super) mod gzip;
pub(super) mod plain;
pub(super) mod xz;
pub(super) mod zstd;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

/// What kind of thing is wrong with a compressed blob. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// No bytes where a compressed stream must be.
    Empty,
    /// The stream does not start with a header of its format.
    Header,
    /// A header bit is set that the format reserves.
    ReservedFlags,
    /// A method or feature of the format that no container engine reads.
    Unsupported,
    /// A checksum in the blob is not that of the bytes.
    Checksum,
    /// A length in the blob is not that of the decoded bytes.
    Length,
    /// The blob stops in the middle.
    Truncated,
    /// Bytes after the end of the last stream that start no further one.
    TrailingGarbage,
    /// Decoding needs a larger window than is allowed.
    Window {
        /// Bytes of window that the blob asks for.
        needs: u64,
        /// Bytes of window that are allowed.
        limit: u64,
    },
    /// Decoding needs a dictionary.
    Dictionary,
    /// The compressed data makes no sense.
    Corrupt,
    /// It unpacks to more than is allowed.
    Unpacked {
        /// Bytes that are allowed.
        limit: u64,
    },
}

impl DecodeErrorKind {
    /// The stable name, as reports show it: `trailing-garbage`.
    pub fn name(self) -> &'static str {
        match self {
            DecodeErrorKind::Empty => "empty",
            DecodeErrorKind::Header => "header",
            DecodeErrorKind::ReservedFlags => "reserved-flags",
            DecodeErrorKind::Unsupported => "unsupported",
            DecodeErrorKind::Checksum => "checksum",
            DecodeErrorKind::Length => "length",
            DecodeErrorKind::Truncated => "truncated",
            DecodeErrorKind::TrailingGarbage => "trailing-garbage",
            DecodeErrorKind::Window { .. } => "window",
            DecodeErrorKind::Dictionary => "dictionary",
            DecodeErrorKind::Corrupt => "corrupt",
            DecodeErrorKind::Unpacked { .. } => "unpacked",
        }
    }
}

/// What is wrong with a compressed blob, and where. Displays as its message, one line without control characters
/// (nothing in it is taken from the blob but numbers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What kind of thing is wrong.
    pub kind: DecodeErrorKind,
    /// Where in the blob, in bytes from its start. For damage inside compressed data it is where the decoder
    /// stood when it noticed.
    pub offset: u64,
    /// One line that says what is wrong.
    pub message: String,
}

impl DecodeError {
    fn new(kind: DecodeErrorKind, offset: usize, message: impl Into<String>) -> DecodeError {
        DecodeError { kind, offset: bytes(offset), message: message.into() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

/// What a blob was made of, besides its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Complete gzip members, zstd frames, xz or bzip2 streams.
    pub content: u64,
    /// zstd skippable frames.
    pub skippable: u64,
    /// Bytes in skippable frames, their headers included. They are no part of the content.
    pub skippable_bytes: u64,
    /// Zero bytes after the last member or stream. gzip and tape drives leave them; Go's reader refuses them
    /// after a gzip member, GNU gzip does not.
    pub trailing_zeros: u64,
}

/// What one step of a decoder came to.
pub(super) enum Progress {
    /// So many bytes were written; none does not mean that the end is reached.
    Wrote(usize),
    /// The blob ends here, complete and correct.
    End,
}

/// One format's decoder. [`Decoder`] does what is the same for all of them, so that a step may stop wherever it
/// likes, and is never called again after an error or the end.
pub(super) trait Step: Send {
    /// Decodes some more into `out`, which is not empty. An error loses what the same step wrote.
    fn step(&mut self, out: &mut [u8]) -> Result<Progress, DecodeError>;
    /// Input bytes read so far.
    fn consumed(&self) -> usize;
    /// What was seen so far.
    fn frames(&self) -> Frames;
}

/// A decoder over one borrowed blob. Made by [`decoder`](super::decoder).
pub struct Decoder<'a> {
    step: Box<dyn Step + 'a>,
    /// Most bytes that it may unpack to.
    limit: u64,
    produced: u64,
    outcome: Option<Result<(), DecodeError>>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(step: Box<dyn Step + 'a>, limit: u64) -> Decoder<'a> {
        Decoder { step, limit, produced: 0, outcome: None }
    }

    /// Decodes into `out` until it is full, the blob ends or something is wrong. Returns how many bytes were
    /// written; 0 for a non-empty `out` means that the blob is complete and correct to its last byte.
    ///
    /// Bytes in front of damage, and the first beyond the limit, are given out first; the error comes with the next
    /// call, and with every later one.
    pub fn fill(&mut self, out: &mut [u8]) -> Result<usize, DecodeError> {
        let mut filled = 0;
        while let (None, Some(rest @ [_, ..])) = (&self.outcome, out.get_mut(filled..)) {
            match self.step.step(rest) {
                Ok(Progress::Wrote(count)) => filled = filled.saturating_add(count),
                Ok(Progress::End) => self.outcome = Some(Ok(())),
                Err(error) => self.outcome = Some(Err(error)),
            }
        }
        self.produced = self.produced.saturating_add(bytes(filled));
        if self.produced > self.limit {
            let message = format!("it unpacks to more than the limit of {} bytes", self.limit);
            let kind = DecodeErrorKind::Unpacked { limit: self.limit };
            self.outcome = Some(Err(DecodeError::new(kind, self.step.consumed(), message)));
        }
        match &self.outcome {
            Some(Err(error)) if filled == 0 => Err(error.clone()),
            _ => Ok(filled),
        }
    }

    /// Bytes of the blob read so far: for progress, and for giving mapped pages back.
    pub fn consumed(&self) -> u64 {
        bytes(self.step.consumed())
    }

    /// Bytes decoded so far.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// What the blob is made of, as far as it was read.
    pub fn frames(&self) -> Frames {
        self.step.frames()
    }
}

/// A place in a blob, and how much is left: the part of a decoder's state that all formats share.
struct Input<'a> {
    blob: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn new(blob: &'a [u8]) -> Input<'a> {
        Input { blob, at: 0 }
    }

    /// The bytes not read yet.
    fn rest(&self) -> &'a [u8] {
        self.blob.get(self.at..).unwrap_or_default()
    }

    /// Moves on by `count` bytes, at most to the end.
    fn advance(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.blob.len());
    }

    fn error(&self, kind: DecodeErrorKind, message: impl Into<String>) -> DecodeError {
        DecodeError::new(kind, self.at, message)
    }

    /// The error for a blob that starts with nothing of its format.
    fn not_a(&self, format: &str) -> DecodeError {
        if self.blob.is_empty() {
            return self.error(DecodeErrorKind::Empty, format!("an empty blob is no {format} stream"));
        }
        self.error(DecodeErrorKind::Header, format!("this does not start with a {format} header"))
    }

    /// The error for bytes that start no further stream.
    fn trailing(&self, format: &str) -> DecodeError {
        let count = self.rest().len();
        let message = format!("{count} bytes after the last {format} are neither another one nor padding");
        self.error(DecodeErrorKind::TrailingGarbage, message)
    }

    /// The error for a blob that stops too early.
    fn truncated(&self, place: &str) -> DecodeError {
        let message = format!("the blob ends after {} bytes, inside {place}", self.blob.len());
        DecodeError::new(DecodeErrorKind::Truncated, self.blob.len(), message)
    }
}

/// A length in memory as a count of bytes in a file.
fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
