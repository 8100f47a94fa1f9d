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
    normalize::MemberOrder,
    rules::{Active, Context, Level, MemberCanon, Rule, apply_all},
    stack::{ListedMember, Placed},
    tar::{AnomalyKind, END, End, GlobalHeader, Kind, Record},
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
        if let Some(either) = l.or(r) {
            let changes = changes(l, r, Depth::Archived, context);
            diff.entries.extend(entry_diff(entry::path(either.listed), l, r, changes));
        }
    }
    diff.changes.extend(order(&pairs, l, r));
    let (a, b) = (globals(left), globals(right));
    if a != b {
        let text = |globals: &[Global<'_>]| {
            let records = globals.iter().flat_map(|(_, records, _)| records.iter());
            let text = |(key, value): &Record| format!("{}={}", show::lossless(key), show::lossless(value));
            (!globals.is_empty()).then(|| records.map(text).collect::<Vec<_>>().join(", "))
        };
        diff.changes.push(Change::new(
            Cause::Rule("layer.global-headers"),
            "global headers",
            text(&a),
            text(&b),
        ));
    }
    let (a, b) = (framing(left), framing(right));
    if a != b && !(is_in_records(left) && is_in_records(right)) {
        diff.changes.push(Change::new(FRAMING, "end of the tar", a, b));
    }
    let (a, b) = (padding(left), padding(right));
    if a != b || !a.is_empty() && diff.changes.is_empty() && diff.entries.is_empty() {
        let text = |places: &[Padding<'_>]| match places {
            [] => "all zero".to_owned(),
            [(first, _), ..] => {
                let places = count(places.len(), "place", "places");
                format!("not zero in {places}, the first behind {}", show::lossless(first))
            }
        };
        diff.changes.push(Change::new(FRAMING, "padding", text(&a), text(&b)));
    }
    if diff.changes.is_empty() && diff.entries.is_empty() {
        let (a, b) = (headers(left), headers(right));
        diff.changes.push(Change::new(Cause::Rule("layer.dialect"), "tar headers", a, b));
    }
    diff
}

pub(super) const FRAMING: Cause = Cause::Rule("layer.framing");

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
        let (layer, listed) = self.tree.get(path)?.file;
        Some(Stored { listed, blob: self.blobs.get(layer).copied().flatten() })
    }

    /// The paths of each file that has more than one, by the first of them.
    fn links(&self) -> BTreeMap<&[u8], Vec<&[u8]>> {
        let mut paths: BTreeMap<(usize, u64), Vec<&[u8]>> = BTreeMap::new();
        for (path, placed) in &self.tree {
            let (layer, file) = placed.file;
            paths.entry((layer, file.member.header_offset)).or_default().push(path);
        }
        let linked = paths.into_values().filter(|paths| paths.len() > 1);
        linked.filter_map(|paths| Some((*paths.first()?, paths))).collect()
    }
}

/// Compares two file systems. Which path of a file is the hard link and which the file makes no difference.
pub(super) fn file_systems(
    left: &FileSystem<'_>,
    right: &FileSystem<'_>,
    context: &Context,
) -> Vec<EntryDiff> {
    let paths: BTreeSet<&Vec<u8>> = left.tree.keys().chain(right.tree.keys()).collect();
    let (links_left, links_right) = (left.links(), right.links());
    let entry = |path: &Vec<u8>| {
        let (l, r) = (left.get(path), right.get(path));
        let mut changes = changes(l, r, Depth::Applied, context);
        let (a, b) = (links_left.get(path.as_slice()), links_right.get(path.as_slice()));
        if a != b {
            changes.push(Change::new(Cause::Content, "hard links", a.map(several), b.map(several)));
        }
        entry_diff(path.clone(), l, r, changes)
    };
    paths.into_iter().filter_map(entry).collect()
}

/// The paths of one file, a few of them in full.
fn several(paths: &Vec<&[u8]>) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| show::lossless(path)).collect();
    let more = paths.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(" = "))
}

/// What differs between two entries of one path.
fn changes(
    left: Option<Stored<'_>>,
    right: Option<Stored<'_>>,
    depth: Depth,
    context: &Context,
) -> Vec<Change> {
    match (left, right) {
        (Some(l), Some(r)) => entry::compare(l.listed, r.listed, depth, context),
        (Some(l), None) => vec![Change::new(Cause::Removed, "entry", summary(l.listed), None)],
        (None, Some(r)) => vec![Change::new(Cause::Added, "entry", None, summary(r.listed))],
        (None, None) => Vec::new(),
    }
}

/// The entries of one path with what differs between them; `None` if nothing does.
fn entry_diff(
    path: Vec<u8>,
    left: Option<Stored<'_>>,
    right: Option<Stored<'_>>,
    changes: Vec<Change>,
) -> Option<EntryDiff> {
    if changes.is_empty() {
        return None;
    }
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
    let mut text = show::kind(member.kind).into_owned();
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
    let sorts = |members: &[ListedMember]| {
        let mut order = MemberOrder::default();
        members.iter().for_each(|listed| order.add(&listed.member));
        order.sorted().is_ok()
    };
    let cause = if sorts(left) && sorts(right) { Cause::Rule("layer.order") } else { Cause::Order };
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

/// Whether the stream stands as `normalize` would frame it.
pub(super) fn is_framed(facts: &LayerFacts) -> bool {
    let ends = facts.outcome.is_some_and(|outcome| {
        let bytes = outcome.bytes;
        outcome.end == End::Marker && bytes.end == END.len() as u64 && bytes.trailing == 0
    });
    ends && padding(facts).is_empty()
}

/// Whether a rule of a level changes any entry: then the whole layer is written anew.
pub(super) fn changes_at(level: Level, facts: &LayerFacts, context: &Context) -> bool {
    let active = Active::new(level);
    let rules: Vec<&MemberCanon> = active.rules().filter_map(Rule::member).collect();
    facts.members.iter().any(|listed| {
        let mut changed = false;
        apply_all(&rules, &mut listed.member.clone(), context, |_| changed = true);
        changed
    })
}

/// A global header's name and records, and the path of the entry it stands before.
type Global<'f> = (&'f [u8], &'f [Record], Option<Vec<u8>>);

fn globals(facts: &LayerFacts) -> Vec<Global<'_>> {
    let behind = |header: &GlobalHeader| {
        let members = &facts.members;
        let at = members.partition_point(|listed| listed.member.header_offset < header.header_offset);
        members.get(at).map(entry::path)
    };
    let globals = facts.globals.iter();
    globals.map(|header| (header.name.as_slice(), header.records.as_slice(), behind(header))).collect()
}

/// An entry behind whose data the padding is not zero, and what is said of it.
type Padding<'f> = (&'f [u8], &'f str);

fn padding(facts: &LayerFacts) -> Vec<Padding<'_>> {
    let found = facts.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::PaddingNotZero);
    found.map(|anomaly| (anomaly.name.as_slice(), anomaly.detail.as_str())).collect()
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

pub(super) const ENCODING: Cause = Cause::Rule("layer.encoding");

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
