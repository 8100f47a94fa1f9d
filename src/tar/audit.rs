//! What a layer's members mean to who unpacks them: paths, duplicates, whiteouts, links, types and modes.
//!
//! Knows the whiteout rules of the OCI image spec (layer.md) and what engines do with odd members. Must not know how
//! members are encoded, and must not keep their names: a layer may have millions.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

use super::Sink;
use super::anomaly::{AnomalyKind, Tally, shown};
use super::member::{Kind, Member};

/// What the name of every whiteout begins with (layer.md, "Whiteouts").
pub const WHITEOUT_PREFIX: &[u8] = b".wh.";
/// The name of an opaque whiteout: all that lower layers have in its directory is hidden.
pub const OPAQUE_WHITEOUT: &[u8] = b".wh..wh..opq";
/// What the names of AUFS's own files begin with; engines skip them.
pub(crate) const AUFS_PREFIX: &[u8] = b".wh..wh.";

/// How many of a path's directories are looked at; no real tree is that deep.
const MAX_DEPTH: usize = 128;
/// How many directories that are no members themselves are remembered.
const MAX_IMPLICIT: usize = 1 << 20;
/// How many bytes of symbolic links' targets are kept.
const MAX_TARGETS: usize = 16 << 20;
/// Longest path, and longest target of a link, that Linux takes, in bytes.
pub const PATH_MAX: usize = 4096;
/// How many parts of paths are looked at for links in a whole layer: hostile ones lead each member through thousands.
const MAX_STEPS: usize = 1 << 24;
/// How many links a path may lead through, as in Linux.
const MAX_HOPS: usize = 40;

/// What is known of a path, as bits.
type Marks = u8;
/// A member has this path.
const PRESENT: Marks = 1;
/// That member is a directory.
const DIRECTORY: Marks = 2;
/// That member is a symbolic link.
const SYMLINK: Marks = 4;
/// A whiteout names this path.
const WHITED: Marks = 8;
/// Members other than whiteouts lie below this path.
const PARENT: Marks = 16;

/// Goes over a layer's members in order and tells what is odd about them.
#[derive(Default)]
pub struct Audit {
    hasher: PathHasher,
    paths: HashMap<PathKey, Marks, BuildHasherDefault<Identity>>,
    /// Directories in `paths` that were no members when they were added.
    implicit: usize,
    /// Targets of symbolic links, as far as there is room.
    targets: HashMap<PathKey, Vec<u8>, BuildHasherDefault<Identity>>,
    target_bytes: usize,
    /// Parts of paths that were looked at for links.
    steps: usize,
    tally: Tally,
    /// The current member's cleaned path; kept to spare an allocation for each.
    path: Vec<u8>,
    /// The directory looked at last and what is above its members: neighbours in an archive are mostly siblings.
    /// Forgotten when a mark changes that it may depend on.
    last: Option<(Vec<u8>, Above)>,
}

/// What the directories above a member say of it.
#[derive(Clone, Copy, Default)]
struct Above {
    /// One of them is a symbolic link.
    through_symlink: bool,
    /// One of them is whited out.
    whited: bool,
    /// The nearest one has other members below it.
    has_siblings: bool,
}

impl Audit {
    /// An audit that has seen no member yet.
    pub fn new() -> Audit {
        Audit::default()
    }

    /// Judges the next member.
    pub fn member(&mut self, member: &Member, sink: &mut impl Sink) {
        self.judge_fields(member, sink);
        let mut path = std::mem::take(&mut self.path);
        path.clear();
        push_clean(&mut path, &member.name);
        if !path.is_empty() {
            let (parent, base) = split_base(&path);
            let whiteout = base.starts_with(WHITEOUT_PREFIX);
            let above = self.look_above(&path, !whiteout, member, sink);
            if whiteout {
                self.judge_whiteout(member, parent, base, &above, sink);
            }
            self.judge_path(member, &path, whiteout, &above, sink);
        }
        self.path = path;
        self.judge_link(member, sink);
    }

