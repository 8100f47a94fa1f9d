//! gzip (RFC 1952): our own framing around raw inflate.
//!
//! Every member to the blob's last byte, header checksums, CRC-32 and length checked. Library readers stop after
//! the first member, skip header checksums or pass over what follows the last member.

use super::{DecodeError, DecodeErrorKind, Frames, Input, Progress, Step, bytes};
use crate::{
    codec::deflate::{Fault, Inflate},
    limits::Limits,
};

/// ID1 and ID2.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// CM: deflate, the only one there is.
const DEFLATE: u8 = 8;
/// Longest file name or comment with its NUL. RFC 1952 has no limit; Go's reader has this one.
const MAX_STRING: usize = 512;

const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xe0;

/// A member's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codec) struct Header<'a> {
    /// FLG.
    pub(in crate::codec) flags: u8,
    /// MTIME: seconds since 1970, 0 for none.
    pub(in crate::codec) mtime: u32,
    /// XFL: 2 for slowest, 4 for fastest compression.
    pub(in crate::codec) extra_flags: u8,
    /// OS.
    pub(in crate::codec) os: u8,
    /// FEXTRA's content.
    pub(in crate::codec) extra: Option<&'a [u8]>,
    /// FNAME, without its NUL.
    pub(in crate::codec) name: Option<&'a [u8]>,
    /// Length of the header in bytes.
    pub(in crate::codec) len: usize,
}

impl<'a> Header<'a> {
    /// Reads the header at the start of `member`. The error is what is wrong and how far into `member`.
    pub(in crate::codec) fn parse(member: &'a [u8]) -> Result<Header<'a>, HeaderError> {
        let fault = |kind, at, what| HeaderError { kind, at, what };
        let truncated = |what| fault(DecodeErrorKind::Truncated, member.len(), what);
        let mut fields = Fields { member, at: 0 };
        if fields.take(2).is_none_or(|magic| magic != MAGIC) {
            return Err(fault(DecodeErrorKind::Header, 0, "this does not start with a gzip header"));
        }
        let Some(&[method, flags, t0, t1, t2, t3, extra_flags, os]) = fields.take(8) else {
            return Err(truncated("the fixed header"));
        };
        if method != DEFLATE {
            return Err(fault(DecodeErrorKind::Unsupported, 2, "the compression method is not deflate"));
        }
        if flags & RESERVED != 0 {
            return Err(fault(DecodeErrorKind::ReservedFlags, 3, "a reserved flag bit is set"));
        }
        let mut extra = None;
        if flags & FEXTRA != 0 {
            let field = fields.take(2).and_then(|length| {
                let length = u16::from_le_bytes(length.try_into().ok()?);
                fields.take(usize::from(length))
            });
            extra = Some(field.ok_or_else(|| truncated("the extra field"))?);
        }
        let mut name = None;
        if flags & FNAME != 0 {
            name = Some(fields.take_string("the file name")?);
        }
        if flags & FCOMMENT != 0 {
            fields.take_string("the comment")?;
        }
        if flags & FHCRC != 0 {
            let at = fields.at;
            let crc = crc32fast::hash(member.get(..at).unwrap_or_default()) & 0xffff;
            let stored = fields.take(2).ok_or_else(|| truncated("the header's checksum"))?;
            if stored != &crc.to_le_bytes()[..2] {
                return Err(fault(DecodeErrorKind::Checksum, at, "the header's checksum is wrong"));
            }
        }
        let mtime = u32::from_le_bytes([t0, t1, t2, t3]);
        Ok(Header { flags, mtime, extra_flags, os, extra, name, len: fields.at })
    }
}

/// What is wrong with a header, `at` bytes into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codec) struct HeaderError {
    kind: DecodeErrorKind,
    at: usize,
    what: &'static str,
}

/// The fields of a header, taken one after the other.
struct Fields<'a> {
    member: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let field = self.member.get(self.at..end)?;
        self.at = end;
        Some(field)
    }

    /// A string up to its NUL, which is taken too.
    fn take_string(&mut self, what: &'static str) -> Result<&'a [u8], HeaderError> {
        let rest = self.member.get(self.at..).unwrap_or_default();
        let room = rest.get(..MAX_STRING).unwrap_or(rest);
        let Some(length) = room.iter().position(|byte| *byte == 0) else {
            let (kind, at, what) = match room.len() {
                MAX_STRING => {
                    (DecodeErrorKind::Header, self.at, "a text is longer than the 511 bytes that Go reads")
                }
                _ => (DecodeErrorKind::Truncated, self.member.len(), what),
            };
            return Err(HeaderError { kind, at, what });
        };
        let string = self.take(length).unwrap_or_default();
        self.take(1);
        Ok(string)
    }
}

