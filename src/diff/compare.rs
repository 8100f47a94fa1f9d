//! The comparison: two graphs and what was measured of them in, differences with causes out.
//!
//! A pure function. Goes from the archive inwards; each part is compared by its own module.

use std::collections::HashMap;

use super::{
    Diff, DocumentDiff, ImageDiff, LayerDiff, LayerMatch, Matched, Options, Relation, RungDiff, Subject,
    archive, around,
    cause::{Cause, Change, Tally},
    document::{self, Aligned, Role, Text},
    layer::{self, Features, FileSystem},
    made::Made,
    pair::{self, Pair, Pairing},
    show,
    side::{Opened, Side, pair_layers},
    verdict, vouch,
};
use crate::{
    codec::{self, Compression},
    image::{BlobId, DocId, Image, ImageGraph, ImageKind},
    json,
    ladder::{self, Rung},
    limits::Limits,
    measure::LayerFacts,
    media::Media,
    normalize::is_as_written,
    rfc3339,
    rules::{Context, DocumentKind, FieldCanon, Level, RULES, Rule},
    stack::{self, ListedMember},
};

/// Most pairs of layers whose likeness is looked at; an image has 127 layers at most that any engine can run.
const MOST_LIKENESSES: usize = 1 << 16;

/// Compares two sides.
pub(super) fn compare(opened: &Opened<'_>, options: &Options) -> Diff {
    let (left, right) = (opened.left, opened.right);
    // Times of which neither is before the epoch are one at SOURCE_DATE_EPOCH 0 if they are at any other.
    let context = Context { epoch: options.epoch.unwrap_or_default() };
    let made = [Made::of(left, right), Made::of(right, left)];
    let made = [made[0].as_ref(), made[1].as_ref()];
    let comparison = Comparison { opened, options, context: &context, made };
    let whole = !left.narrowed && !right.narrowed;
    let images: Vec<ImageDiff> =
        opened.pairs.iter(left.images, right.images).map(|(l, r)| comparison.image(l, r)).collect();
    let mut diff = Diff {
        left: subject(left),
        right: subject(right),
        verdict: verdict::Verdict::Different,
        remedy: None,
        tally: Tally::default(),
        archive: if whole { archive::compare(left, right) } else { Vec::new() },
        documents: if whole { around::compare(opened, made, &context) } else { Vec::new() },
        images,
    };
    let archives = left.facts.archive.zip(right.facts.archive).filter(|_| whole);
    let identical = archives.is_some_and(|(l, r)| l == r);
    if !options.merged && diff.changes().all(|change| change.cause == Cause::Derived) {
        let nothing = diff.changes().next().is_none();
        // What should follow from something follows from nothing: a digest of another algorithm, say.
        diff.changes_mut().for_each(|change| change.cause = Cause::Encoding);
        if let Some((l, r)) = archives.filter(|_| nothing && !identical) {
            let (l, r) = (l.to_string(), r.to_string());
            diff.archive.push(Change::new(Cause::Rule("archive.form"), "bytes around the members", l, r));
        }
    }
    let same_images = verdict::same_images(&diff);
    let by_level = |change: &Change| {
        let least = change.cause.rule().and_then(|rule| rule.level);
        // Who names a level looks at images: what is around one that is the same does not count.
        same_images && options.level.is_some()
            || options.level.zip(least).is_some_and(|(level, least)| least <= level)
    };
    for layer in diff.images.iter_mut().flat_map(|image| &mut image.layers).filter(|layer| layer.framed) {
        layer.changes.retain(|change| change.cause != layer::FRAMING);
    }
    diff.retain(|change| options.causes.count(change.cause) && !by_level(change));
    if diff.changes().all(|change| change.cause == Cause::Derived) {
        diff.retain(|_| false);
    }
    diff.tally = diff.changes().collect();
    diff.remedy = (!diff.same()).then(|| verdict::remedy(&diff, options.epoch, || latest(opened))).flatten();
    diff.verdict = verdict::verdict(&diff, identical, same_images, options.merged);
    diff
}

/// What a layer is compressed with.
fn compression(graph: &ImageGraph<'_>, image: &Image, at: usize) -> Option<Compression> {
    Some(codec::sniff(graph.content(image.layers.get(at)?.blob?)))
}

/// Whether a layer is one that can be written anew: it is here, and not kept elsewhere.
fn is_ours(image: &Image, at: usize) -> bool {
    let foreign = |media| matches!(media, Media::Layer { foreign: true, .. });
    image.layers.get(at).is_some_and(|layer| layer.blob.is_some() && !foreign(layer.media))
}

fn subject(side: &Side<'_>) -> Subject {
    Subject { name: side.name.clone(), layout: side.graph.layout(), errors: side.errors.clone() }
}

struct Comparison<'c> {
    opened: &'c Opened<'c>,
    options: &'c Options,
    context: &'c Context,
    /// The documents that a docker-archive lacks.
    made: [Option<&'c Made>; 2],
}