    /// Tells what was left out for being too much.
    pub fn finish(self, sink: &mut impl Sink) {
        self.tally.finish(sink, 0);
    }

    fn tell(
        &mut self,
        sink: &mut impl Sink,
        kind: AnomalyKind,
        member: &Member,
        detail: impl FnOnce() -> String,
    ) {
        self.tally.tell(sink, kind, member.header_offset, &member.name, detail);
    }

    /// What can be said without a look at other members.
    fn judge_fields(&mut self, member: &Member, sink: &mut impl Sink) {
        let name = member.name.as_slice();
        let is_overlay =
            |key: &[u8]| key.starts_with(b"trusted.overlay.") || key.starts_with(b"user.overlay.");
        let is_device = matches!(member.kind, Kind::CharDevice | Kind::BlockDevice);
        let overlay_device = member.kind == Kind::CharDevice && (member.devmajor, member.devminor) == (0, 0);
        let is_link = matches!(member.kind, Kind::Hardlink | Kind::Symlink);
        let ends_in_slash = name.ends_with(b"/") && member.kind != Kind::Directory;
        let is_set_id = member.kind == Kind::Regular && member.mode & 0o6000 != 0;
        for (odd, kind) in [
            (name.is_empty(), AnomalyKind::PathEmpty),
            (name.starts_with(b"/"), AnomalyKind::PathAbsolute),
            (name.split(|byte| *byte == b'/').any(|part| part == b".."), AnomalyKind::PathParent),
            (ends_in_slash, AnomalyKind::PathTrailingSlash),
            (is_link && member.link.is_empty(), AnomalyKind::LinkEmpty),
            (!is_link && !member.link.is_empty(), AnomalyKind::LinkUnused),
            (is_device && !overlay_device, AnomalyKind::Device),
            (overlay_device || member.xattrs().any(|(key, _)| is_overlay(key)), AnomalyKind::OverlayMarker),
            (member.xattrs().any(|(key, _)| key == b"security.capability"), AnomalyKind::FileCapability),
        ] {
            if odd {
                self.tell(sink, kind, member, String::new);
            }
        }
        if is_set_id {
            self.tell(sink, AnomalyKind::SetId, member, || format!("mode {:04o}", member.mode & 0o7777));
        }
        if let Kind::Other(typeflag) = member.kind {
            self.tell(sink, AnomalyKind::TypeUnknown, member, || format!("type 0x{typeflag:02x}"));
        }
    }

    /// Looks at the directories above a path, and notes that something lies below them.
    fn look_above(&mut self, path: &[u8], counts: bool, member: &Member, sink: &mut impl Sink) -> Above {
        let parent = split_base(path).0;
        if let Some((_, above)) = self.last.as_ref().filter(|(last, _)| last == parent) {
            return *above;
        }
        let mut above = Above::default();
        let depth = memchr::memchr_iter(b'/', path).count();
        if depth > MAX_DEPTH {
            self.tell(sink, AnomalyKind::PathDeep, member, || format!("{depth} directories"));
        }
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        let mut running = self.hasher.begin();
        let mut hashed = 0;
        for end in ends.take(MAX_DEPTH) {
            running.write(path.get(hashed..end).unwrap_or_default());
            hashed = end;
            let key = running.key();
            let marks = self.paths.get(&key).copied().unwrap_or(0);
            above.through_symlink |= marks & SYMLINK != 0;
            above.whited |= marks & WHITED != 0;
            above.has_siblings = end == parent.len() && marks & PARENT != 0;
            if !counts || marks & PARENT != 0 {
                continue;
            }
            if marks != 0 || self.implicit < MAX_IMPLICIT {
                self.implicit = self.implicit.saturating_add(usize::from(marks == 0));
                self.paths.insert(key, marks | PARENT);
            } else {
                let detail = || format!("more than {MAX_IMPLICIT} directories that are no members");
                self.tell(sink, AnomalyKind::TooManyDirectories, member, detail);
            }
        }
        if counts {
            let mut buffer = self.last.take().map(|(last, _)| last).unwrap_or_default();
            buffer.clear();
            buffer.extend_from_slice(parent);
            self.last = Some((buffer, Above { has_siblings: true, ..above }));
        }
        above
    }

