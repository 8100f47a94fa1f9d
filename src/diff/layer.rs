//! Layers: what differs between two, as entries, as tar streams and as compressed blobs.
//!
//! Knows listed members and stream facts. Must not know documents; opens nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    EntryDiff,
    cause::{Cause, Change},
    culprit::culprit,
    entry::{self, Depth},
    pair::{self, Pair, Pairing},
    show::{self, count},
};
use crate::{
    codec::{
        self, Compression,
        fingerprint::{self, Fingerprint, Maker},
    },
    digest::Digest,
    escape::escape,
    image::BlobId,
    measure::{LayerFacts, LayerFault},
    rules::Context,
    stack::{ListedMember, Placed},
    tar::{End, Kind},
};

/// What differs between two tar streams.
#[derive(Default)]
pub(super) struct StreamDiff {
    pub(super) changes: Vec<Change>,
    pub(super) entries: Vec<EntryDiff>,
}

/// Compares two layers that were listed and whose streams are not the same.
pub(super) fn streams(
    (left_blob, left): (BlobId, &LayerFacts),
    (right_blob, right): (BlobId, &LayerFacts),
    context: &Context,
) -> StreamDiff {
    let mut diff = StreamDiff::default();
    if left.fault.is_some() || right.fault.is_some() {
        diff.changes.push(Change::new(Cause::Content, "readable", readable(left), readable(right)));
    }
    let (l, r) = (&left.members, &right.members);
    let mut pairing = Pairing::new(l.len(), r.len());
    pairing.by_key(l.iter().map(|m| Some(entry::path(m))), r.iter().map(|m| Some(entry::path(m))));
    let pairs = pairing.pairs();
    for pair in &pairs {
        let l = pair.left().and_then(|i| l.get(i)).map(|listed| Stored { listed, blob: Some(left_blob) });
        let r = pair.right().and_then(|i| r.get(i)).map(|listed| Stored { listed, blob: Some(right_blob) });
        diff.entries.extend(entries(l, r, Depth::Archived, context));
    }
    diff.changes.extend(order(&pairs, l, r));
    let (a, b) = (framing(left), framing(right));
    if a != b && !(is_in_records(left) && is_in_records(right)) {
        diff.changes.push(Change::new(Cause::Rule("layer.framing"), "end of the tar", a, b));
    }
    if diff.changes.is_empty() && diff.entries.is_empty() {
        let (a, b) = (headers(left), headers(right));
        diff.changes.push(Change::new(Cause::Rule("layer.dialect"), "tar headers", a, b));
    }
    diff
}

/// An entry and the blob it stands in.
#[derive(Clone, Copy)]
struct Stored<'s> {
    listed: &'s ListedMember,
    blob: Option<BlobId>,
}

/// A merged file system, and the blobs of its layers.
pub(super) struct FileSystem<'f> {
    pub(super) tree: BTreeMap<Vec<u8>, Placed<'f>>,
    pub(super) blobs: Vec<Option<BlobId>>,
}

impl<'f> FileSystem<'f> {
    fn get(&self, path: &[u8]) -> Option<Stored<'f>> {
        let placed = self.tree.get(path)?;
        Some(Stored { listed: placed.listed, blob: self.blobs.get(placed.layer).copied().flatten() })
    }
}

/// Compares two file systems.
pub(super) fn file_systems(
    left: &FileSystem<'_>,
    right: &FileSystem<'_>,
    context: &Context,
) -> Vec<EntryDiff> {
    let paths: BTreeSet<&Vec<u8>> = left.tree.keys().chain(right.tree.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| entries(left.get(path), right.get(path), Depth::Applied, context))
        .collect()
}