impl<'c> Comparison<'c> {
    fn image(&self, left: Option<&Image>, right: Option<&Image>) -> ImageDiff {
        let (sides, empty) = ((self.opened.left, self.opened.right), ImageDiff::default());
        let (l, r) = (left.map(|image| sides.0.of_image(image)), right.map(|image| sides.1.of_image(image)));
        let (Some(left), Some(right)) = (left, right) else {
            let name = |image: &Image| {
                let platform = image.platform.as_ref().map(ToString::to_string);
                let words: Vec<String> = platform.into_iter().chain(image.names.iter().cloned()).collect();
                show::lossless(words.join(" ").as_bytes())
            };
            let own = if left.is_some() { Cause::Removed } else { Cause::Added };
            let is_outdated = vouch::is_outdated(self.opened, left, right);
            let cause = if is_outdated { Cause::Rule("archive.attestations") } else { own };
            let change = Change::new(cause, "image", left.map(name), right.map(name));
            return ImageDiff { left: l, right: r, changes: vec![change], ..empty };
        };
        let pairing = self.pair_layers(left, right);
        let pairs = pairing.pairing.pairs();
        let mut changes = Vec::new();
        changes.extend(order(&pairs).filter(|_| !self.options.merged));
        let merged = self.options.merged.then(|| self.merged(left, right, &pairs));
        let layers = pairs.iter().map(|pair| self.layer(left, right, *pair, &pairing)).collect();
        let documents = self.documents_of(left, right, &pairs);
        let mut image = ImageDiff { left: l, right: r, changes, documents, layers, merged, ..empty };
        image.rungs = rungs(&image);
        vouch::settle(&mut image, left.kind, vouch::is_outdated(self.opened, Some(left), Some(right)));
        image
    }

