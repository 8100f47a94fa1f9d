//! The one way from untrusted bytes to something a person may see.
//!
//! Every name, path, message or value that comes out of a file goes through [`escape`] before it reaches standard
//! output, standard error, HTML, Markdown, SARIF or a CI command, on a terminal or not. Printable text stays as it is.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use std::borrow::Cow;

/// Shows `bytes` as text without control, bidi, zero-width or invisible characters; `\` becomes `\\`, other escapes
/// are `\n`, `\t`, `\r`, `\xHH` for a byte that is not UTF-8 and `\u{H}` for a character. A `#` right behind another is
/// one of those too: runners of GitHub and Azure take `##[command]` and `##vso[command]` for commands wherever they stand in
/// a line. [`unescape`] undoes it.
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    let plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && *byte != b'\\';
    if bytes.iter().all(plain) && !bytes.windows(2).any(|pair| pair == b"##") {
        return String::from_utf8_lossy(bytes);
    }
    let mut out = String::with_capacity(bytes.len().saturating_add(8));
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push(&mut out, c);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(out)
}

/// Shows the text of a whole document: as [`escape`], but line breaks, tabs and backslashes stay as they are, so that
/// JSON stays JSON. Not to be undone.
pub fn escape_text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' | '\t' | '\\' => out.push(c),
                c => push(&mut out, c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

fn push(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        c if is_hidden(c) || c == '#' && out.ends_with('#') => {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)))
        }
        c => out.push(c),
    }
}

/// Characters that do not show, move the cursor, or change how their neighbours show.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x34f | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890 | 0x891 | 0x8e2 | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x2000..=0x200f
            | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0
            | 0xfff0..=0xffff | 0x110bd | 0x110cd | 0x13430..=0x1343f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff
            | 0xe000..=0xf8ff | 0xa0 | 0xf0000..=0x10ffff)
}

/// The bytes that [`escape`] showed, or `None` where `text` is nothing it would write.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut buffer = [0; 4];
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        match chars.next()? {
            '\\' => out.push(b'\\'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'r' => out.push(b'\r'),
            'x' => {
                let (high, low) = (chars.next()?.to_digit(16)?, chars.next()?.to_digit(16)?);
                out.push(u8::try_from(high << 4 | low).ok()?);
            }
            'u' => {
                let (digits, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
                out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                chars = rest.chars();
            }
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hidden_characters_show() {
        assert_eq!(escape("a\u{1b}[31m\u{202e}b".as_bytes()), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(escape(b"caf\xe9\n\\"), "caf\\xe9\\n\\\\");
        assert_eq!(escape("grün 日本".as_bytes()), "grün 日本");
    }

    #[test]
    fn no_runner_finds_a_command() {
        assert_eq!(escape(b"a#b ##[stop-commands]x"), "a#b #\\u{23}[stop-commands]x");
        assert_eq!(escape("é####vso[task.x]".as_bytes()), "é#\\u{23}#\\u{23}vso[task.x]");
        assert_eq!(escape_text(b"{\n##[x]}"), "{\n#\\u{23}[x]}");
    }

    proptest! {
        #[test]
        fn unescape_undoes_escape(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(unescape(&escape(&bytes)), Some(bytes));
        }

        #[test]
        fn nothing_hidden_gets_through(text in "\\PC*|.*|[#a\\\\]*") {
            prop_assert!(!escape(text.as_bytes()).chars().any(is_hidden));
            prop_assert!(!escape(text.as_bytes()).contains("##"));
        }
    }
}
