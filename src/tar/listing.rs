//! The raw listing: one member a line, without loss, for programs and for comparison with other readers.
//!
//! Knows the line's format. Must not judge what it lists.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::Member;

/// A member as `type mode uid gid size mtime name linkname`, TAB between, no newline behind.
///
/// The type is one of `f h l c b d p`, or `?XX` with the type flag in hexadecimal. Of the mode, the twelve permission
/// bits are shown in octal; the time is whole seconds. Bytes of names outside printable ASCII, the space and `%` are written `%XX`, and
/// slashes at a name's end are left out.
pub fn raw_line(member: &Member) -> String {
    let kind = member.kind.letter().map_or_else(|| format!("?{:02x}", member.typeflag), String::from);
    let (mode, time) = (member.mode & 0o7777, member.mtime.secs);
    let mut line = format!("{kind}\t{mode:04o}\t{}\t{}\t{}\t{time}\t", member.uid, member.gid, member.size);
    let mut name = member.name.as_slice();
    while let Some(shorter) = name.strip_suffix(b"/") {
        name = shorter;
    }
    push_quoted(&mut line, name);
    line.push('\t');
    push_quoted(&mut line, &member.link);
    line
}

fn push_quoted(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'!'..=b'~' if *byte != b'%' => line.push(char::from(*byte)),
            _ => line.push_str(&format!("%{byte:02X}")),
        }
    }
}
