//! The text that the Python reference prints for `analyze`, to the letter.
//!
//! Programs parse it, so it stands first in our own output wherever the reference could have read the archive. Hidden
//! characters inside documents are the one difference: they are escaped.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Write as _,
};

use crate::{
    codec::Compression,
    escape::escape_text,
    image::{Descriptor, DocId, ImageGraph, Platform},
};

/// Characters of a document that the short form shows.
const SNIP: usize = 600;
/// Most documents the text lists: the reference visits a shared document again for each reference to it, which a
/// hostile file can make as many as it likes.
const MAX_VISITS: usize = 10_000;

/// The reference's text, or `None` where the reference would have failed: without `index.json`, with documents that
/// are missing, not JSON or without `mediaType`, or with outer compression that it does not know.
pub fn reference(graph: &ImageGraph<'_>, outer: Compression, full: bool) -> Option<String> {
    if outer == Compression::Zstd {
        return None;
    }
    let root = graph.root?;
    let mut visits = Vec::new();
    visit(graph, root, None, &mut visits)?;
    let first = visits.get(1)?;
    let mut text = String::new();
    let count = visits.len() - 1;
    let _ = writeln!(text, "The OCI tarball contains an index and {count} manifest(s):\n");
    let _ = writeln!(text, "Image digest: {}", digest(graph, first.document));
    // A document is hashed and cut short once, however often it is visited.
    let mut shown = HashMap::new();
    for (i, visit) in visits.iter().enumerate() {
        let path = graph.place(visit.document).parts.last().map(|path| escape_text(path)).unwrap_or_default();
        let title = if i == 0 { format!("Index ({path})") } else { format!("Manifest {i} ({path})") };
        let platform =
            visit.platform.as_ref().map_or("-".to_owned(), |p| format!("{}/{}", p.os, p.architecture));
        let (digest, contents) = match shown.entry(visit.document) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let contents = std::str::from_utf8(graph.raw(visit.document)).ok()?;
                let contents = if full { escape_text(contents.as_bytes()) } else { snip(contents) };
                new.insert((digest(graph, visit.document), contents))
            }
        };
        let _ = write!(text, "\n{title}:\n  Digest: {digest}\n");
        let _ = writeln!(text, "  Media type: {}", escape_text(visit.media_type.as_bytes()));
        let _ = writeln!(text, "  Platform: {}", escape_text(platform.as_bytes()));
        let _ = writeln!(text, "  Contents: {contents}");
    }
    text.push('\n');
    Some(text)
}

struct Visit {
    document: DocId,
    media_type: String,
    platform: Option<Platform>,
}

fn visit(graph: &ImageGraph<'_>, id: DocId, by: Option<&Descriptor>, visits: &mut Vec<Visit>) -> Option<()> {
    let media_type = graph.document(id).root.as_ref()?.get("mediaType")?.str().ok()?.to_owned();
    let platform = by.and_then(|by| by.platform.clone());
    if visits.len() > MAX_VISITS {
        return None;
    }
    visits.push(Visit { document: id, media_type, platform });
    for child in graph.children(id) {
        let document = graph.document_of(child.target.blob()?)?;
        visit(graph, document, Some(child), visits)?;
    }
    Some(())
}

fn digest(graph: &ImageGraph<'_>, id: DocId) -> String {
    crate::digest::Digest::of(crate::digest::Algorithm::Sha256, graph.raw(id)).to_string()
}

fn snip(contents: &str) -> String {
    let line: String = contents.chars().filter(|c| *c != '\n').collect();
    let count = line.chars().count();
    if count <= SNIP {
        return escape_text(line.as_bytes());
    }
    let start: String = line.chars().take(SNIP).collect();
    format!(
        "{}  [... {} characters omitted. Pass --show-contents to print them in their entirety]",
        escape_text(start.as_bytes()),
        count - SNIP
    )
}
