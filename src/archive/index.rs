//! What stands in an archive: every member's name, kind and place, and what is odd about them.
//!
//! Indexing a bad archive does not fail: it gives what was seen and what was wrong. Names are cleaned the way all
//! readers of images clean them. Must not know what the members mean.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use std::{borrow::Cow, collections::HashMap, ops::Range};

use hashbrown::{HashTable, hash_table};

use super::{
    Source,
    fault::{Fault, FaultKind},
    path::{PathHashing, clean_path},
};
use crate::{
    limits::Limits,
    tar::{self, Anomaly, Kind, Member, Outcome, PATH_MAX, Walker},
};

/// An entry's number, in archive order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u32);

impl EntryId {
    pub(super) fn at(position: usize) -> EntryId {
        EntryId(u32::try_from(position).unwrap_or(u32::MAX))
    }

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
    /// A file that is stored sparse: its bytes in the archive are not its content.
    Sparse,
    /// A device, a FIFO or something unknown.
    Other,
}

/// One member of the outer archive, or one file of a layout directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name as it stands in the archive, of one that is too long its beginning.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Link target, for links; of one that is too long its beginning.
    pub link: Vec<u8>,
    /// Which of the source's files holds the content (0 for a tarball).
    pub file: usize,
    /// Where in that file the content is.
    pub range: Range<usize>,
    /// Offset of the first header block; 0 in directories.
    pub header_offset: u64,
    /// The entry whose content this is: itself, or the one that a hard link is another name of; `None` where a hard
    /// link's target was not before it.
    pub(super) origin: Option<EntryId>,
    /// The path, where it is not the name itself.
    path: Option<Vec<u8>>,
    /// The name is absolute, climbs out or is too long: nothing is found by it.
    pub(super) is_unsafe: bool,
    /// An earlier entry of the same path.
    pub(super) previous: Option<EntryId>,
    /// There is a later entry of the same path.
    superseded: bool,
    /// This, or an earlier entry of the same path, is no directory.
    pub(super) is_obstacle: bool,
}

impl Entry {
    /// The name without `./`, doubled and trailing slashes; a name that leads out of the archive as it is.
    pub fn path(&self) -> &[u8] {
        self.path.as_deref().unwrap_or(&self.name)
    }

    /// Whether the name is longer than any system takes.
    pub(super) fn is_too_long(&self) -> bool {
        self.name.len() > PATH_MAX
    }
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
    pub(super) files: Vec<&'a [u8]>,
    /// How many faults there are of each kind, told or not.
    pub(super) counts: [u64; FaultKind::ALL.len()],
    hashing: PathHashing,
    /// The last entry of each path, with the path's hash: a table that grows need not look at the paths again.
    by_path: HashTable<(u64, EntryId)>,
    pub(super) ends: Ends,
}

/// Where an entry's content and header are.
struct Place {
    file: usize,
    range: Range<usize>,
    header_offset: u64,
}

/// How much of an archive is walked over before its pages are given back.
const WINDOW: usize = 16 << 20;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// To this regular file.
    File(EntryId),
    /// Nowhere.
    Missing,
    /// To something that is no regular file.
    NotAFile(EntryId),
    /// To a file that is stored sparse.
    Sparse(EntryId),
    /// Out of the archive, or in a circle.
    Broken(FaultKind),
}