/// What differs between two entries of one path; `None` if nothing does.
fn entries(
    left: Option<Stored<'_>>,
    right: Option<Stored<'_>>,
    depth: Depth,
    context: &Context,
) -> Option<EntryDiff> {
    let changes = match (left, right) {
        (Some(l), Some(r)) => entry::compare(l.listed, r.listed, depth, context),
        (Some(l), None) => vec![Change::new(Cause::Removed, "entry", summary(l.listed), None)],
        (None, Some(r)) => vec![Change::new(Cause::Added, "entry", None, summary(r.listed))],
        (None, None) => return None,
    };
    if changes.is_empty() {
        return None;
    }
    let path = entry::path(left.or(right)?.listed);
    let data = |stored: Stored<'_>| {
        let regular = stored.listed.member.kind == Kind::Regular;
        Some((stored.blob.filter(|_| regular)?, stored.listed.member.header_offset))
    };
    let differs = changes.iter().any(|change| change.field == "data");
    let data = left.and_then(data).zip(right.and_then(data)).filter(|_| differs);
    Some(EntryDiff { culprit: culprit(&path), path, changes, data, content: None })
}

/// An entry in a few words.
fn summary(listed: &ListedMember) -> String {
    let member = &listed.member;
    let mut text = show::kind(member.kind).to_owned();
    match member.kind {
        Kind::Regular => text = format!("{text}, {} B", member.size),
        Kind::Symlink | Kind::Hardlink => text = format!("{text} to {}", show::lossless(&member.link)),
        _ => {}
    }
    format!("{text}, mode {:04o}, {}:{}", member.mode & 0o7777, member.uid, member.gid)
}

/// The entries that both have stand in another order.
fn order(pairs: &[Pair], left: &[ListedMember], right: &[ListedMember]) -> Option<Change> {
    let moved = pair::moved(pairs);
    let Some(Pair::Both(l, r)) = moved.first().and_then(|first| pairs.get(*first)) else { return None };
    let unique = |members: &[ListedMember]| {
        let mut paths: Vec<Vec<u8>> = members.iter().map(entry::path).collect();
        paths.sort_unstable();
        paths.windows(2).all(|two| two.first() != two.last())
    };
    // Sorting refuses duplicates: which of them counts depends on their order.
    let cause = if unique(left) && unique(right) { Cause::Rule("layer.order") } else { Cause::Order };
    let text = |members: &[ListedMember], at: usize| {
        members
            .get(at)
            .map(|m| format!("{} is entry {}", show::lossless(&m.member.name), at.saturating_add(1)))
    };
    let field = format!("order, {} elsewhere", count(moved.len(), "entry", "entries"));
    Some(Change::new(cause, field, text(left, *l), text(right, *r)))
}

fn readable(facts: &LayerFacts) -> String {
    match &facts.fault {
        None => "to its end".to_owned(),
        Some(LayerFault::Decode(error)) => format!("damaged: {error}"),
        Some(LayerFault::Unpacked { limit }) => format!("unpacks to more than {limit} B"),
        Some(LayerFault::NotInspected) => "not at all".to_owned(),
    }
}

/// Whether the stream was padded to whole records, as GNU tar does: how much that takes follows from what is in it.
fn is_in_records(facts: &LayerFacts) -> bool {
    const RECORD: u64 = 20 * 512;
    facts.outcome.is_some_and(|outcome| {
        let bytes = outcome.bytes;
        outcome.end == End::Marker && bytes.trailing < RECORD && bytes.total() % RECORD == 0
    })
}

/// How the tar stream ends.
fn framing(facts: &LayerFacts) -> Option<String> {
    let outcome = facts.outcome?;
    let end = match outcome.end {
        End::Marker => "end marker",
        End::HalfMarker => "half an end marker",
        End::NoMarker => "no end marker",
        End::Empty => "no bytes",
        End::Failed => "damaged",
    };
    Some(format!("{end}, {} B behind it", outcome.bytes.trailing))
}

fn headers(facts: &LayerFacts) -> Option<String> {
    let bytes = facts.outcome?.bytes;
    Some(format!("{} B of headers, {} B of extension headers", bytes.header, bytes.extension))
}

/// What differs between two blobs with one stream: all of it is the encoder's.
pub(super) fn encodings(left: &[u8], right: &[u8]) -> Vec<Change> {
    let mut changes = envelopes(left, right);
    if changes.is_empty() {
        let size = |blob: &[u8]| format!("{} B", blob.len());
        changes.push(Change::new(ENCODING, "compressed bytes", size(left), size(right)));
    }
    changes
}

const ENCODING: Cause = Cause::Rule("layer.encoding");

