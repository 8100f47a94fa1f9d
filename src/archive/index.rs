//! What stands in an archive: every member's name, kind and place, and what is odd about them.
//!
//! Indexing a bad archive does not fail: it gives what was seen and what was wrong. Names are cleaned the way all
//! readers of images clean them, links are followed inside the archive only. Must not know what the members mean.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher as _, Hasher},
    ops::Range,
};

use super::Source;
use crate::{
    grade::fault_kinds,
    limits::Limits,
    tar::{self, Anomaly, Kind, Member, Outcome, Walker},
};

/// An entry's number, in archive order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u32);

impl EntryId {
    /// Position in [`EntryIndex::entries`].
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A hard link.
    Hardlink,
    /// A device, a FIFO or something unknown.
    Other,
}

/// One member of the outer archive, or one file of a layout directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name as it stands in the archive.
    pub name: Vec<u8>,
    /// The name without `./`, doubled and trailing slashes.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Link target, for links.
    pub link: Vec<u8>,
    /// Which of the source's files holds the content (0 for a tarball).
    pub file: usize,
    /// Where in that file the content is.
    pub range: Range<usize>,
    /// Offset of the first header block; 0 in directories.
    pub header_offset: u64,
    /// An earlier entry of the same path.
    previous: Option<EntryId>,
}

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

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// To this regular file.
    File(EntryId),
    /// Nowhere.
    Missing,
    /// To something that is no regular file.
    NotAFile(EntryId),
    /// Out of the archive, or in a circle.
    Broken(FaultKind),
}

/// The index of an archive.
#[derive(Debug)]
pub struct EntryIndex<'a> {
    /// All entries in archive order.
    pub entries: Vec<Entry>,
    /// What the tar walk found odd.
    pub anomalies: Vec<Anomaly>,
    /// What is wrong with entries.
    pub faults: Vec<Fault>,
    /// How the tar walk ended; `None` for a directory.
    pub outcome: Option<Outcome>,
    files: Vec<&'a [u8]>,
    last_of: HashMap<Vec<u8>, EntryId>,
}

/// How much of an archive is walked over before its pages are given back.
const WINDOW: usize = 16 << 20;

/// Most hops a link may take.
const MAX_HOPS: usize = 40;

/// Longest path that Linux takes.
const PATH_MAX: usize = 4096;