    fn judge_path(
        &mut self,
        member: &Member,
        path: &[u8],
        whiteout: bool,
        above: &Above,
        sink: &mut impl Sink,
    ) {
        let key = self.hasher.key(path);
        let new = match member.kind {
            Kind::Directory => PRESENT | DIRECTORY,
            Kind::Symlink => PRESENT | SYMLINK,
            _ => PRESENT,
        };
        let marks = self.paths.entry(key).or_default();
        let old = *marks;
        if (old | new) & SYMLINK != 0 {
            self.last = None;
        }
        *marks = new | (old & (WHITED | PARENT));
        if old & PRESENT != 0 {
            let both_directories = old & new & DIRECTORY != 0;
            let kind =
                if both_directories { AnomalyKind::DuplicateDirectory } else { AnomalyKind::DuplicatePath };
            self.tell(sink, kind, member, || format!("the path is {}", shown(path)));
        }
        if !whiteout && (above.whited || old & WHITED != 0) {
            self.tell(sink, AnomalyKind::WhiteoutAndPath, member, || "the whiteout comes first".into());
        }
        if above.through_symlink {
            self.judge_path_through_symlink(member, path, sink);
        }
        let length = member.link.len();
        let target_bytes = self.target_bytes.saturating_add(length);
        if member.kind == Kind::Symlink && length <= PATH_MAX && target_bytes <= MAX_TARGETS {
            self.target_bytes = target_bytes;
            self.targets.insert(key, member.link.clone());
        }
    }

    fn judge_path_through_symlink(&mut self, member: &Member, path: &[u8], sink: &mut impl Sink) {
        let resolved = self.resolve(path);
        if self.steps >= MAX_STEPS {
            let detail = || format!("more than {MAX_STEPS} steps through symbolic links");
            self.tell(sink, AnomalyKind::TooManyDirectories, member, detail);
        }
        let kind = match resolved.as_deref().map(|real| (real, self.hasher.key(real))) {
            Some((real, key)) if real != path => {
                let marks = self.paths.entry(key).or_default();
                let taken = *marks & PRESENT != 0;
                *marks |= PRESENT;
                if taken { AnomalyKind::DuplicateThroughSymlink } else { AnomalyKind::PathThroughSymlink }
            }
            _ => AnomalyKind::PathThroughSymlink,
        };
        let detail = || match resolved {
            Some(real) => format!("it leads to {}", shown(&real)),
            None => "the link cannot be followed".into(),
        };
        self.tell(sink, kind, member, detail);
    }

    /// Follows the symbolic links among a path's directories; `None` where that leads too far.
    fn resolve(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        let mut real = Vec::new();
        // For the root and each directory of `real`: where it ends, and its hash.
        let mut above = vec![(0, self.hasher.begin())];
        let mut left = vec![path];
        let mut hops = 0_usize;
        while let Some(rest) = left.pop() {
            if above.len() > MAX_DEPTH || self.steps >= MAX_STEPS {
                return None;
            }
            self.steps = self.steps.saturating_add(1);
            let slash = rest.iter().position(|byte| *byte == b'/');
            let (part, after) = rest.split_at(slash.unwrap_or(rest.len()));
            left.extend(after.get(1..));
            match part {
                b"" | b"." => continue,
                b".." => {
                    above.truncate(above.len().saturating_sub(1).max(1));
                    real.truncate(above.last()?.0);
                    continue;
                }
                _ => {}
            }
            let (parent, mut running) = above.last()?.clone();
            push_clean(&mut real, part);
            running.write(real.get(parent..).unwrap_or_default());
            let is_last = left.is_empty();
            match self.targets.get(&running.key()).filter(|_| !is_last) {
                None => above.push((real.len(), running)),
                Some(_) if hops >= MAX_HOPS => return None,
                Some(target) => {
                    hops = hops.saturating_add(1);
                    if target.starts_with(b"/") {
                        above.truncate(1);
                    }
                    real.truncate(above.last()?.0);
                    left.push(target);
                }
            }
        }
        Some(real)
    }

