//! Documents: what differs between two JSON documents of the same role, by JSON pointer.
//!
//! Knows which fields only repeat what lies below them. Must not know layers beyond which is paired with which.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    cause::{Cause, Change},
    pair::{self, Pair, Pairing},
    show,
};
use crate::{
    codec::Compression,
    image::{DocId, ImageGraph, REFERENCE},
    json::{self, Edits, Node, Value},
    media::{Media, Packing},
    rules::{Context, DocumentKind, RULES, Rule},
};

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `index.json`.
    Root,
    /// An image index below it.
    Index,
    /// `manifest.json` of a docker-archive.
    DockerManifest,
    /// An image manifest.
    Manifest,
    /// An image configuration.
    Config,
    /// A JSON document that an attestation's layer is.
    Statement,
}

impl Role {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Role::Root => "index.json",
            Role::Index => "index",
            Role::DockerManifest => "manifest.json",
            Role::Manifest => "manifest",
            Role::Config => "config",
            Role::Statement => "statement",
        }
    }

    /// What the rules call it.
    fn kind(self) -> Option<DocumentKind> {
        match self {
            Role::Root => Some(DocumentKind::Root),
            Role::Index => Some(DocumentKind::Index),
            Role::Manifest => Some(DocumentKind::Manifest),
            Role::Config => Some(DocumentKind::Config),
            Role::DockerManifest | Role::Statement => None,
        }
    }

    /// The rule that brings the document's own form to one: white space, order of keys, names of media types.
    fn form(self) -> Cause {
        match self {
            Role::Root | Role::Index | Role::Manifest => Cause::Rule("manifest.form"),
            Role::DockerManifest => Cause::Rule("archive.documents"),
            Role::Config | Role::Statement => Cause::Encoding,
        }
    }
}

/// A document as it stands on one side.
#[derive(Clone, Copy)]
pub(super) struct Text<'d> {
    pub(super) raw: &'d [u8],
    pub(super) root: Option<&'d Node>,
}

impl<'d> Text<'d> {
    pub(super) fn of(graph: &'d ImageGraph<'_>, id: DocId) -> Text<'d> {
        Text { raw: graph.raw(id), root: graph.document(id).root.as_ref() }
    }
}

/// Elements of an array that belong together, wherever they stand.
pub(super) struct Aligned<'a> {
    /// Pointer of the array.
    pub(super) array: &'static str,
    pub(super) pairs: &'a Pairing,
    /// What an element without a partner comes from; `None` if from itself.
    pub(super) lone: &'a dyn Fn(Pair) -> Option<Cause>,
    /// What another order of the elements comes from.
    pub(super) order: Cause,
}

/// What differs between two documents; without a context, between such as no rule changes.
pub(super) fn compare(
    role: Role,
    left: Text<'_>,
    right: Text<'_>,
    aligned: &[Aligned<'_>],
    context: Option<&Context>,
) -> Vec<Change> {
    if left.raw == right.raw {
        return Vec::new();
    }
    let (Some(a), Some(b)) = (left.root, right.root) else {
        let size = |side: Text<'_>| format!("{} B", side.raw.len());
        return vec![Change::new(Cause::Content, "not readable as JSON", size(left), size(right))];
    };
    let mut search = Search { role, left, right, context, changes: Vec::new() };
    let aligned: Vec<&Aligned<'_>> = aligned.iter().filter(|aligned| !aligned.pairs.is_straight()).collect();
    let found = json::differences(a, left.raw, b, right.raw);
    for difference in &found.listed {
        let array = |aligned: &&Aligned<'_>| {
            let below = difference.pointer.strip_prefix(aligned.array);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        if !aligned.iter().any(array) {
            search.add(
                &difference.pointer,
                a.pointer(&difference.pointer),
                b.pointer(&difference.pointer),
                difference,
            );
        }
    }
    for aligned in aligned {
        search.array(aligned, a, b);
    }
    let mut changes = search.changes;
    if found.unlisted > 0 {
        changes.push(Change::new(Cause::Content, format!("{} more", found.unlisted), None, None));
        return changes;
    }
    let form = |side: Text<'_>, root: &Node| {
        let spaces = if spaced(side.raw, root) { "with" } else { "without" };
        format!("{spaces} white space, {} B", side.raw.len())
    };
    let bare_left = bare(left.raw, a, &found.listed, |difference| difference.left.is_some());
    let bare_right = bare(right.raw, b, &found.listed, |difference| difference.right.is_some());
    if changes.is_empty() || bare_left != bare_right {
        let cause = if context.is_some() { role.form() } else { Cause::Encoding };
        changes.push(Change::new(cause, "JSON formatting", form(left, a), form(right, b)));
    }
    changes
}

