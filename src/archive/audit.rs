//! What can be wrong with an archive's entries, and who looks for it.
//!
//! Judges entries by their names, kinds and links alone. Must not know what the members mean.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use super::{Entry, EntryIndex, EntryKind, Found, Source, index::PATH_MAX, path::folder_of};
use crate::{escape::escape, grade::fault_kinds};

fault_kinds! {
    /// What can be wrong with an archive's entries.
    FaultKind {
        DuplicateEntry Error "archive.duplicate-entry"
            "one name stands twice in the archive, with different content"
            "skopeo's docker reader and crane take the first, docker load and GNU tar the last: two images in one file"
        RepeatedEntry Warning "archive.repeated-entry"
            "one name stands twice in the archive, with the same content"
            "all readers get the same bytes, but no tool writes such archives on purpose"
        UnsafeName Error "archive.unsafe-name"
            "an entry's name is empty, absolute or climbs out with `..`"
            "a reader that extracts it writes outside its folder"
        OddName Warning "archive.odd-name"
            "an entry's name holds control characters or backslashes, or is longer than any system takes"
            "it shows as something else, climbs out on systems where `\\` parts folders, or cannot be extracted"
        SpecialEntry Warning "archive.special-entry"
            "an entry is a device, a FIFO or of an unknown type"
            "no tool writes such things into an image archive; a reader that extracts it as root makes them"
        ThroughLink Error "archive.through-link"
            "an entry stands below a link or a file"
            "a reader that extracts it follows the link and writes elsewhere"
        LinkOutside Error "archive.link-outside"
            "a link leads out of the archive"
            "a reader that follows it reads files of the machine instead of the image"
        LinkLoop Error "archive.link-loop"
            "links lead in a circle"
            "there is no content behind such a name"
        LongTail Error "archive.long-tail"
            "more follows the archive's end marker than the limit"
            "it was not looked at; no tool writes such archives, and what is there costs time or hides something"
        OuterCompression Note "archive.outer-compression"
            "the archive as a whole is compressed"
            "docker load takes it, skopeo does not"
        OuterDamaged Error "archive.outer-damaged"
            "the archive's outer compression is damaged"
            "what comes after the damage cannot be read"
    }
}

/// Something wrong with one entry.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// The entry's name as it stands in the archive; empty for the archive as a whole.
    pub name: Vec<u8>,
    /// Offset of its header.
    pub offset: u64,
    /// More, in words.
    pub detail: String,
}

impl EntryIndex<'_> {
    fn fault(&mut self, kind: FaultKind, position: usize, detail: String) {
        if let Some(entry) = self.entries.get(position) {
            let fault = Fault { kind, name: entry.name.clone(), offset: entry.header_offset, detail };
            self.faults.push(fault);
        }
    }

    pub(super) fn audit(&mut self) {
        // The folder looked at last and what blocks it: neighbours in an archive are mostly siblings.
        let mut above: (Vec<u8>, Option<String>) = (Vec::new(), None);
        for position in 0..self.entries.len() {
            let Some(entry) = self.entries.get(position) else { return };
            if entry.is_unsafe || entry.path().is_empty() && entry.kind != EntryKind::Directory {
                self.fault(FaultKind::UnsafeName, position, String::new());
                continue;
            }
            let previous = entry.previous;
            let (odd, special) = (odd_name(entry), entry.kind == EntryKind::Other);
            let folder = folder_of(entry.path());
            if folder != above.0 {
                let obstacle = self.obstacle(folder).map(|path| format!("below {}", escape(path)));
                above = (folder.to_vec(), obstacle);
            }
            if let Some(why) = odd {
                self.fault(FaultKind::OddName, position, why.to_owned());
            }
            if special {
                self.fault(FaultKind::SpecialEntry, position, String::new());
            }
            if let Some(previous) = previous {
                self.compare_twins(position, previous.position());
            }
            if let Some(detail) = above.1.clone() {
                self.fault(FaultKind::ThroughLink, position, detail);
            }
            self.audit_link(position);
        }
    }

    fn compare_twins(&mut self, position: usize, previous: usize) {
        let (Some(this), Some(other)) = (self.entries.get(position), self.entries.get(previous)) else {
            return;
        };
        if this.kind == EntryKind::Directory && other.kind == EntryKind::Directory {
            return;
        }
        let content =
            |entry: &Entry| self.files.get(entry.file).and_then(|file| file.get(entry.range.clone()));
        let same = this.kind == other.kind && this.link == other.link && content(this) == content(other);
        let kind = if same { FaultKind::RepeatedEntry } else { FaultKind::DuplicateEntry };
        let detail = format!("also at {:#x}", other.header_offset);
        self.fault(kind, position, detail);
    }

    fn audit_link(&mut self, position: usize) {
        let links = |entry: &&Entry| matches!(entry.kind, EntryKind::Symlink | EntryKind::Hardlink);
        let Some(entry) = self.entries.get(position).filter(links) else { return };
        let target = escape(&entry.link).into_owned();
        if let Found::Broken(kind) = self.find(entry.path()) {
            self.fault(kind, position, format!("-> {target}"));
        }
    }

    pub(super) fn outer(&mut self, source: &Source) {
        let mut fault = |kind, offset, detail| {
            self.faults.push(Fault { kind, name: Vec::new(), offset, detail });
        };
        if source.outer() != crate::codec::Compression::Plain {
            fault(FaultKind::OuterCompression, 0, source.outer().name().to_owned());
        }
        if let Some(error) = source.outer_fault() {
            fault(FaultKind::OuterDamaged, error.offset, error.to_string());
        }
    }
}

/// What is odd about an entry's name, if anything.
fn odd_name(entry: &Entry) -> Option<&'static str> {
    if entry.name.len() > PATH_MAX {
        return Some("longer than 4096 bytes");
    }
    // All bytes, whatever the first ones are: compilers turn that into vector code.
    let odd = |odd, byte: &u8| odd | byte.is_ascii_control() | (*byte == b'\\');
    entry.name.iter().fold(false, odd).then_some("a control character or a backslash")
}
