//! The comparison: two graphs and what was measured of them in, differences with causes out.
//!
//! A pure function. Goes from the archive inwards; each part is compared by its own module.

use std::collections::HashMap;

use super::{
    Diff, DocumentDiff, ImageDiff, LayerDiff, LayerMatch, Matched, Options, Relation, RungDiff, Subject,
    archive,
    cause::{Cause, Change, Tally},
    document::{self, Aligned, Role, Text},
    layer::{self, Features, FileSystem},
    pair::{self, Pair, Pairing},
    side::{Opened, Side, pair_layers},
    verdict,
};
use crate::{
    image::{BlobId, DocId, Image, ImageKind, Node},
    json,
    ladder::{self, Rung},
    limits::Limits,
    measure::LayerFacts,
    rules::Context,
    stack::{self, ListedMember},
};

/// Most pairs of layers whose likeness is looked at; an image has 127 layers at most that any engine can run.
const MOST_LIKENESSES: usize = 1 << 16;

/// Compares two sides.
pub(super) fn compare(opened: &Opened<'_>, options: &Options) -> Diff {
    let (left, right) = (opened.left, opened.right);
    // Times of which neither is before the epoch are one at SOURCE_DATE_EPOCH 0 if they are at any other.
    let context = Context { epoch: options.epoch.unwrap_or_default() };
    let comparison = Comparison { opened, options, context: &context };
    let whole = !left.narrowed && !right.narrowed;
    let images: Vec<ImageDiff> =
        opened.pairs.iter(left.images, right.images).map(|(l, r)| comparison.image(l, r, whole)).collect();
    let mut diff = Diff {
        left: subject(left),
        right: subject(right),
        verdict: verdict::Verdict::Different,
        remedy: None,
        tally: Tally::default(),
        archive: if whole { archive::compare(left, right) } else { Vec::new() },
        documents: if whole { comparison.documents() } else { Vec::new() },
        images,
    };
    let archives = left.facts.archive.zip(right.facts.archive).filter(|_| whole);
    let identical = archives.is_some_and(|(l, r)| l == r);
    if let Some((l, r)) = archives.filter(|_| !identical && !options.merged)
        && diff.changes().all(|change| change.cause == Cause::Derived)
    {
        let (l, r) = (l.to_string(), r.to_string());
        diff.archive.push(Change::new(Cause::Rule("archive.form"), "bytes around the members", l, r));
    }
    // Who names a level looks at images: what is around one that is the same does not count.
    let same_image = options.level.is_some() && verdict::same_images(&diff);
    let by_level = |change: &Change| {
        let least = change.cause.rule().and_then(|rule| rule.level);
        same_image || options.level.zip(least).is_some_and(|(level, least)| least <= level)
    };
    diff.retain(|change| options.causes.count(change.cause) && !by_level(change));
    if diff.changes().all(|change| change.cause == Cause::Derived) {
        diff.retain(|_| false);
    }
    diff.tally = diff.changes().collect();
    diff.remedy = (!diff.same()).then(|| verdict::remedy(&diff, options.epoch)).flatten();
    diff.verdict = verdict::verdict(&diff, identical, options.merged);
    diff
}

fn subject(side: &Side<'_>) -> Subject {
    Subject { name: side.name.clone(), layout: side.graph.layout(), errors: side.errors.clone() }
}

struct Comparison<'c> {
    opened: &'c Opened<'c>,
    options: &'c Options,
    context: &'c Context,
}