/// A document's text without the values that differ: what is left is the same on both sides if they are written in the
/// same way.
fn bare(
    raw: &[u8],
    root: &Node,
    found: &[json::Difference],
    is_here: impl Fn(&json::Difference) -> bool,
) -> Option<Vec<u8>> {
    let mut edits = Edits::new();
    let mut lone: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for difference in found.iter().filter(|difference| is_here(difference)) {
        let pointer = difference.pointer.as_str();
        if let (Some(_), Some(_)) = (&difference.left, &difference.right) {
            edits.replace(root.pointer(pointer)?, "null");
        } else if let Some((container, _)) = pointer.rsplit_once('/') {
            lone.entry(container).or_default().insert(pointer.get(container.len()..)?);
        }
    }
    for (container, tokens) in lone {
        let container = root.pointer(container)?;
        edits.remove_fields(container, |key| tokens.contains(json::child("", key).as_str()));
        edits.remove_elements(container, |at| tokens.contains(format!("/{at}").as_str()));
    }
    edits.apply(raw).ok()
}

/// Whether there is white space before the first key: writers put it everywhere or nowhere.
fn spaced(raw: &[u8], root: &Node) -> bool {
    let first = root.object().ok().and_then(<[json::Field]>::first);
    let gap = first.and_then(|field| raw.get(root.span.start..field.key_span.start));
    gap.is_some_and(|gap| gap.len() > 1)
}

struct Search<'s> {
    role: Role,
    left: Text<'s>,
    right: Text<'s>,
    context: Option<&'s Context>,
    changes: Vec<Change>,
}

