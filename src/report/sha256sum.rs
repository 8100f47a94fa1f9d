//! The digests of the archives as `sha256sum` prints them, and `sha256sum -c` and `verify -c` read them.

use std::io::{self, Write};

use super::{Style, form::Stream, wire::Input};
use crate::escape::unescape;

/// Directories have no digest and unreadable files were not hashed: they have no line.
pub(super) const STREAM: Stream = Stream { begin: |_, _| Ok(()), input: line, end: |_, _, _, _| Ok(()) };

/// Names are raw bytes in this format, with coreutils' own escapes; only to a terminal they go escaped as everywhere.
fn line(_: &super::wire::Header, input: &Input, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Some(digest) = input.archive_digest else { return Ok(()) };
    let raw = unescape(&input.name).filter(|_| style.width.is_none());
    let name = raw.unwrap_or_else(|| input.name.clone().into_bytes());
    let odd = |byte: &u8| matches!(byte, b'\\' | b'\n' | b'\r');
    let mut line = Vec::with_capacity(name.len() + 70);
    if name.iter().any(odd) {
        line.push(b'\\');
    }
    line.extend_from_slice(digest.hex().as_bytes());
    line.extend_from_slice(b"  ");
    for byte in name {
        match byte {
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            byte => line.push(byte),
        }
    }
    line.push(b'\n');
    out.write_all(&line)
}