/// Where each entry that is a symbolic link, or a hard link to one, leads in the end, and over how many of them. Each is
/// joined with its path once, however many others lead over it.
pub(super) type Ends = HashMap<EntryId, (Found, u8)>;

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
            index.push(
                path.to_vec(),
                EntryKind::File,
                Vec::new(),
                Place { file, range: 0..bytes.len(), header_offset: 0 },
            );
        }
        index.audit();
        index
    }

    fn empty(files: Vec<&'a [u8]>) -> EntryIndex<'a> {
        EntryIndex {
            entries: Vec::new(),
            anomalies: Vec::new(),
            faults: Vec::new(),
            outcome: None,
            files,
            counts: [0; FaultKind::ALL.len()],
            hashing: PathHashing::default(),
            by_path: HashTable::new(),
            ends: Ends::new(),
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

    fn push(&mut self, mut name: Vec<u8>, kind: EntryKind, mut link: Vec<u8>, place: Place) {
        // They may be a MiB long, and a hostile archive full of them. One byte more than Linux takes tells that it is so.
        for text in [&mut name, &mut link] {
            text.truncate(PATH_MAX.saturating_add(1));
            text.shrink_to_fit();
        }
        let (path, is_unsafe) = match clean_path(&name) {
            _ if name.len() > PATH_MAX => (None, true),
            Some(Cow::Borrowed(_)) => (None, false),
            Some(Cow::Owned(path)) => (Some(path), false),
            None => (None, true),
        };
        let Place { file, range, header_offset } = place;
        let id = EntryId::at(self.entries.len());
        let origin = if kind == EntryKind::Hardlink { self.origin(&link) } else { Some(id) };
        let is_obstacle = kind != EntryKind::Directory;
        let (previous, superseded) = (None, false);
        let mut entry = Entry {
            name,
            kind,
            link,
            file,
            range,
            header_offset,
            origin,
            path,
            is_unsafe,
            previous,
            superseded,
            is_obstacle,
        };

        let (entries, hashing) = (&mut self.entries, &self.hashing);
        if is_unsafe {
            return entries.push(entry);
        }
        let path_of = |id: &EntryId| entries.get(id.position()).map_or(&b""[..], Entry::path);
        let hash = hashing.whole(entry.path());
        let same = |(_, id): &(u64, EntryId)| path_of(id) == entry.path();
        match self.by_path.entry(hash, same, |(hash, _)| *hash) {
            hash_table::Entry::Vacant(slot) => {
                slot.insert((hash, id));
            }
            hash_table::Entry::Occupied(mut slot) => {
                entry.previous = Some(std::mem::replace(slot.get_mut(), (hash, id)).1);
            }
        }
        if let Some(previous) = entry.previous.and_then(|id| entries.get_mut(id.position())) {
            previous.superseded = true;
            entry.is_obstacle |= previous.is_obstacle;
        }
        entries.push(entry);
    }

    /// The last entry of this (clean) path.
    pub(super) fn last_of(&self, path: &[u8]) -> Option<EntryId> {
        self.last_with(self.hashing.whole(path), path)
    }

    fn last_with(&self, hash: u64, path: &[u8]) -> Option<EntryId> {
        self.by_path.find(hash, |(_, id)| self.entry(*id).path() == path).map(|(_, id)| *id)
    }

    /// The highest path that is `folder` or above it, and at which something that is no folder stands.
    pub(super) fn obstacle(&self, folder: &[u8]) -> Option<&[u8]> {
        if folder.len() > PATH_MAX {
            return None;
        }
        self.hashing.prefixes(folder).find_map(|(len, hash)| {
            let entry = self.entry(self.last_with(hash, folder.get(..len)?)?);
            entry.is_obstacle.then_some(entry.path())
        })
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

    /// All regular files below a folder, with their ids; only the last of each path.
    pub fn files_below(&self, folder: &'a str) -> impl Iterator<Item = (EntryId, &Entry)> {
        self.entries.iter().enumerate().filter_map(move |(position, entry)| {
            let id = EntryId::at(position);
            let is_below =
                entry.path().strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
            let counts = !entry.is_unsafe && !entry.superseded;
            (counts && is_below && entry.kind == EntryKind::File).then_some((id, entry))
        })
    }

    /// Whether any entry's path is, or begins with the folder, `path`.
    pub fn has_below(&self, path: &str) -> bool {
        self.entries
            .iter()
            .any(|e| e.path().strip_prefix(path.as_bytes()).is_some_and(|r| r.starts_with(b"/")))
    }
}

impl tar::Sink for EntryIndex<'_> {
    fn member(&mut self, member: Member) {
        let kind = match member.kind {
            Kind::Regular if member.sparse.is_some() => EntryKind::Sparse,
            Kind::Regular => EntryKind::File,
            Kind::Directory => EntryKind::Directory,
            Kind::Symlink => EntryKind::Symlink,
            Kind::Hardlink => EntryKind::Hardlink,
            _ => EntryKind::Other,
        };
        let start = usize::try_from(member.data_offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(member.stored).unwrap_or(usize::MAX));
        let place = Place { file: 0, range: start..end, header_offset: member.header_offset };
        self.push(member.name, kind, member.link, place);
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}
