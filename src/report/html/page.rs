//! The shell: head, style, script, and the one way to put text into it.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::digest::{Algorithm, Digest};

const STYLE: &str = include_str!("style.css");
/// Adds filters to tables and copies digests; without it everything is still there to read.
const SCRIPT: &str = include_str!("script.js");

/// Writes a page with that title (text, not markup) around what `body` writes.
///
/// # Errors
/// What `out` fails with.
pub fn page(
    title: &str,
    out: &mut dyn Write,
    body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let script = BASE64_STANDARD.encode(Digest::of(Algorithm::Sha256, SCRIPT.as_bytes()).bytes());
    writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'\">"
    )?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<meta name=\"color-scheme\" content=\"light dark\">")?;
    writeln!(out, "<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>", quote(title))?;
    body(out)?;
    writeln!(out, "<footer>repro-build {}</footer>", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

/// Text as it stands inside HTML or XML elements and quoted attributes.
pub fn quote(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}