/// Where in a member the decoder stands.
enum Place {
    Header,
    Body,
    Trailer,
}

struct Gzip<'a> {
    input: Input<'a>,
    place: Place,
    inflate: Inflate<'a>,
    /// Where the member's data start.
    data: usize,
    /// Of the member's content so far.
    crc: crc32fast::Hasher,
    /// Of the member's content so far.
    length: u64,
    frames: Frames,
}

pub(in crate::codec) fn decoder<'a>(blob: &'a [u8], _: &Limits) -> Box<dyn Step + 'a> {
    Box::new(Gzip {
        input: Input::new(blob),
        place: Place::Header,
        inflate: Inflate::new(blob),
        data: 0,
        crc: crc32fast::Hasher::new(),
        length: 0,
        frames: Frames::default(),
    })
}

impl Gzip<'_> {
    fn header(&mut self) -> Result<Progress, DecodeError> {
        let rest = self.input.rest();
        if self.frames.content > 0 {
            if rest.is_empty() {
                return Ok(Progress::End);
            }
            if rest.iter().all(|byte| *byte == 0) {
                self.frames.trailing_zeros = bytes(rest.len());
                self.input.advance(rest.len());
                return Ok(Progress::End);
            }
            if !rest.starts_with(&MAGIC) {
                return Err(self.input.trailing("gzip member"));
            }
        } else if rest.is_empty() {
            return Err(self.input.not_a("gzip"));
        }
        let header = Header::parse(rest).map_err(|error| match error.kind {
            DecodeErrorKind::Truncated => self.input.truncated(&format!("a gzip header: {}", error.what)),
            kind => {
                let at = self.input.at.saturating_add(error.at);
                DecodeError::new(kind, at, format!("gzip header: {}", error.what))
            }
        })?;
        self.input.advance(header.len);
        self.inflate.restart(self.input.rest());
        self.data = self.input.at;
        self.crc = crc32fast::Hasher::new();
        self.length = 0;
        self.place = Place::Body;
        Ok(Progress::Wrote(0))
    }

    fn body(&mut self, out: &mut [u8]) -> Result<Progress, DecodeError> {
        let written = self.inflate.fill(out);
        self.input.at = self.data.saturating_add(self.inflate.consumed());
        let written = written.map_err(|fault| match fault {
            Fault::Truncated => self.input.truncated("a gzip member's data"),
            Fault::Corrupt(what) => {
                self.input.error(DecodeErrorKind::Corrupt, format!("deflate data: {what}"))
            }
        })?;
        self.crc.update(out.get(..written).unwrap_or_default());
        self.length = self.length.wrapping_add(bytes(written));
        if self.inflate.is_done() {
            self.place = Place::Trailer;
        }
        Ok(Progress::Wrote(written))
    }

    fn trailer(&mut self) -> Result<Progress, DecodeError> {
        let Some(&[c0, c1, c2, c3, l0, l1, l2, l3]) = self.input.rest().first_chunk() else {
            return Err(self.input.truncated("a gzip member's trailer"));
        };
        let stored = u32::from_le_bytes([c0, c1, c2, c3]);
        let actual = self.crc.clone().finalize();
        if stored != actual {
            let message = format!("gzip says CRC-32 {stored:08x}, the decoded bytes have {actual:08x}");
            return Err(self.input.error(DecodeErrorKind::Checksum, message));
        }
        let stored = u32::from_le_bytes([l0, l1, l2, l3]);
        if u64::from(stored) != self.length & u64::from(u32::MAX) {
            let message = format!("gzip says {stored} bytes (modulo 2^32), decoded are {}", self.length);
            return Err(self.input.error(DecodeErrorKind::Length, message));
        }
        self.input.advance(8);
        self.frames.content = self.frames.content.saturating_add(1);
        self.place = Place::Header;
        Ok(Progress::Wrote(0))
    }
}

impl Step for Gzip<'_> {
    fn step(&mut self, out: &mut [u8]) -> Result<Progress, DecodeError> {
        match self.place {
            Place::Header => self.header(),
            Place::Body => self.body(out),
            Place::Trailer => self.trailer(),
        }
    }

    fn consumed(&self) -> usize {
        self.input.at
    }

    fn frames(&self) -> Frames {
        self.frames
    }
}
