//! The documents that hold images together: indexes and `manifest.json`.
//!
//! Knows which images belong together, and so which descriptors do. Must not look into manifests.

use std::collections::{HashMap, HashSet};

use super::{
    DocumentDiff,
    cause::{Cause, Change},
    document::{self, Aligned, Role, Text},
    made::Made,
    pair::{Pair, Pairing},
    show::count,
    side::{Opened, Side},
};
use crate::{
    digest::Digest,
    image::{DocId, DockerImage, Node, Platform},
    rules::Context,
};

/// What differs between the documents around the images of two sides.
pub(super) fn compare(opened: &Opened<'_>, made: [Option<&Made>; 2], context: &Context) -> Vec<DocumentDiff> {
    let (left, right) = (opened.left, opened.right);
    let (below_left, below_right) = (indexes(left), indexes(right));
    let mut indexes = Pairing::new(below_left.len(), below_right.len());
    for (l, r) in opened.pairs.both(left.images, right.images) {
        let at = |index: Option<DocId>, all: &[DocId]| all.iter().position(|id| Some(*id) == index);
        if let (Some(l), Some(r)) = (at(l.index, &below_left), at(r.index, &below_right)) {
            indexes.join(l, r);
        }
    }
    indexes.by_position();
    let sides = [
        Known::new(left, true, opened, &below_left, &indexes),
        Known::new(right, false, opened, &below_right, &indexes),
    ];
    let compare = |role, (l, of_left): List<'_>, (r, of_right): List<'_>| {
        let pairs = pair_children(&of_left, &of_right);
        let joined: HashSet<&Key> =
            pairs.joined().filter_map(|(l, _)| of_left.get(l)?.key.as_ref()).collect();
        let lone = |pair: Pair| {
            let (children, at) = pair.left().map_or((&of_right, pair.right()), |at| (&of_left, Some(at)));
            match &children.get(at?)?.key {
                // Another name of an image whose descriptor has a partner.
                Some(key) if joined.contains(key) => {
                    (role == Role::Root).then_some(Cause::Rule("archive.names"))
                }
                // The image that stands alone, or elsewhere, is told of on its own.
                None | Some(Key::Pair(_)) => Some(Cause::Derived),
                Some(Key::Digest(_)) => None,
            }
        };
        let array = if role == Role::DockerManifest { "" } else { "/manifests" };
        let manifests = Aligned { array, pairs: &pairs, lone: &lone, order: Cause::Order };
        let mut changes = document::compare(role, l, r, &[manifests], Some(context));
        // Of content that is not here, nothing else can tell what a digest follows from.
        let is_elsewhere = |change: &&mut Change| {
            let mut tokens =
                change.field.strip_prefix("/manifests/").into_iter().flat_map(|at| at.split('/'));
            let child = tokens.next().and_then(|at| of_left.get(at.parse::<usize>().ok()?));
            child.is_some_and(|child| matches!(child.key, Some(Key::Digest(_))))
                && tokens.next() == Some("digest")
        };
        changes.iter_mut().filter(is_elsewhere).for_each(|change| change.cause = Cause::Content);
        DocumentDiff { role, changes }
    };
    let mut documents = Vec::new();
    let [of_left, of_right] = &sides;
    let [made_left, made_right] = made;
    if let (Some(l), Some(r)) = (of_left.root(made_left), of_right.root(made_right)) {
        documents.push(compare(Role::Root, l, r));
    }
    for pair in indexes.pairs() {
        let id = |ids: &[DocId], at: Option<usize>| at.and_then(|at| ids.get(at).copied());
        let l = id(&below_left, pair.left()).map(|id| of_left.list(id));
        let r = id(&below_right, pair.right()).map(|id| of_right.list(id));
        match (l, r) {
            (Some(l), Some(r)) => documents.push(compare(Role::Index, l, r)),
            (l, r) => {
                let text = |(_, children): List<'_>| count(children.len(), "manifest", "manifests");
                let cause = if l.is_some() { Cause::Removed } else { Cause::Added };
                let change = Change::new(cause, "index", l.map(text), r.map(text));
                documents.push(DocumentDiff { role: Role::Index, changes: vec![change] });
            }
        }
    }
    if let (Some(l), Some(r)) = (docker(left), docker(right)) {
        documents.push(compare(Role::DockerManifest, of_left.docker(l), of_right.docker(r)));
    }
    documents
}

/// The indexes below `index.json`.
fn indexes(side: &Side<'_>) -> Vec<DocId> {
    let ids = (0..side.graph.documents.len()).map(DocId::at);
    let is_index = |id: &DocId| matches!(side.graph.document(*id).node, Node::Index(_));
    ids.filter(|id| is_index(id) && Some(*id) != side.graph.root).collect()
}