impl Comparison<'_> {
    /// The documents that hold images together: indexes and `manifest.json`.
    fn documents(&self) -> Vec<DocumentDiff> {
        let (left, right) = (self.opened.left, self.opened.right);
        let mut documents = Vec::new();
        let root = |side: &Side<'_>| side.graph.root;
        if let (Some(l), Some(r)) = (root(left), root(right)) {
            let (l, r) = (Text::of(left.graph, l), Text::of(right.graph, r));
            let widths = (document::width(l.root, "/manifests"), document::width(r.root, "/manifests"));
            let straight = widths == (left.images.len(), right.images.len());
            let manifests =
                Aligned { array: "/manifests", pairs: &self.opened.pairs.0, lone: Some(Cause::Derived) };
            let aligned: &[Aligned<'_>] = if straight { &[manifests] } else { &[] };
            documents.push(self.document(Role::Root, l, r, aligned));
        }
        let indexes = |side: &Side<'_>| -> Vec<DocId> {
            let ids = (0..side.graph.documents.len()).map(DocId::at);
            ids.filter(|id| {
                matches!(side.graph.document(*id).node, Node::Index(_)) && Some(*id) != side.graph.root
            })
            .collect()
        };
        for (l, r) in indexes(left).into_iter().zip(indexes(right)) {
            documents.push(self.document(
                Role::Index,
                Text::of(left.graph, l),
                Text::of(right.graph, r),
                &[],
            ));
        }
        let docker = |side: &Side<'_>| {
            let name = b"manifest.json".as_slice();
            let of_name = |id: &DocId| side.graph.place(*id).parts.last().is_some_and(|part| part == name);
            side.graph.docker.as_ref()?;
            (0..side.graph.documents.len()).map(DocId::at).find(of_name)
        };
        if let (Some(l), Some(r)) = (docker(left), docker(right)) {
            documents.push(self.document(
                Role::DockerManifest,
                Text::of(left.graph, l),
                Text::of(right.graph, r),
                &[],
            ));
        }
        documents
    }

    fn document(&self, role: Role, left: Text<'_>, right: Text<'_>, aligned: &[Aligned<'_>]) -> DocumentDiff {
        DocumentDiff { role, changes: document::compare(role, left, right, aligned, self.context) }
    }

    fn image(&self, left: Option<&Image>, right: Option<&Image>, whole: bool) -> ImageDiff {
        let (sides, empty) = ((self.opened.left, self.opened.right), ImageDiff::default());
        let (l, r) = (left.map(|image| sides.0.of_image(image)), right.map(|image| sides.1.of_image(image)));
        let (Some(left), Some(right)) = (left, right) else {
            let name = |image: &Image| {
                let platform = image.platform.as_ref().map(ToString::to_string);
                let words: Vec<String> = platform.into_iter().chain(image.names.iter().cloned()).collect();
                words.join(" ")
            };
            let attestation = left.or(right).is_some_and(|image| image.kind == ImageKind::Attestation);
            let own = if left.is_some() { Cause::Removed } else { Cause::Added };
            let cause = if attestation { Cause::Rule("archive.attestations") } else { own };
            let change = Change::new(cause, "image", left.map(name), right.map(name));
            return ImageDiff { left: l, right: r, changes: vec![change], ..empty };
        };
        let pairing = self.pair_layers(left, right);
        let pairs = pairing.pairing.pairs();
        let mut changes = Vec::new();
        changes.extend(order(&pairs).filter(|_| !self.options.merged));
        if whole && sides.0.graph.layout() != sides.1.graph.layout() {
            changes.extend(names(left, right));
        }
        let merged = self.options.merged.then(|| self.merged(left, right, &pairs));
        let layers = pairs.iter().map(|pair| self.layer(left, right, *pair, &pairing)).collect();
        let documents = self.documents_of(left, right, &pairs);
        let mut image = ImageDiff { left: l, right: r, changes, documents, layers, merged, ..empty };
        image.rungs = rungs(&image);
        image
    }

    /// Manifest and configuration.
    fn documents_of(&self, left: &Image, right: &Image, pairs: &[Pair]) -> Vec<DocumentDiff> {
        let (a, b) = (self.opened.left.graph, self.opened.right.graph);
        let mut documents = Vec::new();
        if let (Some(l), Some(r)) = (left.manifest, right.manifest) {
            let (l, r) = (Text::of(a, l), Text::of(b, r));
            let width = |text: Text<'_>| document::width(text.root, "/layers");
            let layers = document::follow(pairs, width(l), width(r));
            let aligned = [Aligned { array: "/layers", pairs: &layers, lone: Some(Cause::Derived) }];
            documents.push(self.document(Role::Manifest, l, r, &aligned));
        }
        if let (Some(l), Some(r)) = (left.config, right.config) {
            let (l, r) = (Text::of(a, l), Text::of(b, r));
            let width = |text: Text<'_>| document::width(text.root, "/rootfs/diff_ids");
            let diff_ids = document::follow(pairs, width(l), width(r));
            let history = document::history(l.root, r.root);
            let aligned = [
                Aligned { array: "/rootfs/diff_ids", pairs: &diff_ids, lone: Some(Cause::Derived) },
                Aligned { array: "/history", pairs: &history, lone: None },
            ];
            documents.push(self.document(Role::Config, l, r, &aligned));
        }
        documents
    }

    /// Pairs layers to the end: by diff_id, by what is in them, by position.
    fn pair_layers(&self, left: &Image, right: &Image) -> LayerPairing {
        let (a, b) = (self.opened.left, self.opened.right);
        let mut pairing = pair_layers((a.graph, left), (b.graph, right), self.options.layer_match);
        let by_diff_id: Vec<(usize, usize)> = pairing.joined().collect();
        if self.options.layer_match == LayerMatch::Position {
            return LayerPairing { pairing, by_diff_id: Vec::new(), by_likeness: Vec::new() };
        }
        let features = |side: &Side<'_>, image: &Image, lone: Vec<usize>| -> HashMap<usize, Features> {
            let facts = |at: usize| side.facts(image.layers.get(at)?.blob);
            lone.into_iter().filter_map(|at| Some((at, Features::of(&facts(at)?.members)))).collect()
        };
        let (l, r) = (pairing.lone_left(), pairing.lone_right());
        if l.len().saturating_mul(r.len()) <= MOST_LIKENESSES {
            let (l, r) = (features(a, left, l), features(b, right, r));
            pairing.by_likeness(|i, j| l.get(&i).zip(r.get(&j)).map_or(0, |(l, r)| l.likeness(r)));
        }
        let by_likeness = pairing.joined().collect();
        pairing.by_position();
        LayerPairing { pairing, by_diff_id, by_likeness }
    }

    fn layer(&self, left: &Image, right: &Image, pair: Pair, pairing: &LayerPairing) -> LayerDiff {
        let (a, b) = (self.opened.left, self.opened.right);
        let of = |image: &'_ Image, at: Option<usize>| at.and_then(|at| image.layers.get(at).cloned());
        let (l, r) = (of(left, pair.left()), of(right, pair.right()));
        let (l, r) = (l.and_then(|layer| layer.blob), r.and_then(|layer| layer.blob));
        let (facts_left, facts_right) = (a.facts(l), b.facts(r));
        let count = |facts: Option<&LayerFacts>| facts.map(|facts| facts.members.len());
        let size = |side: &Side<'_>, blob: Option<BlobId>| Some(side.graph.content(blob?).len() as u64);
        let mut diff = LayerDiff {
            left: pair.left(),
            right: pair.right(),
            matched: pairing.matched(pair),
            relation: self.relation(left, right, pair),
            step: step(a, left, pair.left()).or_else(|| step(b, right, pair.right())),
            counts: (count(facts_left), count(facts_right)),
            sizes: (size(a, l), size(b, r)),
            changes: Vec::new(),
            entries: Vec::new(),
        };
        match diff.relation {
            _ if self.options.merged => {}
            Relation::Same => {}
            Relation::Repacked => {
                if let (Some(l), Some(r)) = (l, r) {
                    diff.changes = layer::encodings(a.graph.content(l), b.graph.content(r));
                }
            }
            Relation::Alone => diff.changes.push(if pair.left().is_some() {
                Change::new(Cause::Removed, "layer", layer::alone(facts_left, diff.sizes.0), None)
            } else {
                Change::new(Cause::Added, "layer", None, layer::alone(facts_right, diff.sizes.1))
            }),
            Relation::Differs => match (l.zip(facts_left), r.zip(facts_right)) {
                (Some(l), Some(r)) if left.kind == ImageKind::Image => {
                    let streams = layer::streams(l, r, self.context);
                    diff.changes = layer::compressions(a.graph.content(l.0), b.graph.content(r.0));
                    diff.changes.extend(streams.changes);
                    diff.entries = streams.entries;
                }
                _ => {
                    let (l, r) = (l.map(|l| a.graph.content(l)), r.map(|r| b.graph.content(r)));
                    diff.changes = artifacts(l, r, self.context);
                }
            },
        }
        diff
    }

    fn relation(&self, left: &Image, right: &Image, pair: Pair) -> Relation {
        let Pair::Both(i, j) = pair else { return Relation::Alone };
        let (a, b) = (self.opened.left, self.opened.right);
        let blob = |image: &Image, at: usize| image.layers.get(at).and_then(|layer| layer.blob);
        let (l, r) = (blob(left, i), blob(right, j));
        if let Some(known) = l.zip(r).and_then(|blobs| self.opened.relations.get(&blobs)) {
            return *known;
        }
        let diff_ids = (a.diff_id(left, i), b.diff_id(right, j));
        let same = diff_ids.0 == diff_ids.1 && diff_ids.0.is_some();
        match l.zip(r) {
            Some((l, r)) if a.graph.content(l) == b.graph.content(r) => Relation::Same,
            // Where both were opened, these are measured.
            Some((l, r)) if same && a.facts(Some(l)).is_some() && b.facts(Some(r)).is_some() => {
                Relation::Repacked
            }
            None if same && l.is_none() && r.is_none() => Relation::Same,
            _ => Relation::Differs,
        }
    }

    /// What differs between the file systems that the layers make together.
    fn merged(&self, left: &Image, right: &Image, pairs: &[Pair]) -> Vec<super::EntryDiff> {
        let (a, b) = (self.opened.left, self.opened.right);
        let blobs =
            |image: &Image| -> Vec<Option<BlobId>> { image.layers.iter().map(|layer| layer.blob).collect() };
        let (of_left, of_right) = (blobs(left), blobs(right));
        let members = |side, blob| -> &[ListedMember] {
            Side::facts(side, blob).map(|facts| facts.members.as_slice()).unwrap_or_default()
        };
        // A layer that both have was listed once, on the left.
        let shared: HashMap<usize, usize> = pairs
            .iter()
            .filter_map(|pair| match *pair {
                Pair::Both(i, j) => {
                    let blobs = of_left.get(i).copied().flatten().zip(of_right.get(j).copied().flatten())?;
                    self.opened.relations.contains_key(&blobs).then_some((j, i))
                }
                _ => None,
            })
            .collect();
        let listed_left = of_left.iter().map(|blob| members(a, *blob));
        let listed_right = of_right.iter().enumerate().map(|(j, blob)| match shared.get(&j) {
            Some(i) => members(a, of_left.get(*i).copied().flatten()),
            None => members(b, *blob),
        });
        let left = FileSystem { tree: stack::merge(listed_left), blobs: of_left.clone() };
        let right = FileSystem { tree: stack::merge(listed_right), blobs: of_right.clone() };
        layer::file_systems(&left, &right, self.context)
    }
}