impl<'a> EntryIndex<'a> {
    /// Indexes a tarball that is in memory.
    pub fn of_tar(bytes: &'a [u8], limits: &Limits) -> EntryIndex<'a> {
        EntryIndex::of_mapped(bytes, limits, |_| ())
    }

    fn of_mapped(bytes: &'a [u8], limits: &Limits, release: impl Fn(Range<usize>)) -> EntryIndex<'a> {
        let mut index = EntryIndex::empty(vec![bytes]);
        index.walk(bytes, limits, release);
        index.audit();
        index
    }

    /// Indexes an opened source.
    pub fn of_source(source: &'a Source, limits: &Limits) -> EntryIndex<'a> {
        if !source.is_directory() {
            let release = |range| source.release(0, range);
            let mut index = EntryIndex::of_mapped(source.bytes(0), limits, release);
            index.outer(source);
            return index;
        }
        let mut index = EntryIndex::empty(Vec::new());
        for (file, path) in source.paths().enumerate() {
            let bytes = source.bytes(file);
            index.files.push(bytes);
            index.push(Entry {
                name: path.to_vec(),
                path: path.to_vec(),
                kind: EntryKind::File,
                link: Vec::new(),
                file,
                range: 0..bytes.len(),
                header_offset: 0,
                previous: None,
            });
        }
        index
    }

    fn empty(files: Vec<&'a [u8]>) -> EntryIndex<'a> {
        EntryIndex {
            entries: Vec::new(),
            anomalies: Vec::new(),
            faults: Vec::new(),
            outcome: None,
            files,
            last_of: HashMap::new(),
        }
    }

    /// Whether the archive was looked at to its end.
    pub fn is_whole(&self) -> bool {
        self.faults.iter().all(|fault| fault.kind != FaultKind::LongTail)
    }

    /// `release` hears which bytes were read.
    fn walk(&mut self, bytes: &[u8], limits: &Limits, release: impl Fn(Range<usize>)) {
        let max_members = limits.max_members.min(limits.max_entries);
        let mut walker = Walker::new(&Limits { max_members, ..limits.clone() });
        let mut start = 0;
        for window in bytes.chunks(WINDOW) {
            walker.feed(window, self);
            let end = window.len().saturating_add(start);
            release(start..end);
            start = end;
            // What follows the end marker may be a hole of many TiB.
            let rest = bytes.len().saturating_sub(end) as u64;
            let trailing = walker.trailing().map(|trailing| trailing.saturating_add(rest));
            if let Some(trailing) = trailing.filter(|trailing| *trailing > limits.max_trailing) {
                let offset = (bytes.len() as u64).saturating_sub(trailing);
                let detail = format!("{trailing} bytes, over the limit of {}", limits.max_trailing);
                self.faults.push(Fault { kind: FaultKind::LongTail, name: Vec::new(), offset, detail });
                break;
            }
        }
        self.outcome = Some(walker.finish(self));
    }

    fn push(&mut self, mut entry: Entry) {
        let id = EntryId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        entry.previous = self.last_of.insert(entry.path.clone(), id);
        self.entries.push(entry);
    }

    /// The entry of that number.
    #[expect(clippy::indexing_slicing, reason = "only this index makes ids, one for each entry")]
    pub fn entry(&self, id: EntryId) -> &Entry {
        &self.entries[id.position()]
    }

    /// An entry's content; empty for anything but a file.
    pub fn bytes(&self, id: EntryId) -> &'a [u8] {
        let entry = self.entry(id);
        self.files.get(entry.file).and_then(|file| file.get(entry.range.clone())).unwrap_or_default()
    }

    /// Whether an entry's content is cut off by the end of the archive.
    pub fn is_cut(&self, id: EntryId) -> bool {
        let entry = self.entry(id);
        self.files.get(entry.file).is_none_or(|file| file.get(entry.range.clone()).is_none())
    }

    /// All regular files below a folder, with their ids; only the last of each path.
    pub fn files_below(&self, folder: &'a str) -> impl Iterator<Item = (EntryId, &Entry)> {
        self.entries.iter().enumerate().filter_map(move |(position, entry)| {
            let id = EntryId(u32::try_from(position).ok()?);
            let last = self.last_of.get(&entry.path) == Some(&id);
            let below =
                entry.path.strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'));
            (last && below && entry.kind == EntryKind::File).then_some((id, entry))
        })
    }

    /// Whether any entry's path is, or begins with the folder, `path`.
    pub fn has_below(&self, path: &str) -> bool {
        self.entries.iter().any(|e| e.path.strip_prefix(path.as_bytes()).is_some_and(|r| r.starts_with(b"/")))
    }

    /// Follows `path`, through links inside the archive, to a regular file. Of several entries of one path the last
    /// counts, as for every reader that extracts.
    pub fn find(&self, path: &[u8]) -> Found {
        let Some(mut path) = clean_path(path) else { return Found::Broken(FaultKind::UnsafeName) };
        for _ in 0..MAX_HOPS {
            let Some(&id) = self.last_of.get(&path) else { return Found::Missing };
            let entry = self.entry(id);
            let target = match entry.kind {
                EntryKind::File => return Found::File(id),
                EntryKind::Directory | EntryKind::Other => return Found::NotAFile(id),
                EntryKind::Hardlink => clean_path(&entry.link),
                EntryKind::Symlink => join_link(&entry.path, &entry.link),
            };
            match target {
                // A hard link to its own name means the entry of that name before it.
                Some(target) if target == path && entry.kind == EntryKind::Hardlink => {
                    match entry.previous.filter(|&id| self.entry(id).kind == EntryKind::File) {
                        Some(id) => return Found::File(id),
                        None => return Found::Broken(FaultKind::LinkLoop),
                    }
                }
                Some(target) => path = target,
                None => return Found::Broken(FaultKind::LinkOutside),
            }
        }
        Found::Broken(FaultKind::LinkLoop)
    }

    /// Whether the entry of this (clean) path is a symbolic link.
    pub fn is_symlink(&self, path: &[u8]) -> bool {
        self.last_of.get(path).is_some_and(|&id| self.entry(id).kind == EntryKind::Symlink)
    }

    fn fault(&mut self, kind: FaultKind, position: usize, detail: String) {
        if let Some(entry) = self.entries.get(position) {
            let fault = Fault { kind, name: entry.name.clone(), offset: entry.header_offset, detail };
            self.faults.push(fault);
        }
    }

    fn audit(&mut self) {
        let obstacles = Obstacles::of(&self.entries);
        // The folder looked at last and the obstacle above it: neighbours in an archive are mostly siblings.
        let mut above: (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
        for position in 0..self.entries.len() {
            let Some(entry) = self.entries.get(position) else { return };
            if entry.path.is_empty() && entry.kind != EntryKind::Directory
                || clean_path(&entry.name).is_none()
            {
                self.fault(FaultKind::UnsafeName, position, String::new());
                continue;
            }
            let previous = entry.previous;
            let (odd, special) = (odd_name(entry), entry.kind == EntryKind::Other);
            let folder = folder_of(&entry.path);
            if folder != above.0 {
                let obstacle = obstacles.at_or_above(&self.entries, folder);
                above = (folder.to_vec(), obstacle.map(<[u8]>::to_vec));
            }
            let obstacle = above.1.clone();
            if let Some(why) = odd {
                self.fault(FaultKind::OddName, position, why.to_owned());
            }
            if special {
                self.fault(FaultKind::SpecialEntry, position, String::new());
            }
            if let Some(previous) = previous {
                self.compare_twins(position, previous.position());
            }
            if let Some(parent) = obstacle {
                let detail = format!("below {}", crate::escape::escape(&parent));
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
        let (path, target) = (entry.path.clone(), crate::escape::escape(&entry.link).into_owned());
        if let Found::Broken(kind) = self.find(&path) {
            self.fault(kind, position, format!("-> {target}"));
        }
    }

    fn outer(&mut self, source: &Source) {
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
    let odd = |byte: &u8| byte.is_ascii_control() || *byte == b'\\';
    entry.name.iter().any(odd).then_some("a control character or a backslash")
}

/// Entries that are no folders, to be found by the hash of their path: looking at all the folders above a path then
/// takes time in proportion to its length, however deep it is.
struct Obstacles {
    hashing: RandomState,
    /// Hash and position, sorted.
    positions: Vec<(u64, usize)>,
}

impl Obstacles {
    fn of(entries: &[Entry]) -> Obstacles {
        let mut obstacles = Obstacles { hashing: RandomState::new(), positions: Vec::new() };
        for (position, entry) in entries.iter().enumerate() {
            if entry.kind != EntryKind::Directory && entry.path.len() <= PATH_MAX {
                let whole = obstacles.prefixes(&entry.path).last();
                obstacles.positions.push((whole.map_or(0, |(_, hash)| hash), position));
            }
        }
        obstacles.positions.sort_unstable();
        obstacles
    }

    /// The length of each beginning of `path` that ends where a component does, and its hash.
    fn prefixes<'p>(&self, path: &'p [u8]) -> impl Iterator<Item = (usize, u64)> + use<'p> {
        let (mut hasher, mut end) = (self.hashing.build_hasher(), 0_usize);
        path.split(|byte| *byte == b'/').map(move |component| {
            hasher.write(component);
            hasher.write_u8(b'/');
            let len = end.saturating_add(component.len());
            end = len.saturating_add(1);
            (len, hasher.finish())
        })
    }

    /// The lowest entry that is no folder and whose path is `folder`, or one above it.
    fn at_or_above<'e>(&self, entries: &'e [Entry], folder: &[u8]) -> Option<&'e [u8]> {
        if folder.len() > PATH_MAX {
            return None;
        }
        self.prefixes(folder).find_map(|(len, hash)| {
            let prefix = folder.get(..len)?;
            let first = self.positions.partition_point(|(known, _)| *known < hash);
            let same = self.positions.get(first..)?.iter().take_while(|(known, _)| *known == hash);
            let mut entries = same.filter_map(|(_, position)| entries.get(*position));
            entries.find(|entry| entry.path == prefix).map(|entry| entry.path.as_slice())
        })
    }
}

/// The folder a path lies in, without its slash; empty at the top.
fn folder_of(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    slash.and_then(|slash| path.get(..slash)).unwrap_or_default()
}

impl tar::Sink for EntryIndex<'_> {
    fn member(&mut self, member: Member) {
        let kind = match member.kind {
            Kind::Regular => EntryKind::File,
            Kind::Directory => EntryKind::Directory,
            Kind::Symlink => EntryKind::Symlink,
            Kind::Hardlink => EntryKind::Hardlink,
            _ => EntryKind::Other,
        };
        let start = usize::try_from(member.data_offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(member.stored).unwrap_or(usize::MAX));
        self.push(Entry {
            path: clean_path(&member.name).unwrap_or_else(|| member.name.clone()),
            name: member.name,
            kind,
            link: member.link,
            file: 0,
            range: start..end,
            header_offset: member.header_offset,
            previous: None,
        });
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}

/// `path` without `.` components, doubled and trailing slashes; `None` if it is absolute or climbs with `..`.
pub(crate) fn clean_path(path: &[u8]) -> Option<Vec<u8>> {
    if path.first() == Some(&b'/') {
        return None;
    }
    let mut clean = Vec::with_capacity(path.len());
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return None,
            part => {
                if !clean.is_empty() {
                    clean.push(b'/');
                }
                clean.extend_from_slice(part);
            }
        }
    }
    Some(clean)
}

/// Where a symbolic link at `path` leads; `None` if that is outside the archive.
fn join_link(path: &[u8], link: &[u8]) -> Option<Vec<u8>> {
    if link.first() == Some(&b'/') {
        return None;
    }
    let mut parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    parts.pop();
    for part in link.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        assert_eq!(join_link(b"id/layer.tar", b"../x.tar").unwrap(), b"x.tar");
        assert_eq!(join_link(b"layer.tar", b"../x.tar"), None);
        assert_eq!(join_link(b"layer.tar", b"/etc/passwd"), None);
        assert_eq!(clean_path(b"./a//b/").unwrap(), b"a/b");
        assert_eq!(clean_path(b"a/../b"), None);
        assert_eq!(clean_path(b"/a"), None);
    }
}
