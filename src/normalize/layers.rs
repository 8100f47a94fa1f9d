//! All layers of an archive, side by side: which are looked at, and what became of each.
//!
//! Knows which blobs are layers of images that run, and which belong to a base image. Must not know documents' bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    ops::Range,
};

use super::{
    Options,
    layer::{Obstacle, Packed, Rewritten, Treatment},
    outcome::{Ledger, subject},
};
use crate::{
    archive::Source,
    codec::{Compression, Crew},
    digest::{Algorithm, DiffId, Digest},
    error::{Error, ErrorKind, Result},
    image::{BlobId, ImageGraph, ImageKind},
    inspect::Inspected,
    measure::{Facts, Workers},
    media::{Media, Packing},
    observe::{Event, Observer},
};

/// Pages before a range that were read with the window before it.
const OVERLAP: usize = 256 << 10;

/// What became of the layers.
pub(super) struct Layers {
    fates: BTreeMap<BlobId, Fate>,
}

/// What became of one layer.
struct Fate {
    /// Whether it is a base image's.
    base: bool,
    rewritten: Option<Rewritten>,
    /// What it is compressed with, by our encoder; `None` if it was not compressed anew.
    packing: Option<Compression>,
    /// Digests of the blob as it was.
    digests: Vec<Digest>,
    /// Digests of its content as it was.
    diff_ids: Vec<DiffId>,
}

impl Layers {
    /// Rewrites every layer in which a rule changes something.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for a layer that cannot be written anew (unless it may pass through), what the system
    /// refuses, [`ErrorKind::Interrupted`].
    pub(super) fn rewrite(
        inspected: &Inspected<'_>,
        options: &Options,
        treatment: &Treatment<'_>,
        workers: &Workers,
        observer: &dyn Observer,
        ledger: &mut Ledger,
    ) -> Result<Layers> {
        let Inspected { graph, facts, source, .. } = inspected;
        let blobs: Vec<BlobId> = layers_of(graph).into_iter().collect();
        let threads = NonZeroUsize::new(workers.threads()).unwrap_or(NonZeroUsize::MIN);
        let crew = &Crew::new(threads, blobs.len())
            .map_err(|error| Error::io(Default::default(), "cannot start threads", error))?;
        let job = Job { graph, facts, source, options, treatment, observer, crew };
        // The largest first, so that none is left to one thread at the end.
        let mut order: Vec<BlobId> = blobs;
        order.sort_by_key(|blob| std::cmp::Reverse(graph.content(*blob).len()));
        let fates = workers.map(&order, |id, blob| job.run(id as u64, *blob));
        let mut layers = Layers { fates: BTreeMap::new() };
        for (blob, fate) in order.into_iter().zip(fates) {
            let (fate, note) = fate?;
            if let Some(note) = note {
                let name = subject(graph, blob);
                ledger.note(format!("layer {name} passes as it is: {note}"));
            }
            layers.fates.insert(blob, fate);
        }
        options.base.found(layers.fates.values().any(|fate| fate.base))?;
        Ok(layers)
    }

    /// Notes what changed in those layers that are `written`.
    pub(super) fn changes(&self, graph: &ImageGraph<'_>, written: &BTreeSet<BlobId>, ledger: &mut Ledger) {
        for (blob, fate) in self.fates.iter().filter(|(blob, _)| written.contains(blob)) {
            let Some(rewritten) = &fate.rewritten else { continue };
            let name = subject(graph, *blob);
            for (rule, count) in &rewritten.counts {
                ledger.change(rule, &name, *count);
            }
            // The content is the same and no rule changed a member: what changed is the compression.
            let same_content = rewritten.diff_ids.iter().any(|id| fate.diff_ids.contains(id));
            if same_content && !rewritten.counts.contains_key("layer.encoding") {
                ledger.change("layer.encoding", &name, 1);
            }
        }
    }

    /// The layer that took a blob's place.
    pub(super) fn rewritten(&self, blob: BlobId) -> Option<&Rewritten> {
        self.fates.get(&blob)?.rewritten.as_ref()
    }

    /// What a layer was compressed with anew, be it to the same bytes.
    pub(super) fn packing(&self, blob: BlobId) -> Option<Compression> {
        self.fates.get(&blob)?.packing
    }

    /// Whether a layer is a base image's.
    pub(super) fn is_base(&self, blob: BlobId) -> bool {
        self.fates.get(&blob).is_some_and(|fate| fate.base)
    }

    /// All that were rewritten.
    pub(super) fn all_rewritten(&self) -> impl Iterator<Item = &Rewritten> {
        self.fates.values().filter_map(|fate| fate.rewritten.as_ref())
    }

    /// The digest of a layer as it becomes.
    pub(super) fn digest(&self, blob: BlobId, algorithm: Algorithm) -> Option<Digest> {
        let fate = self.fates.get(&blob)?;
        let digests = fate.rewritten.as_ref().map_or(&fate.digests, |rewritten| &rewritten.digests);
        digests.iter().copied().find(|digest| digest.algorithm() == algorithm)
    }