/// How two blobs with different streams are compressed. What another stream is compressed with in the same way follows
/// from it: whoever writes a layer anew compresses it anew.
pub(super) fn compressions(left: &[u8], right: &[u8]) -> Vec<Change> {
    let mut changes = envelopes(left, right);
    if codec::sniff(left) == codec::sniff(right) {
        changes.iter_mut().for_each(|change| change.cause = Cause::Derived);
    }
    changes
}

/// What blobs are compressed with, and by whom: fields of gzip headers, and the encoder where it can be told.
fn envelopes(left: &[u8], right: &[u8]) -> Vec<Change> {
    let (a, b) = (codec::sniff(left), codec::sniff(right));
    if a != b {
        let text =
            |compression: Compression, blob: &[u8]| format!("{}, {} B", compression.name(), blob.len());
        return vec![Change::new(ENCODING, "compression", text(a, left), text(b, right))];
    }
    let (Some(l), Some(r)) = (fingerprint::fingerprint(left), fingerprint::fingerprint(right)) else {
        return Vec::new();
    };
    let level = |flags: u8| match flags {
        2 => "2: best compression".to_owned(),
        4 => "4: fastest".to_owned(),
        other => other.to_string(),
    };
    let os = |os: u8| match os {
        3 => "3: Unix".to_owned(),
        255 => "255: unknown".to_owned(),
        other => other.to_string(),
    };
    let name = |name: &Option<Vec<u8>>| name.as_deref().map(show::lossless);
    let told = l.maker != Maker::Unknown && r.maker != Maker::Unknown && l.maker != r.maker;
    let maker = |made: &Fingerprint, blob: &[u8]| told.then(|| format!("{}, {} B", made.maker, blob.len()));
    let fields = [
        ("gzip MTIME", Some(l.mtime.to_string()), Some(r.mtime.to_string())),
        ("gzip FNAME", name(&l.file_name), name(&r.file_name)),
        ("gzip OS", Some(os(l.os)), Some(os(r.os))),
        ("gzip XFL", Some(level(l.extra_flags)), Some(level(r.extra_flags))),
        ("made by", maker(&l, left), maker(&r, right)),
    ];
    let differ = fields.into_iter().filter(|(_, l, r)| l != r);
    differ.map(|(field, l, r)| Change::new(ENCODING, field, l, r)).collect()
}

/// What a layer is recognised by: its files with their digests, or its directories if it has nothing else.
pub(super) struct Features(HashMap<Vec<u8>, Option<Digest>>);

impl Features {
    pub(super) fn of(members: &[ListedMember]) -> Features {
        let features = |directories: bool| -> HashMap<Vec<u8>, Option<Digest>> {
            let members = members.iter().filter(|m| directories || m.member.kind != Kind::Directory);
            members.map(|listed| (entry::path(listed), listed.digest)).collect()
        };
        let files = features(false);
        Features(if files.is_empty() { features(true) } else { files })
    }

    /// From 0, nothing in common, to 1000: same paths count half, same data the other half.
    pub(super) fn likeness(&self, other: &Features) -> u64 {
        let (small, large) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        let (mut common, mut same) = (0_u64, 0_u64);
        for (path, digest) in &small.0 {
            if let Some(partner) = large.0.get(path) {
                common += 1;
                same += u64::from(partner == digest);
            }
        }
        let all = (self.0.len() as u64).saturating_add(other.0.len() as u64).saturating_sub(common);
        common.saturating_add(same).saturating_mul(500).checked_div(all).unwrap_or(0)
    }
}

/// The words a layer that stands on one side only is shown with.
pub(super) fn alone(facts: Option<&LayerFacts>, size: Option<u64>) -> String {
    let Some(size) = size else { return "not in the archive".to_owned() };
    match facts {
        Some(facts) => {
            let entries = usize::try_from(facts.counts.entries).unwrap_or(usize::MAX);
            format!("{}, {size} B stored", count(entries, "entry", "entries"))
        }
        None => format!("{size} B stored"),
    }
}

/// A step of the history, on one line and not too long.
pub(super) fn step(created_by: &str) -> String {
    let line: Vec<&str> = created_by.split_whitespace().collect();
    escape(line.join(" ").as_bytes()).into_owned()
}
