//! Why two images differ: every difference with its cause, and what would make them equal.
//!
//! [`run`] opens what has to be looked into and nothing else; from there on a diff is a pure function of two graphs and
//! what was measured of them. Of `normalize` it knows the table of rules, which orders of
//! members can be sorted, and what is made for a docker-archive. Must not print.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)]

mod archive;
mod around;
mod cause;
mod compare;
mod content;
mod culprit;
mod document;
mod entry;
mod layer;
mod made;
mod open;
mod pair;
mod select;
mod show;
mod side;
mod subjects;
mod verdict;
mod vouch;

pub use cause::{Cause, Change, Tally};
pub use content::{Content, Line, Sign};
pub(crate) use culprit::field as culprit_of_field;
pub use culprit::{CULPRITS, Culprit, culprit};
pub use document::Role;
pub use open::{Input, run};
pub use select::Causes;
pub use verdict::{Remedy, Verdict};

use crate::{
    digest::Digest,
    image::{BlobId, Platform},
    ladder::{Ladder, Rung},
    rules::Level,
};

/// How layers find their partners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LayerMatch {
    /// By diff_id, then by what is in them, then by position.
    #[default]
    Content,
    /// The first with the first, the second with the second.
    Position,
}

/// What to compare and what counts.
#[derive(Clone, Debug)]
pub struct Options {
    /// How layers are paired.
    pub layer_match: LayerMatch,
    /// Compare the file systems that the layers make together, not the layers.
    pub merged: bool,
    /// Which causes count.
    pub causes: Causes,
    /// What `normalize` at this level makes equal does not count.
    pub level: Option<Level>,
    /// SOURCE_DATE_EPOCH for `normalize`; the latest that makes both sides equal where it is not given.
    pub epoch: Option<i64>,
    /// Most lines shown of each changed text file.
    pub content_lines: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            layer_match: LayerMatch::default(),
            merged: false,
            causes: Causes::default(),
            level: None,
            epoch: None,
            content_lines: 12,
        }
    }
}

/// What differs between two inputs.
#[derive(Clone, Debug)]
pub struct Diff {
    /// The left input.
    pub left: Subject,
    /// The right input.
    pub right: Subject,
    /// The answer in one word.
    pub verdict: Verdict,
    /// What would make the two equal; `None` if nothing would, or if nothing has to.
    pub remedy: Option<Remedy>,
    /// How many differences of each cause count.
    pub tally: Tally,
    /// Differences of the outer archives.
    pub archive: Vec<Change>,
    /// Differences of the documents that hold the images together.
    pub documents: Vec<DocumentDiff>,
    /// The images, pair by pair.
    pub images: Vec<ImageDiff>,
}

/// One input.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The name it was given by, with the image that was asked for; not escaped.
    pub name: Vec<u8>,
    /// `oci`, `docker` or `oci+docker`.
    pub layout: &'static str,
    /// What is wrong with it: a diff of an input that does not verify says little.
    pub errors: Vec<String>,
}

/// What differs between two documents.
#[derive(Clone, Debug)]
pub struct DocumentDiff {
    /// What they are.
    pub role: Role,
    /// Differing values by JSON pointer.
    pub changes: Vec<Change>,
}

/// One image as it stands on one side.
#[derive(Clone, Debug)]
pub struct ImageSide {
    /// Its names.
    pub names: Vec<String>,
    /// Its platform.
    pub platform: Option<Platform>,
    /// Its digests.
    pub ladder: Ladder,
    /// Whether it is about another manifest: an attestation, a signature.
    pub vouches: bool,
}

/// What differs between two images, or one that stands on one side only.
#[derive(Clone, Debug, Default)]
pub struct ImageDiff {
    /// On the left.
    pub left: Option<ImageSide>,
    /// On the right.
    pub right: Option<ImageSide>,
    /// The rungs of both ladders, from the outside in.
    pub rungs: Vec<RungDiff>,
    /// Differences of the image as a whole.
    pub changes: Vec<Change>,
    /// Manifest and configuration.
    pub documents: Vec<DocumentDiff>,
    /// The layers, pair by pair.
    pub layers: Vec<LayerDiff>,
    /// Differing entries of the file systems, where these were asked for.
    pub merged: Option<Vec<EntryDiff>>,
}

/// One rung of two ladders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RungDiff {
    /// Which.
    pub rung: Rung,
    /// Which layers, counted from 0; none for rungs that an image has one of.
    pub layers: Option<(Option<usize>, Option<usize>)>,
    /// The left digest.
    pub left: Option<Digest>,
    /// The right digest.
    pub right: Option<Digest>,
}

impl RungDiff {
    /// Whether both agree; `None` where a side has no such rung.
    pub fn same(&self) -> Option<bool> {
        let lone_layer = self.layers.is_some_and(|(left, right)| left.is_none() || right.is_none());
        match (self.left, self.right) {
            (Some(left), Some(right)) => Some(left == right),
            _ if lone_layer => Some(false),
            _ => None,
        }
    }
}

