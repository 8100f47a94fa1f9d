//! Outer archives: what differs around the images.
//!
//! Knows member headers of the outer tar and which files documents refer to. Must not look into blobs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    cause::{Cause, Change},
    pair::{self, Pair, Pairing},
    show,
    side::{Outer, Side},
};
use crate::{
    archive::{EntryId, EntryKind, Found},
    stack,
    tar::Member,
};

const FORM: Cause = Cause::Rule("archive.form");
const LAYOUT_FILE: &[u8] = b"oci-layout";

/// What differs between two outer archives.
pub(super) fn compare(left: &Side<'_>, right: &Side<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut tell = |cause: Cause, field: &'static str, left: Option<String>, right: Option<String>| {
        if left != right {
            changes.push(Change::new(cause, field, left, right));
        }
    };
    let layout = |side: &Side<'_>| Some(side.graph.layout().to_owned());
    tell(Cause::Rule("archive.layout"), "layout", layout(left), layout(right));
    let compression = |side: &Side<'_>| Some(side.source.outer().name().to_owned());
    tell(FORM, "outer compression", compression(left), compression(right));
    let container = |side: &Side<'_>| Some(if side.outer.is_some() { "tar" } else { "directory" }.to_owned());
    tell(FORM, "container", container(left), container(right));
    if let (Some(l), Some(r)) = (&left.outer, &right.outer) {
        for (field, value) in FIELDS {
            let (l, r) = (values(l, *value), values(r, *value));
            if l != r {
                tell(FORM, field, Some(several(l)), Some(several(r)));
            }
        }
        let end = |outer: &Outer| {
            Some(format!("{:?}, {} B behind it", outer.outcome.end, outer.outcome.bytes.trailing))
        };
        tell(FORM, "end of the tar", end(l), end(r));
        changes.extend(order(&l.members, &r.members));
    }
    if left.graph.layout() == right.graph.layout() {
        let (l, r) = (unreferenced(left), unreferenced(right));
        let paths: BTreeSet<&Vec<u8>> = l.keys().chain(r.keys()).collect();
        for path in paths.into_iter().filter(|path| l.get(*path) != r.get(*path)) {
            let size =
                |files: &BTreeMap<Vec<u8>, &[u8]>| files.get(path).map(|bytes| format!("{} B", bytes.len()));
            let rule = if path == LAYOUT_FILE { "archive.documents" } else { "archive.unreferenced" };
            changes.push(Change::new(Cause::Rule(rule), show::lossless(path), size(&l), size(&r)));
        }
    }
    changes
}

/// A field's name, and how to show it.
type Shown = (&'static str, fn(&Member) -> Option<String>);

/// Values of an outer tar's member headers, of which each side has a set.
const FIELDS: &[Shown] = &[
    ("members' times", |m| Some(show::time(m.mtime))),
    ("members' modes", |m| Some(format!("{:04o}", m.mode))),
    ("members' owners", |m| {
        Some(format!("{}:{} {}:{}", m.uid, m.gid, show::lossless(&m.uname), show::lossless(&m.gname)))
    }),
    ("members' dialect", |m| Some(m.dialect.name().to_owned())),
    ("members' types", |m| Some(show::kind(m.kind).into_owned())),
    ("names begin with", |m| m.name.starts_with(b"./").then(|| "./".to_owned())),
];

fn values(outer: &Outer, value: fn(&Member) -> Option<String>) -> BTreeSet<String> {
    outer.members.iter().filter_map(value).collect()
}

/// The distinct values of a field, a few of them in full.
fn several(values: BTreeSet<String>) -> String {
    const SHOWN: usize = 3;
    let more = values.len().saturating_sub(SHOWN);
    let mut text = values.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Members that both have in another order. Names of blobs differ with their content and do not count.
fn order(left: &[Member], right: &[Member]) -> Option<Change> {
    let paths = |members: &[Member]| -> Vec<Option<Vec<u8>>> {
        members.iter().map(|member| Some(stack::path_of(&member.name))).collect()
    };
    let mut pairing = Pairing::new(left.len(), right.len());
    pairing.by_key(paths(left), paths(right));
    let pairs = pairing.pairs();
    let moved = pair::moved(&pairs);
    let Some(Pair::Both(l, r)) = moved.first().and_then(|first| pairs.get(*first)) else { return None };
    let text = |members: &[Member], at: usize| {
        let name = members.get(at).map(|member| show::lossless(&member.name)).unwrap_or_default();
        format!("{name} is member {}", at.saturating_add(1))
    };
    Some(Change::new(FORM, "members' order", text(left, *l), text(right, *r)))
}

/// Files that no document refers to, with their content; `oci-layout`, which says nothing of an image, among them.
fn unreferenced<'s>(side: &'s Side<'_>) -> BTreeMap<Vec<u8>, &'s [u8]> {
    let index = side.graph.index;
    let referenced: HashSet<EntryId> = side
        .graph
        .blobs
        .iter()
        .filter_map(|blob| blob.entry)
        .filter(|id| index.entry(*id).path() != LAYOUT_FILE)
        .collect();
    let files = index.entries.iter().filter(|entry| entry.kind == EntryKind::File);
    files
        .filter_map(|entry| match index.find(entry.path()) {
            Found::File(id) if !referenced.contains(&id) => Some((entry.path().to_vec(), index.bytes(id))),
            _ => None,
        })
        .collect()
}