    fn judge_whiteout(
        &mut self,
        member: &Member,
        parent: &[u8],
        base: &[u8],
        above: &Above,
        sink: &mut impl Sink,
    ) {
        if member.size > 0 || !matches!(member.kind, Kind::Regular | Kind::Hardlink) {
            self.tell(sink, AnomalyKind::WhiteoutWithData, member, || format!("{} bytes", member.size));
        }
        let target = base.strip_prefix(WHITEOUT_PREFIX).unwrap_or_default();
        if base == OPAQUE_WHITEOUT {
            if parent.is_empty() {
                self.tell(sink, AnomalyKind::OpaqueRoot, member, String::new);
            } else if above.has_siblings {
                self.tell(sink, AnomalyKind::OpaqueLate, member, String::new);
            }
        } else if matches!(target, b"" | b"." | b"..") {
            self.tell(sink, AnomalyKind::WhiteoutDot, member, String::new);
        } else if !base.starts_with(AUFS_PREFIX) {
            let mut path = parent.to_vec();
            push_clean(&mut path, target);
            let marks = self.paths.entry(self.hasher.key(&path)).or_default();
            let there = *marks & (PRESENT | PARENT) != 0;
            *marks |= WHITED;
            self.last = None;
            if there {
                self.tell(sink, AnomalyKind::WhiteoutAndPath, member, || "the path comes first".into());
            }
        }
    }

    fn judge_link(&mut self, member: &Member, sink: &mut impl Sink) {
        if member.kind != Kind::Hardlink || member.link.is_empty() {
            return;
        }
        let mut target = Vec::new();
        push_clean(&mut target, &member.link);
        let known = self.paths.get(&self.hasher.key(&target)).is_some_and(|marks| marks & PRESENT != 0);
        let to_itself = target == self.path;
        let detail = || format!("the target is {}", shown(&member.link));
        if split_base(&target).1.starts_with(WHITEOUT_PREFIX) {
            self.tell(sink, AnomalyKind::HardlinkToWhiteout, member, detail);
        } else if !known || to_itself {
            self.tell(sink, AnomalyKind::HardlinkMissing, member, detail);
        }
    }
}

/// Appends a path to a cleaned one: no empty parts, no `.`, and `..` goes up, though never above the root.
fn push_clean(path: &mut Vec<u8>, name: &[u8]) {
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => path.truncate(split_base(path).0.len()),
            part => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(part);
            }
        }
    }
}

/// A cleaned path's directory, empty at the top, and its last part.
pub(crate) fn split_base(path: &[u8]) -> (&[u8], &[u8]) {
    let Some(slash) = memchr::memrchr(b'/', path) else { return (&[], path) };
    let (parent, base) = path.split_at(slash);
    (parent, base.strip_prefix(b"/").unwrap_or_default())
}

/// 128 bits that stand for a path. Nobody can make two paths collide without knowing the process's random keys.
#[derive(Clone, Copy, PartialEq, Eq)]
struct PathKey(u64, u64);

impl Hash for PathKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Two independently keyed hash functions.
#[derive(Default)]
struct PathHasher(RandomState, RandomState);

type Running = <RandomState as BuildHasher>::Hasher;

#[derive(Clone)]
struct RunningKey(Running, Running);

impl PathHasher {
    fn begin(&self) -> RunningKey {
        RunningKey(self.0.build_hasher(), self.1.build_hasher())
    }

    fn key(&self, path: &[u8]) -> PathKey {
        let mut running = self.begin();
        running.write(path);
        running.key()
    }
}

impl RunningKey {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn key(&self) -> PathKey {
        PathKey(self.0.finish(), self.1.finish())
    }
}

/// The hash of a [`PathKey`] within a map: it is random enough as it is.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }
}