impl ImageDiff {
    /// The first rung where the ladders part, seen from the content: all that stands above it follows from it.
    pub fn parts_at(&self) -> Option<Rung> {
        const FROM_THE_CONTENT: [Rung; 6] =
            [Rung::DiffId, Rung::Layer, Rung::Config, Rung::Manifest, Rung::Index, Rung::Archive];
        let differs = |rung: &Rung| self.rungs.iter().any(|r| r.rung == *rung && r.same() == Some(false));
        FROM_THE_CONTENT.into_iter().find(differs)
    }

    /// Whether anything of it counts.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.documents.iter().all(|document| document.changes.is_empty())
            && self.layers.iter().all(|layer| layer.changes.is_empty() && layer.entries.is_empty())
            && self.merged.as_ref().is_none_or(Vec::is_empty)
    }
}

/// How two layers found each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// Their diff_ids are the same.
    DiffId,
    /// Their files are alike.
    Content,
    /// They stand at the same place.
    Position,
    /// Not at all: one stands alone.
    Alone,
}

/// How two layers relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same bytes.
    Same,
    /// The same tar stream, compressed otherwise.
    Repacked,
    /// Other tar streams.
    Differs,
    /// Only one is there.
    Alone,
}

/// What differs between two layers, or one that stands on one side only.
#[derive(Clone, Debug)]
pub struct LayerDiff {
    /// Position on the left, counted from 0.
    pub left: Option<usize>,
    /// Position on the right.
    pub right: Option<usize>,
    /// How they were paired.
    pub matched: Matched,
    /// How they relate.
    pub relation: Relation,
    /// The step of the history that made it.
    pub step: Option<String>,
    /// How many entries each has; `None` where it was not opened.
    pub counts: (Option<usize>, Option<usize>),
    /// Bytes as stored; `None` where it is not in the archive.
    pub sizes: (Option<u64>, Option<u64>),
    /// Differences of the layers as a whole: compression, order, the stream's end.
    pub changes: Vec<Change>,
    /// Differing entries.
    pub entries: Vec<EntryDiff>,
    /// Whether `normalize`, at the level that was asked for, leaves both framed in one way.
    framed: bool,
}

/// What differs between two entries of one path.
#[derive(Clone, Debug)]
pub struct EntryDiff {
    /// The path, cleaned; not escaped.
    pub path: Vec<u8>,
    /// What differs.
    pub changes: Vec<Change>,
    /// A known reason, where there is one.
    pub culprit: Option<&'static Culprit>,
    /// How the contents differ, where they do and were looked at.
    pub content: Option<Content>,
    /// Where the contents are, for those that differ: the layer, and the entry's first header block in it.
    data: Option<(Data, Data)>,
}

/// Where a file's content is.
type Data = (BlobId, u64);

impl Diff {
    /// Every differing entry.
    fn entries_mut(&mut self) -> impl Iterator<Item = &mut EntryDiff> {
        self.images.iter_mut().flat_map(|image| {
            let layers = image.layers.iter_mut().flat_map(|layer| &mut layer.entries);
            layers.chain(image.merged.iter_mut().flatten())
        })
    }

    /// Every difference but those of entries of merged file systems, to be changed.
    fn changes_mut(&mut self) -> impl Iterator<Item = &mut Change> {
        let documents = self.documents.iter_mut().flat_map(|document| &mut document.changes);
        self.archive
            .iter_mut()
            .chain(documents)
            .chain(self.images.iter_mut().flat_map(ImageDiff::changes_mut))
    }

    /// Every difference, in the order of the report.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        let documents = self.documents.iter().flat_map(|document| &document.changes);
        self.archive.iter().chain(documents).chain(self.images.iter().flat_map(ImageDiff::changes))
    }

    /// Whether nothing that counts differs.
    pub fn same(&self) -> bool {
        self.tally.is_empty()
    }

    /// Leaves only the changes that `keep` names.
    fn retain(&mut self, keep: impl Fn(&Change) -> bool) {
        self.archive.retain(&keep);
        self.documents.iter_mut().for_each(|document| document.changes.retain(&keep));
        for image in &mut self.images {
            image.changes.retain(&keep);
            image.documents.iter_mut().for_each(|document| document.changes.retain(&keep));
            let entries = image.layers.iter_mut().map(|layer| {
                layer.changes.retain(&keep);
                &mut layer.entries
            });
            for entries in entries.chain(image.merged.as_mut()) {
                entries.iter_mut().for_each(|entry| entry.changes.retain(&keep));
                entries.retain(|entry| !entry.changes.is_empty());
            }
        }
    }
}

impl ImageDiff {
    /// Every difference of it, those of merged file systems excepted, to be changed.
    fn changes_mut(&mut self) -> impl Iterator<Item = &mut Change> {
        let documents = self.documents.iter_mut().flat_map(|document| &mut document.changes);
        let layers = self.layers.iter_mut().flat_map(|layer| {
            layer.changes.iter_mut().chain(layer.entries.iter_mut().flat_map(|entry| &mut entry.changes))
        });
        self.changes.iter_mut().chain(documents).chain(layers)
    }

    /// Every difference of it.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        let documents = self.documents.iter().flat_map(|document| &document.changes);
        let layers = self.layers.iter().flat_map(|layer| {
            layer.changes.iter().chain(layer.entries.iter().flat_map(|entry| &entry.changes))
        });
        let merged = self.merged.iter().flatten().flat_map(|entry| &entry.changes);
        self.changes.iter().chain(documents).chain(layers).chain(merged)
    }
}
