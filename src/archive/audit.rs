//! Looks for what is wrong with an archive's entries.
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

use super::{
    Entry, EntryId, EntryIndex, EntryKind, Found, Source,
    fault::{Fault, FaultKind},
};
use crate::{
    escape::escape,
    tar::{PATH_MAX, TOLD_SINGLY, split_base},
};

impl EntryIndex<'_> {
    /// Tells of a fault, unless there were enough of its kind.
    fn fault(&mut self, kind: FaultKind, position: usize, detail: String) {
        let Some(count) = self.counts.get_mut(kind as usize) else { return };
        *count = count.saturating_add(1);
        if let Some(entry) = self.entries.get(position).filter(|_| *count <= TOLD_SINGLY) {
            let fault = Fault { kind, name: entry.name.clone(), offset: entry.header_offset, detail };
            self.faults.push(fault);
        }
    }

    pub(super) fn audit(&mut self) {
        self.follow_links();
        // The folder looked at last and what blocks it: neighbours in an archive are mostly siblings.
        let mut above: (Vec<u8>, Option<String>) = (Vec::new(), None);
        for position in 0..self.entries.len() {
            let Some(entry) = self.entries.get(position) else { break };
            if entry.is_too_long() {
                self.fault(FaultKind::UnsafeName, position, format!("longer than {PATH_MAX} bytes"));
                continue;
            }
            if entry.is_unsafe || entry.path().is_empty() && entry.kind != EntryKind::Directory {
                self.fault(FaultKind::UnsafeName, position, String::new());
                continue;
            }
            let previous = entry.previous;
            let (odd, kind) = (odd_name(entry), entry.kind);
            let (folder, _) = split_base(entry.path());
            if folder != above.0 {
                let obstacle = self.obstacle(folder).map(|path| format!("below {}", escape(path)));
                above = (folder.to_vec(), obstacle);
            }
            if let Some(why) = odd {
                self.fault(FaultKind::OddName, position, why.to_owned());
            }
            match kind {
                EntryKind::Other => self.fault(FaultKind::SpecialEntry, position, String::new()),
                EntryKind::Sparse => {
                    let detail = "write the archive again without tar's -S".to_owned();
                    self.fault(FaultKind::SparseEntry, position, detail);
                }
                _ => {}
            }
            if let Some(previous) = previous {
                self.compare_twins(position, previous.position());
            }
            if let Some(detail) = above.1.clone() {
                self.fault(FaultKind::ThroughLink, position, detail);
            }
            self.audit_link(position);
        }
        for (&kind, count) in FaultKind::ALL.iter().zip(self.counts) {
            if let Some(more @ 1..) = count.checked_sub(TOLD_SINGLY) {
                let detail = format!("{more} more like this, {count} in all");
                self.faults.push(Fault { kind, name: Vec::new(), offset: 0, detail });
            }
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
        // What two sparse entries hold depends on their maps too.
        let same = this.kind == other.kind
            && this.kind != EntryKind::Sparse
            && this.link == other.link
            && content(this) == content(other);
        let kind = if same { FaultKind::RepeatedEntry } else { FaultKind::DuplicateEntry };
        let detail = format!("also at {:#x}", other.header_offset);
        self.fault(kind, position, detail);
    }

    fn audit_link(&mut self, position: usize) {
        let links = |entry: &&Entry| matches!(entry.kind, EntryKind::Symlink | EntryKind::Hardlink);
        let Some(entry) = self.entries.get(position).filter(links) else { return };
        let target = escape(&entry.link).into_owned();
        if let Found::Broken(kind) = self.follow(EntryId::at(position)) {
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
    // All bytes, whatever the first ones are: compilers turn that into vector code.
    let odd = |odd, byte: &u8| odd | byte.is_ascii_control() | (*byte == b'\\');
    entry.name.iter().fold(false, odd).then_some("a control character or a backslash")
}
