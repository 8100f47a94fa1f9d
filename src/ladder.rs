//! The identity ladder: every digest by which people name one image, from the file down to the files in it.
//!
//! Knows which rungs there are and how to fill them from what was measured. Must not know what was expected.

use crate::{
    digest::{Algorithm, ChainId, DiffId, Digest},
    image::{DocId, Image, ImageGraph, Layer},
    measure::Facts,
};

/// A rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// SHA-256 of the tarball.
    Archive,
    /// The image index that `index.json` lists, or `index.json` itself.
    Index,
    /// The image manifest: what registries call the image's digest.
    Manifest,
    /// The configuration: what Docker calls the image ID.
    Config,
    /// A layer as stored, compressed or not.
    Layer,
    /// A layer's uncompressed tar stream.
    DiffId,
    /// The whole stack of layers.
    ChainId,
}

impl Rung {
    /// All rungs, from the outside in.
    pub const ALL: [Rung; 7] =
        [Rung::Archive, Rung::Index, Rung::Manifest, Rung::Config, Rung::Layer, Rung::DiffId, Rung::ChainId];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Rung::Archive => "archive",
            Rung::Index => "index",
            Rung::Manifest => "manifest",
            Rung::Config => "config",
            Rung::Layer => "layer",
            Rung::DiffId => "diff-id",
            Rung::ChainId => "chain-id",
        }
    }
}

/// The digests of one image, all computed from its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ladder {
    /// The input file, where it was hashed.
    pub archive: Option<Digest>,
    /// The index that leads to the image.
    pub index: Option<Digest>,
    /// The manifest.
    pub manifest: Option<Digest>,
    /// The configuration.
    pub config: Option<Digest>,
    /// The layers, lowest first; `None` for one that is not here.
    pub layers: Vec<Option<Digest>>,
    /// Their diff_ids; `None` for one that was not decoded.
    pub diff_ids: Vec<Option<DiffId>>,
    /// The chain ID of the whole stack, if all its diff_ids are known and there are layers.
    pub chain_id: Option<ChainId>,
}

impl Ladder {
    /// Every digest on the ladder with its rung.
    pub fn rungs(&self) -> impl Iterator<Item = (Rung, Digest)> {
        let one = |rung, digest: Option<Digest>| digest.map(|digest| (rung, digest));
        [
            one(Rung::Archive, self.archive),
            one(Rung::Index, self.index),
            one(Rung::Manifest, self.manifest),
            one(Rung::Config, self.config),
            one(Rung::ChainId, self.chain_id.map(|id| id.0)),
        ]
        .into_iter()
        .flatten()
        .chain(self.layers.iter().flatten().map(|digest| (Rung::Layer, *digest)))
        .chain(self.diff_ids.iter().flatten().map(|id| (Rung::DiffId, id.0)))
    }
}

/// The ladder of an image.
pub fn ladder(graph: &ImageGraph<'_>, facts: &Facts, image: &Image) -> Ladder {
    // In the algorithm by which it is known; nobody names `index.json`.
    let document = |id: DocId| {
        let blob = graph.document(id).blob;
        let claim = graph.blob(blob).claims.first();
        let algorithm = claim.map_or(Algorithm::Sha256, |claim| claim.digest.algorithm());
        let measured = facts.blobs.get(&blob).and_then(|blob| blob.digest(algorithm));
        measured.unwrap_or_else(|| Digest::of(algorithm, graph.raw(id)))
    };
    // Another configuration may name the same layers by another algorithm.
    let named = graph.config(image).map(|config| config.diff_ids.as_slice()).unwrap_or_default();
    let diff_id = |(i, layer): (usize, &Layer)| {
        let content = facts.blobs.get(&layer.blob?)?.layer.as_deref();
        let facts = content.filter(|content| !content.is_opaque(layer.media))?;
        let named = named.get(i).copied().flatten();
        facts.diff_id(named.map_or(Algorithm::Sha256, |id| id.0.algorithm()))
    };
    let diff_ids: Vec<Option<DiffId>> = image.layers.iter().enumerate().map(diff_id).collect();
    let stack: Option<Vec<DiffId>> = diff_ids.iter().copied().collect();
    let layers = image.layers.iter().map(|layer| {
        let blob = facts.blobs.get(&layer.blob?)?;
        match layer.digest {
            Some(digest) => blob.digest(digest.algorithm()),
            None => blob.digests.first().copied(),
        }
    });
    Ladder {
        archive: facts.archive,
        index: image.index.map(document),
        manifest: image.manifest.map(document),
        config: image.config.map(document),
        layers: layers.collect(),
        chain_id: stack.and_then(|stack| ChainId::chain(&stack).pop()),
        diff_ids,
    }
}

/// The digest that the reference prints as "Image digest": the first manifest or index that `index.json` names.
/// Computed from the content; `None` where that is not here or there is no `index.json`.
pub fn headline(graph: &ImageGraph<'_>) -> Option<Digest> {
    let first = graph.children(graph.root?).first()?;
    let algorithm = first.digest.map_or(Algorithm::Sha256, |digest| digest.algorithm());
    Some(Digest::of(algorithm, graph.content(first.target.blob()?)))
}