/// How the layers of two images were paired.
struct LayerPairing {
    pairing: Pairing,
    by_diff_id: Vec<(usize, usize)>,
    /// By diff_id or by likeness.
    by_likeness: Vec<(usize, usize)>,
}

impl LayerPairing {
    fn matched(&self, pair: Pair) -> Matched {
        let Pair::Both(left, right) = pair else { return Matched::Alone };
        let both = (left, right);
        if self.by_diff_id.contains(&both) {
            Matched::DiffId
        } else if self.by_likeness.contains(&both) {
            Matched::Content
        } else {
            Matched::Position
        }
    }
}

/// Layers that both have in another order.
fn order(pairs: &[Pair]) -> Option<Change> {
    let moved = pair::moved(pairs);
    let Some(Pair::Both(left, right)) = moved.first().and_then(|first| pairs.get(*first)) else {
        return None;
    };
    let place = |at: &usize| format!("layer {}", at.saturating_add(1));
    Some(Change::new(Cause::Order, "order of layers", place(left), place(right)))
}

/// Names, where they do not stand in documents that can be compared.
fn names(left: &Image, right: &Image) -> Option<Change> {
    let last = |name: &String| name.rsplit(':').next().unwrap_or_default().to_owned();
    let common =
        left.names.iter().any(|l| right.names.iter().any(|r| l == r || last(l) == *r || *l == last(r)));
    let neither = left.names.is_empty() && right.names.is_empty();
    let text = |image: &Image| (!image.names.is_empty()).then(|| image.names.join(", "));
    (!common && !neither).then(|| Change::new(Cause::Rule("archive.names"), "names", text(left), text(right)))
}