/// `manifest.json`.
fn docker(side: &Side<'_>) -> Option<DocId> {
    let name = b"manifest.json".as_slice();
    let of_name = |id: &DocId| side.graph.place(*id).parts.last().is_some_and(|part| part == name);
    side.graph.docker.as_ref()?;
    (0..side.graph.documents.len()).map(DocId::at).find(of_name)
}

/// What a descriptor is recognised by.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// Two documents that belong together.
    Pair(usize),
    /// Content that is not here.
    Digest(Digest),
}

/// What an index lists at one place.
struct Child {
    /// `None` for what is here and has no partner.
    key: Option<Key>,
    platform: Option<Platform>,
}

/// An index, and what it lists.
type List<'l> = (Text<'l>, Vec<Child>);

/// Descriptors that belong together: of the same documents, then of the same content that is not here, or, of that, of
/// one platform.
fn pair_children(left: &[Child], right: &[Child]) -> Pairing {
    let mut pairing = Pairing::new(left.len(), right.len());
    let keys = |children: &[Child]| -> Vec<Option<Key>> { children.iter().map(|c| c.key.clone()).collect() };
    pairing.by_key(keys(left), keys(right));
    let platforms = |children: &[Child]| -> Vec<Option<Option<Platform>>> {
        let elsewhere = |child: &Child| matches!(child.key, Some(Key::Digest(_)));
        children.iter().map(|child| elsewhere(child).then(|| child.platform.clone())).collect()
    };
    pairing.by_key(platforms(left), platforms(right));
    pairing
}

/// What is known of one side's documents: the numbers of the pairs that they belong to.
struct Known<'k> {
    side: &'k Side<'k>,
    pairs: HashMap<DocId, usize>,
    alone: HashSet<DocId>,
}

impl<'k> Known<'k> {
    fn new(
        side: &'k Side<'k>,
        is_left: bool,
        opened: &Opened<'_>,
        below: &[DocId],
        indexes: &Pairing,
    ) -> Known<'k> {
        let images = opened.pairs.0.pairs();
        let mut known = Known { side, pairs: HashMap::new(), alone: HashSet::new() };
        let place = |pair: &Pair| if is_left { pair.left() } else { pair.right() };
        for (number, pair) in images.iter().chain(&indexes.pairs()).enumerate() {
            let at = place(pair);
            let image = at.and_then(|at| side.images.get(at)).filter(|_| number < images.len());
            let index = number.checked_sub(images.len()).and(at).and_then(|at| below.get(at).copied());
            let documents = image.map(|image| [image.manifest, image.config]).unwrap_or([index, None]);
            for document in documents.into_iter().flatten() {
                match pair {
                    Pair::Both(..) => drop(known.pairs.entry(document).or_insert(number)),
                    _ => drop(known.alone.insert(document)),
                }
            }
        }
        known
    }

    fn key(&self, document: DocId) -> Option<Key> {
        self.pairs.get(&document).copied().map(Key::Pair)
    }

    /// `index.json`, or what was made for one.
    fn root(&self, made: Option<&'k Made>) -> Option<List<'k>> {
        if let Some(id) = self.side.graph.root {
            return Some(self.list(id));
        }
        let made = made?;
        let children = made.configs.iter().map(|config| Child { key: self.key(*config), platform: None });
        Some((made.index.text(), children.collect()))
    }

    /// `manifest.json`.
    fn docker(&self, id: DocId) -> List<'k> {
        let graph = self.side.graph;
        let images = graph.docker.as_deref().unwrap_or_default();
        let child = |image: &DockerImage| {
            let config = image.config.and_then(|blob| graph.document_of(blob));
            Child { key: config.and_then(|config| self.key(config)), platform: None }
        };
        (Text::of(graph, id), images.iter().map(child).collect())
    }

    /// An index.
    fn list(&self, id: DocId) -> List<'k> {
        let graph = self.side.graph;
        let child = |child: &crate::image::Descriptor| {
            let document = child.target.blob().and_then(|blob| graph.document_of(blob));
            let key = document.and_then(|document| self.key(document));
            let alone = document.is_some_and(|document| self.alone.contains(&document));
            let elsewhere = child.digest.filter(|_| !alone).map(Key::Digest);
            Child { key: key.or(elsewhere), platform: child.platform.clone() }
        };
        (Text::of(graph, id), graph.children(id).iter().map(child).collect())
    }
}