    /// The diff_id of a layer as it becomes.
    pub(super) fn diff_id(&self, blob: BlobId) -> Option<DiffId> {
        let fate = self.fates.get(&blob)?;
        fate.rewritten.as_ref().map_or(&fate.diff_ids, |rewritten| &rewritten.diff_ids).first().copied()
    }
}

/// Layers of images that run, foreign ones excepted: those have their own place in the world.
fn layers_of(graph: &ImageGraph<'_>) -> BTreeSet<BlobId> {
    let images = graph.images.iter().filter(|image| image.kind == ImageKind::Image);
    let layers = images.flat_map(|image| &image.layers);
    let foreign = |media| matches!(media, Media::Layer { foreign: true, .. });
    layers.filter(|layer| !foreign(layer.media)).filter_map(|layer| layer.blob).collect()
}

struct Job<'j, 'i> {
    graph: &'j ImageGraph<'i>,
    facts: &'j Facts,
    source: &'j Source,
    options: &'j Options,
    treatment: &'j Treatment<'j>,
    observer: &'j dyn Observer,
    crew: &'j Crew,
}

impl Job<'_, '_> {
    fn run(&self, id: u64, blob: BlobId) -> Result<(Fate, Option<String>)> {
        let name = subject(self.graph, blob);
        let bytes = self.graph.content(blob);
        self.observer.event(Event::Begin { id, name: &name, bytes: bytes.len() as u64 });
        let result = self.fate(id, blob, bytes);
        self.observer.event(Event::End { id });
        result
    }

    fn fate(&self, id: u64, blob: BlobId, bytes: &[u8]) -> Result<(Fate, Option<String>)> {
        let facts = self.facts.blobs.get(&blob);
        let mut digests = facts.map(|facts| facts.digests.clone()).unwrap_or_default();
        let layer = facts.and_then(|facts| facts.layer.as_deref());
        let diff_ids = layer.map(|layer| layer.diff_ids.clone()).unwrap_or_default();
        if !digests.iter().any(|digest| digest.algorithm() == Algorithm::Sha256) {
            digests.push(Digest::of(Algorithm::Sha256, bytes));
        }
        let kept = Fate { base: false, rewritten: None, packing: None, digests, diff_ids };
        let ours = kept.digests.iter().copied().chain(kept.diff_ids.iter().map(|id| id.0));
        if self.options.base.has(ours) {
            return Ok((Fate { base: true, ..kept }, None));
        }
        let opaque = self.graph.images.iter().flat_map(|image| &image.layers).any(|layer| {
            layer.blob == Some(blob) && matches!(layer.media, Media::Layer { packing: Packing::Unknown, .. })
        });
        let place = self.graph.blob(blob).entry.map(|entry| {
            let entry = self.graph.index.entry(entry);
            (entry.file, entry.range.clone())
        });
        let advance = |from: usize, to: usize| self.advance(id, place.as_ref(), from..to);
        let packed = Packed {
            bytes,
            algorithms: kept.digests.iter().map(Digest::algorithm).collect(),
            diff_algorithms: diff_algorithms(&kept.diff_ids),
            crew: self.crew,
            advance: &advance,
        };
        let result = if opaque {
            Err(Obstacle::Layer(
                "its media type names a compression or an encryption that is not known".to_owned(),
            ))
        } else {
            self.treatment.apply(&packed)
        };
        match result {
            // Compressed anew to the same bytes: it was ours already.
            Ok(Some(rewritten)) if rewritten.digests.iter().any(|digest| kept.digests.contains(digest)) => {
                Ok((Fate { packing: Some(rewritten.recipe.compression()), ..kept }, None))
            }
            Ok(rewritten) => {
                let packing = rewritten.as_ref().map(|rewritten| rewritten.recipe.compression());
                Ok((Fate { rewritten, packing, ..kept }, None))
            }
            Err(Obstacle::Layer(why)) if self.options.allow_passthrough => Ok((kept, Some(why))),
            Err(Obstacle::Layer(why)) => {
                let message = format!(
                    "this layer cannot be written anew: {why} (--allow-passthrough keeps it as it is)"
                );
                Err(Error::new(ErrorKind::Refused, message).at(self.graph.blob(blob).at.clone()))
            }
            Err(Obstacle::Io(error)) => {
                Err(Error::io(self.graph.blob(blob).at.clone(), "cannot write the layer anew", error))
            }
            Err(Obstacle::Cancelled) => Err(Error::new(ErrorKind::Interrupted, "interrupted")),
        }
    }

    fn advance(&self, id: u64, place: Option<&(usize, Range<usize>)>, read: Range<usize>) -> bool {
        self.observer.event(Event::Advance { id, bytes: read.len() as u64 });
        if let Some((file, range)) = place {
            let at = |offset: usize| range.start.saturating_add(offset);
            self.source.release(*file, at(read.start.saturating_sub(OVERLAP))..at(read.end));
        }
        !self.observer.cancelled()
    }
}

fn diff_algorithms(diff_ids: &[DiffId]) -> Vec<Algorithm> {
    let mut algorithms: Vec<Algorithm> = diff_ids.iter().map(|id| id.0.algorithm()).collect();
    if !algorithms.contains(&Algorithm::Sha256) {
        algorithms.push(Algorithm::Sha256);
    }
    algorithms
}