    /// Manifest and configuration.
    fn documents_of(&self, left: &Image, right: &Image, pairs: &[Pair]) -> Vec<DocumentDiff> {
        let (a, b) = (self.opened.left.graph, self.opened.right.graph);
        let mut documents = Vec::new();
        let context = (left.kind == ImageKind::Image).then_some(self.context);
        let derived = |_| Some(Cause::Derived);
        let manifest = |graph: &'c ImageGraph<'_>, image: &Image, made: Option<&'c Made>| match image.manifest
        {
            Some(id) => Some(Text::of(graph, id)),
            None => made.and_then(|made| made.manifest(image)),
        };
        let [made_left, made_right] = self.made;
        if let (Some(l), Some(r)) = (manifest(a, left, made_left), manifest(b, right, made_right)) {
            let width = |text: Text<'_>| document::width(text.root, "/layers");
            let layers = document::follow(pairs, width(l), width(r));
            let aligned =
                [Aligned { array: "/layers", pairs: &layers, lone: &derived, order: Cause::Derived }];
            let mut changes = document::compare(Role::Manifest, l, r, &aligned, context);
            let partners: HashMap<usize, usize> = layers.joined().collect();
            // A media type follows from the compression only where each side's says what its blob is. One that does
            // not is set right by whoever compresses the layer anew.
            let wrong = |change: &Change| {
                let field = change.field.strip_prefix("/layers/")?;
                let i = field.strip_suffix("/mediaType")?.parse().ok()?;
                let j = *partners.get(&i)?;
                let says = (document::compression(l, i)?, document::compression(r, j)?);
                let true_left = compression(a, left, i) == Some(says.0);
                let true_right = compression(b, right, j) == Some(says.1);
                if says.0 == says.1 || true_left && true_right {
                    return None;
                }
                let made_true = |is_true, side, image, at| is_true || self.is_written_anew(side, image, at);
                Some(if context.is_none() || !is_ours(left, i) || !is_ours(right, j) {
                    Cause::Content
                } else if made_true(true_left, self.opened.left, left, i)
                    && made_true(true_right, self.opened.right, right, j)
                {
                    Cause::Derived
                } else {
                    layer::ENCODING
                })
            };
            for change in &mut changes {
                change.cause = wrong(change).unwrap_or(change.cause);
            }
            documents.push(DocumentDiff { role: Role::Manifest, changes });
        }
        if let (Some(l), Some(r)) = (left.config, right.config) {
            let (l, r) = (Text::of(a, l), Text::of(b, r));
            let width = |text: Text<'_>| document::width(text.root, "/rootfs/diff_ids");
            let diff_ids = document::follow(pairs, width(l), width(r));
            let history = document::history(l.root, r.root);
            let aligned = [
                Aligned {
                    array: "/rootfs/diff_ids",
                    pairs: &diff_ids,
                    lone: &derived,
                    order: Cause::Derived,
                },
                Aligned { array: "/history", pairs: &history, lone: &|_| None, order: Cause::Order },
            ];
            let changes = document::compare(Role::Config, l, r, &aligned, context);
            documents.push(DocumentDiff { role: Role::Config, changes });
        }
        if self.options.merged {
            // How a file system was built, layer by layer, is no part of it.
            let is_of_layers = |change: &&mut Change| {
                let field = change.field.strip_prefix("order of ").unwrap_or(&change.field);
                ["/layers", "/rootfs", "/history"].iter().any(|array| field.starts_with(array))
            };
            let changes = documents.iter_mut().flat_map(|document| &mut document.changes);
            changes.filter(is_of_layers).for_each(|change| change.cause = Cause::Derived);
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

    /// Whether `normalize` writes a layer anew at the level that was asked for, as a rule changes something in it.
    fn is_written_anew(&self, side: &Side<'_>, image: &Image, at: usize) -> bool {
        let facts = image.layers.get(at).and_then(|layer| side.facts(layer.blob));
        facts
            .zip(self.options.level)
            .is_some_and(|(facts, level)| layer::changes_at(level, facts, self.context))
    }

    /// Whether `normalize` compresses every layer anew at the level that was asked for.
    fn compresses_anew(&self) -> bool {
        let rule = layer::ENCODING.rule().and_then(|rule| rule.level);
        self.options.level.zip(rule).is_some_and(|(level, least)| least <= level)
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
            framed: false,
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
                    let anew = |side, image, at: Option<usize>| {
                        at.is_some_and(|at| self.is_written_anew(side, image, at))
                    };
                    let anew = (anew(a, left, diff.left), anew(b, right, diff.right));
                    diff.framed = (anew.0 || layer::is_framed(l.1)) && (anew.1 || layer::is_framed(r.1));
                    let kept = match anew {
                        (true, false) => Some(b.graph.content(r.0)),
                        (false, true) => Some(a.graph.content(l.0)),
                        _ => None,
                    };
                    if kept.is_some_and(|kept| !self.compresses_anew() && !is_as_written(kept)) {
                        let text = |anew| if anew { "compressed anew" } else { "kept as it is" }.to_owned();
                        diff.changes.push(Change::new(layer::ENCODING, "blob", text(anew.0), text(anew.1)));
                    }
                }
                _ => {
                    let (l, r) = (l.map(|l| a.graph.content(l)), r.map(|r| b.graph.content(r)));
                    diff.changes = self.artifacts(l, r);
                }
            },
        }
        diff
    }

    /// What differs between two layers that cannot be compared as file systems, or of which one is not here.
    fn artifacts(&self, left: Option<&[u8]>, right: Option<&[u8]>) -> Vec<Change> {
        let read = |bytes: Option<&[u8]>| json::parse(bytes?, &Limits::default()).root;
        let (Some((l, a)), Some((r, b))) = (left.zip(read(left)), right.zip(read(right))) else {
            let text = |bytes: Option<&[u8]>| {
                Some(bytes.map_or("not in the archive".to_owned(), |bytes| format!("{} B", bytes.len())))
            };
            return vec![Change::new(Cause::Content, "layer", text(left), text(right))];
        };
        let (a, b) = (Text { raw: l, root: Some(&a) }, Text { raw: r, root: Some(&b) });
        let mut changes = document::compare(Role::Statement, a, b, &[], None);
        // An in-toto statement names the manifest that it is about.
        let names_subject = |change: &&mut Change| {
            let tokens: Vec<&str> = change.field.split('/').skip(1).collect();
            matches!(tokens.as_slice(), ["subject", _, "digest", _])
                && vouch::are_partners(self.opened, change.left.as_deref(), change.right.as_deref())
        };
        changes.iter_mut().filter(names_subject).for_each(|change| change.cause = Cause::Derived);
        changes
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

/// The latest time on either side that a rule could limit, in whole seconds, rounded up: as SOURCE_DATE_EPOCH it changes
/// none of them. Of layers that were not opened nothing is known; they are the same on both sides.
fn latest(opened: &Opened<'_>) -> i64 {
    let of_side = |side: &Side<'_>| {
        let graph = side.graph;
        let documents = (0..graph.documents.len())
            .map(DocId::at)
            .filter_map(|id| Some((DocumentKind::of(graph, id)?, graph.document(id).root.as_ref()?)));
        let clamps = RULES.iter().filter(|rule| rule.level == Some(Level::Clamp)).filter_map(Rule::field);
        let clamps: Vec<&FieldCanon> = clamps.collect();
        let fields =
            documents.flat_map(|(kind, root)| clamps.iter().flat_map(move |rule| rule.find(kind, root)));
        let times = fields.filter_map(|(_, field)| rfc3339::parse(field.node.str().ok()?));
        let in_documents = times.map(|time| time.as_secs() + i64::from(time.subsec_nanos() > 0));
        let newest = side.facts.blobs.values().filter_map(|blob| blob.layer.as_ref()?.newest);
        let in_layers = newest.map(|time| time.secs.saturating_add(i64::from(time.nanos > 0)));
        in_documents.chain(in_layers).max()
    };
    of_side(opened.left).max(of_side(opened.right)).unwrap_or_default().clamp(0, rfc3339::LAST)
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

/// The step of the history that made a layer.
fn step(side: &Side<'_>, image: &Image, at: Option<usize>) -> Option<String> {
    let history = side.graph.config(image)?.history.as_ref()?;
    let step = history.iter().filter(|step| !step.empty_layer).nth(at?)?;
    step.created_by.as_deref().map(layer::step).filter(|step| !step.is_empty())
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