impl Search<'_> {
    /// Adds one difference; of an object of annotations or labels that stands on one side only, each on its own.
    fn add(&mut self, pointer: &str, left: Option<&Node>, right: Option<&Node>, found: &json::Difference) {
        let (left, right) = (found.left.as_ref().and(left), found.right.as_ref().and(right));
        let fields = match (left, right) {
            (Some(Node { value: Value::Object(fields), .. }), None)
            | (None, Some(Node { value: Value::Object(fields), .. })) => fields.as_slice(),
            _ => &[],
        };
        if fields.is_empty() || !(pointer.ends_with("/annotations") || pointer.ends_with("/Labels")) {
            self.push(pointer.to_owned(), left, right, found.left.clone(), found.right.clone());
            return;
        }
        for field in fields {
            let node = Some(&field.node);
            let text = |raw: &[u8]| {
                String::from_utf8_lossy(raw.get(field.node.span.clone()).unwrap_or_default()).into_owned()
            };
            let (l, r) = (left.map(|_| text(self.left.raw)), right.map(|_| text(self.right.raw)));
            self.push(json::child(pointer, &field.key), left.and(node), right.and(node), l, r);
        }
    }

    fn push(
        &mut self,
        pointer: String,
        left: Option<&Node>,
        right: Option<&Node>,
        left_text: Option<String>,
        right_text: Option<String>,
    ) {
        let cause = self.cause(&pointer, left, right);
        let field = show::lossless(pointer.as_bytes());
        self.changes.push(Change::new(cause, field, left_text, right_text));
    }

    fn cause(&self, pointer: &str, left: Option<&Node>, right: Option<&Node>) -> Cause {
        if derived(self.role, pointer, left, right) {
            return Cause::Derived;
        }
        if let Some(rule) = self.rule(pointer, left, right) {
            return Cause::Rule(rule.id);
        }
        if let Some(id) = self.context.and_then(|_| whole(self.role, pointer, left, right)) {
            return Cause::Rule(id);
        }
        match (left, right) {
            (None, Some(_)) => Cause::Added,
            (Some(_), None) => Cause::Removed,
            _ => Cause::Content,
        }
    }

    /// The rule of the least level that explains the difference of a field.
    fn rule(&self, pointer: &str, left: Option<&Node>, right: Option<&Node>) -> Option<&'static Rule> {
        let (kind, context) = (self.role.kind()?, self.context?);
        let explains = |rule: &&Rule| {
            rule.field()
                .is_some_and(|field| field.covers(kind, pointer) && field.explains(left, right, context))
        };
        RULES.iter().filter(explains).min_by_key(|rule| rule.rank())
    }

    /// Compares the elements of an array that belong together.
    fn array(&mut self, aligned: &Aligned<'_>, a: &Node, b: &Node) {
        let of = |node: &Node| {
            node.pointer(aligned.array).and_then(|node| node.array().ok()).unwrap_or_default().to_vec()
        };
        let (left, right) = (of(a), of(b));
        for pair in aligned.pairs.pairs() {
            let (l, r) = (pair.left().and_then(|i| left.get(i)), pair.right().and_then(|i| right.get(i)));
            let number = pair.left().or(pair.right()).unwrap_or_default();
            let base = json::child(aligned.array, &number.to_string());
            match (l, r) {
                (Some(l), Some(r)) => {
                    for found in json::differences(l, self.left.raw, r, self.right.raw).listed {
                        let (l, r) = (l.pointer(&found.pointer), r.pointer(&found.pointer));
                        self.add(&format!("{base}{}", found.pointer), l, r, &found);
                    }
                }
                (None, None) => {}
                (l, r) => {
                    let text = |node: Option<&Node>, raw: &[u8]| {
                        let raw = raw.get(node?.span.clone()).unwrap_or_default();
                        Some(String::from_utf8_lossy(raw).into_owned())
                    };
                    let own = if l.is_some() { Cause::Removed } else { Cause::Added };
                    let (l, r) = (text(l, self.left.raw), text(r, self.right.raw));
                    self.changes.push(Change::new((aligned.lone)(pair).unwrap_or(own), base, l, r));
                }
            }
        }
        let pairs = aligned.pairs.pairs();
        let moved = pair::moved(&pairs);
        if let Some(Pair::Both(l, r)) = moved.first().and_then(|first| pairs.get(*first)) {
            let place = |at: &usize| format!("element {}", at.saturating_add(1));
            let field = format!("order of {}", aligned.array);
            self.changes.push(Change::new(aligned.order, field, place(l), place(r)));
        }
    }
}

/// Whether a field only repeats what lies below the document: digests, sizes, references.
fn derived(role: Role, pointer: &str, left: Option<&Node>, right: Option<&Node>) -> bool {
    let tokens: Vec<&str> = pointer.split('/').skip(1).collect();
    match (role, tokens.as_slice()) {
        // Whether content is embedded too, say, follows from nothing.
        (
            Role::Root | Role::Index,
            ["manifests", _, "digest" | "size" | "data"] | ["manifests", _, "annotations", REFERENCE],
        )
        | (
            Role::Manifest,
            ["config" | "subject", "digest" | "size" | "data"] | ["layers", _, "digest" | "size" | "data"],
        ) => left.is_some() && right.is_some(),
        (Role::Manifest, ["layers", _])
        | (Role::Config, ["rootfs", "diff_ids", _])
        | (Role::DockerManifest, [_, "Config"] | [_, "Layers", ..] | [_, "LayerSources", ..]) => true,
        (Role::Manifest, ["layers", _, "mediaType"]) => repacked(left, right),
        _ => false,
    }
}

/// What a media type says, if it is one for which rules know another: none that has parameters, or a suffix that nobody
/// knows.
fn known(node: Option<&Node>) -> Option<Media> {
    let name = node?.str().ok()?;
    let media = Media::of(name);
    let unknown = matches!(media, Media::Other | Media::Layer { packing: Packing::Unknown, .. });
    (!unknown && !name.contains(|c: char| c == ';' || c.is_whitespace())).then_some(media)
}