/// The step of the history that made a layer.
fn step(side: &Side<'_>, image: &Image, at: Option<usize>) -> Option<String> {
    let history = side.graph.config(image)?.history.as_ref()?;
    let step = history.iter().filter(|step| !step.empty_layer).nth(at?)?;
    step.created_by.as_deref().map(layer::step).filter(|step| !step.is_empty())
}

/// What differs between two layers that cannot be compared as file systems, or of which one is not here.
fn artifacts(left: Option<&[u8]>, right: Option<&[u8]>, context: &Context) -> Vec<Change> {
    let read = |bytes: Option<&[u8]>| json::parse(bytes?, &Limits::default()).root;
    match (left.zip(read(left).as_ref()), right.zip(read(right).as_ref())) {
        (Some((l, a)), Some((r, b))) => {
            let (a, b) = (Text { raw: l, root: Some(a) }, Text { raw: r, root: Some(b) });
            document::compare(Role::Statement, a, b, &[], context)
        }
        _ => {
            let text = |bytes: Option<&[u8]>| {
                Some(bytes.map_or("not in the archive".to_owned(), |bytes| format!("{} B", bytes.len())))
            };
            vec![Change::new(Cause::Content, "layer", text(left), text(right))]
        }
    }
}

/// The rungs of both ladders, from the outside in.
fn rungs(image: &ImageDiff) -> Vec<RungDiff> {
    let (Some(l), Some(r)) = (&image.left, &image.right) else { return Vec::new() };
    let (l, r) = (&l.ladder, &r.ladder);
    let one = |rung, left, right| RungDiff { rung, layers: None, left, right };
    let mut rungs = vec![
        one(Rung::Archive, l.archive, r.archive),
        one(Rung::Index, l.index, r.index),
        one(Rung::Manifest, l.manifest, r.manifest),
        one(Rung::Config, l.config, r.config),
    ];
    for rung in [Rung::Layer, Rung::DiffId] {
        rungs.extend(image.layers.iter().map(|layer| {
            let digest = |ladder: &ladder::Ladder, at: Option<usize>| match rung {
                Rung::Layer => ladder.layers.get(at?).copied().flatten(),
                _ => ladder.diff_ids.get(at?).copied().flatten().map(|id| id.0),
            };
            let layers = Some((layer.left, layer.right));
            RungDiff { rung, layers, left: digest(l, layer.left), right: digest(r, layer.right) }
        }));
    }
    rungs.push(one(Rung::ChainId, l.chain_id.map(|id| id.0), r.chain_id.map(|id| id.0)));
    rungs
}
