//! The two sides of a comparison: what was opened and measured of each, and what belongs together as far as that can be
//! told before layers are looked into. Must not know differences.

use std::collections::HashMap;

use super::{ImageSide, LayerMatch, Relation, pair::Pairing, subjects::Subjects};
use crate::{
    archive::Source,
    digest::{ChainId, DiffId},
    image::{BlobId, Image, ImageGraph},
    ladder,
    measure::{Facts, LayerFacts},
    tar::{Member, Outcome},
};

/// The members of an outer tar and how it ends.
pub(super) struct Outer {
    pub(super) members: Vec<Member>,
    pub(super) outcome: Outcome,
}

/// One side, opened and measured.
pub(super) struct Side<'s> {
    pub(super) name: Vec<u8>,
    pub(super) source: &'s Source,
    pub(super) graph: &'s ImageGraph<'s>,
    pub(super) images: &'s [&'s Image],
    pub(super) facts: &'s Facts,
    pub(super) subjects: &'s Subjects<'s>,
    /// Only some of the archive's images were asked for: what is around them does not count.
    pub(super) narrowed: bool,
    /// The members of the outer tar; `None` for a directory.
    pub(super) outer: Option<Outer>,
    pub(super) errors: Vec<String>,
}

impl Side<'_> {
    pub(super) fn facts(&self, blob: Option<BlobId>) -> Option<&LayerFacts> {
        self.facts.blobs.get(&blob?)?.layer.as_deref()
    }

    /// The diff_id of a layer: as measured, else as the configuration has it.
    pub(super) fn diff_id(&self, image: &Image, at: usize) -> Option<DiffId> {
        let layer = image.layers.get(at)?;
        let measured = self.facts(layer.blob).and_then(|facts| facts.diff_ids.first().copied());
        measured.or_else(|| claimed(self.graph, image, at))
    }

    pub(super) fn of_image(&self, image: &Image) -> ImageSide {
        let mut ladder = ladder::ladder(self.graph, self.facts, image);
        ladder.diff_ids = (0..image.layers.len()).map(|at| self.diff_id(image, at)).collect();
        let stack: Option<Vec<DiffId>> = ladder.diff_ids.iter().copied().collect();
        ladder.chain_id = stack.and_then(|stack| ChainId::chain(&stack).pop());
        ImageSide {
            names: image.names.clone(),
            platform: image.platform.clone(),
            ladder,
            vouches: self.subjects.of(image).is_some(),
        }
    }
}

/// Which images of both sides belong together.
pub(super) struct Pairs(pub(super) Pairing);

impl Pairs {
    /// All pairs, of which one side may be empty.
    pub(super) fn iter<'p, 'g>(
        &'p self,
        left: &'p [&'g Image],
        right: &'p [&'g Image],
    ) -> impl Iterator<Item = (Option<&'g Image>, Option<&'g Image>)> + 'p {
        let of = |images: &[&'g Image], at: Option<usize>| at.and_then(|at| images.get(at).copied());
        self.0.pairs().into_iter().map(move |pair| (of(left, pair.left()), of(right, pair.right())))
    }

    /// The pairs that have both sides.
    pub(super) fn both<'p, 'g>(
        &'p self,
        left: &'p [&'g Image],
        right: &'p [&'g Image],
    ) -> impl Iterator<Item = (&'g Image, &'g Image)> + 'p {
        self.iter(left, right).filter_map(|(left, right)| left.zip(right))
    }
}

/// Two sides, with what is known of how their layers relate.
pub(super) struct Opened<'o> {
    pub(super) left: &'o Side<'o>,
    pub(super) right: &'o Side<'o>,
    pub(super) pairs: &'o Pairs,
    pub(super) relations: &'o HashMap<(BlobId, BlobId), Relation>,
}

/// Which layers belong together as far as their configurations tell.
pub(super) fn pair_layers(
    (left_graph, left): (&ImageGraph<'_>, &Image),
    (right_graph, right): (&ImageGraph<'_>, &Image),
    by: LayerMatch,
) -> Pairing {
    let mut pairing = Pairing::new(left.layers.len(), right.layers.len());
    match by {
        LayerMatch::Content => {
            let keys = |graph: &ImageGraph<'_>, image: &Image| -> Vec<Option<DiffId>> {
                (0..image.layers.len()).map(|at| claimed(graph, image, at)).collect()
            };
            pairing.by_key(keys(left_graph, left), keys(right_graph, right));
        }
        LayerMatch::Position => {
            for at in 0..left.layers.len().min(right.layers.len()) {
                pairing.join(at, at);
            }
        }
    }
    pairing
}

/// The diff_id that the configuration claims of a layer.
pub(super) fn claimed(graph: &ImageGraph<'_>, image: &Image, at: usize) -> Option<DiffId> {
    graph.config(image)?.diff_ids.get(at).copied().flatten()
}