/// What the media type of a manifest's layer says of its compression.
pub(super) fn compression(manifest: Text<'_>, layer: usize) -> Option<Compression> {
    Compression::said_by(known(manifest.root?.pointer(&format!("/layers/{layer}/mediaType")))?)
}

/// Whether two media types differ in the layer's compression only.
fn repacked(left: Option<&Node>, right: Option<&Node>) -> bool {
    let family = |node: Option<&Node>| {
        let name = node?.str().ok()?;
        let stem = name.split(['+']).next()?.trim_end_matches(".gzip").trim_end_matches(".zstd").to_owned();
        matches!(known(node)?, Media::Layer { .. }).then_some(stem)
    };
    let (left, right) = (family(left), family(right));
    left.is_some() && left == right
}

/// The rule about a whole document, or about more than one field's value, that brings both sides to one form.
fn whole(role: Role, pointer: &str, left: Option<&Node>, right: Option<&Node>) -> Option<&'static str> {
    let tokens: Vec<&str> = pointer.split('/').skip(1).collect();
    let one_sided = left.is_none() || right.is_none();
    match (role, tokens.as_slice()) {
        (Role::Root, ["manifests", _, "platform"]) if one_sided => Some("archive.platform"),
        (Role::Root | Role::Index | Role::Manifest, [.., "annotations"])
            if one_sided
                && left.or(right).is_some_and(|node| node.object().is_ok_and(<[json::Field]>::is_empty)) =>
        {
            Some("manifest.form")
        }
        // A document's own media type is written where there is none; a descriptor's is not.
        (Role::Root | Role::Index | Role::Manifest, ["mediaType"]) if one_sided => {
            known(left.or(right)).map(|_| "manifest.form")
        }
        (Role::Root | Role::Index | Role::Manifest, [.., "mediaType"]) => {
            let same = match (known(left)?, known(right)?) {
                (Media::Layer { foreign: l, .. }, Media::Layer { foreign: r, .. }) => l == r,
                (l, r) => l == r,
            };
            same.then_some("manifest.form")
        }
        (Role::DockerManifest, [_, "RepoTags"]) if !holds_any(left) && !holds_any(right) => {
            Some("archive.documents")
        }
        (Role::DockerManifest, [_, "RepoTags", ..]) => Some("archive.names"),
        (Role::DockerManifest, [_, "Parent"]) => Some("archive.documents"),
        _ => None,
    }
}

/// Whether a list has elements: none, `null` and an empty one mean the same.
fn holds_any(list: Option<&Node>) -> bool {
    list.is_some_and(|list| list.value != Value::Null && list.array().map_or(true, |list| !list.is_empty()))
}

/// Which steps of two histories belong together: those of the same command, then those between the same neighbours.
pub(super) fn history(left: Option<&Node>, right: Option<&Node>) -> Pairing {
    let steps = |root: Option<&Node>| {
        root.and_then(|root| root.pointer("/history")?.array().ok()).unwrap_or_default().to_vec()
    };
    let key = |step: &Node| {
        let text = |key: &str| step.get(key).and_then(|node| node.str().ok()).map(str::to_owned);
        Some((text("created_by"), step.get("empty_layer").and_then(|node| node.bool().ok())))
    };
    let (left, right) = (steps(left), steps(right));
    let mut pairing = Pairing::new(left.len(), right.len());
    pairing.by_key(left.iter().map(key), right.iter().map(key));
    pairing.by_position();
    pairing
}

/// How many elements an array has.
pub(super) fn width(root: Option<&Node>, array: &str) -> usize {
    root.and_then(|root| root.pointer(array)?.array().ok()).map_or(0, <[Node]>::len)
}

/// A pairing of arrays that follows that of what they describe: `layers` and `rootfs.diff_ids` follow the layers.
pub(super) fn follow(pairs: &[Pair], left: usize, right: usize) -> Pairing {
    let mut pairing = Pairing::new(left, right);
    for pair in pairs {
        if let Pair::Both(l, r) = pair {
            pairing.join(*l, *r);
        }
    }
    pairing
}
