//! What has to be measured: only what somebody needs, each piece of content once.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
};

use crate::{
    archive::{Entry, EntryId},
    digest::Algorithm,
    image::{BlobId, Image, ImageGraph, ImageKind, Node},
    media::Media,
};

/// What the caller wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Needs {
    /// Digests of blobs.
    pub digests: bool,
    /// What is in layers: diff_ids, tar walk, counts.
    pub layers: bool,
    /// SHA-256 of the input file itself, if all of it is an archive.
    pub archive: bool,
    /// The members of each layer.
    pub listing: bool,
    /// SHA-256 of every regular file.
    pub file_digests: bool,
    /// Count members that are newer than this (seconds since the epoch).
    pub source_date_epoch: Option<i64>,
}

impl Needs {
    /// Everything a full verification needs.
    pub fn verification() -> Needs {
        Needs {
            digests: true,
            layers: true,
            archive: false,
            listing: false,
            file_digests: false,
            source_date_epoch: None,
        }
    }
}

/// The work, largest pieces first.
#[derive(Debug)]
pub struct WorkPlan {
    pub(super) items: Vec<WorkItem>,
    pub(super) needs: Needs,
}

/// One piece of content to read from beginning to end.
#[derive(Debug)]
pub(super) struct WorkItem {
    pub(super) subject: Subject,
    /// For people watching.
    pub(super) name: String,
    pub(super) len: usize,
    /// Where the bytes stand in the source, to give their pages back.
    pub(super) place: Option<Place>,
    /// Digests of the bytes as they are.
    pub(super) algorithms: Vec<Algorithm>,
    /// Digests of the decoded bytes, if it is to be read as a layer.
    pub(super) layer: Option<Vec<Algorithm>>,
}

/// Bytes of one of the source's files.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) range: Range<usize>,
}

impl Place {
    fn of(entry: &Entry) -> Place {
        Place { file: entry.file, range: entry.range.clone() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Archive,
    Blob(BlobId),
    Unreferenced(EntryId),
}

/// Plans the measuring of `images` (all of the graph's, or some) and of everything else that digests name.
pub fn plan(graph: &ImageGraph<'_>, images: &[&Image], needs: Needs) -> WorkPlan {
    plan_only(graph, images, needs, |_| true)
}

/// Plans as [`plan`] does, but opens only those layers that `opens` names.
pub fn plan_only(
    graph: &ImageGraph<'_>,
    images: &[&Image],
    needs: Needs,
    opens: impl Fn(BlobId) -> bool,
) -> WorkPlan {
    let mut items = Vec::new();
    let mut layers = if needs.layers || needs.listing { layers_of(graph, images) } else { BTreeMap::new() };
    layers.retain(|blob, _| opens(*blob));
    let of_images: HashSet<BlobId> =
        images.iter().flat_map(|image| &image.layers).filter_map(|layer| layer.blob).collect();
    for (position, blob) in graph.blobs.iter().enumerate() {
        let id = BlobId::at(position);
        let mut algorithms: Vec<Algorithm> = if needs.digests {
            blob.claims.iter().map(|claim| claim.digest.algorithm()).collect()
        } else {
            Vec::new()
        };
        let layer = layers.get(&id).cloned();
        let is_index = graph
            .document_of(id)
            .is_some_and(|document| matches!(graph.document(document).node, Node::Index(_)));
        // No descriptor names `index.json` or a docker-archive's layers, which have rungs on an image's ladder.
        if blob.claims.is_empty() && (is_index || needs.digests && of_images.contains(&id)) {
            algorithms.push(Algorithm::Sha256);
        }
        algorithms.sort();
        algorithms.dedup();
        if algorithms.is_empty() && layer.is_none() {
            continue;
        }
        let place = blob.entry.map(|entry| Place::of(graph.index.entry(entry)));
        let (name, len) = (blob.at.to_string(), graph.content(id).len());
        items.push(WorkItem { subject: Subject::Blob(id), name, len, place, algorithms, layer });
    }
    if needs.digests {
        items.extend(unreferenced(graph));
    }
    // What nobody looks at is not worth hashing either.
    if needs.archive && graph.index.is_whole() {
        let (name, algorithms) = (graph.at.to_string(), vec![Algorithm::Sha256]);
        let (subject, len) = (Subject::Archive, usize::MAX);
        items.push(WorkItem { subject, name, len, place: None, algorithms, layer: None });
    }
    // Small ones stay in the archive's order: their pages are read once, and many of them come with one page.
    items.sort_by_key(|item| std::cmp::Reverse(item.len.max(SMALL)));
    WorkPlan { items, needs }
}

/// Blobs up to this size are not worth sorting.
const SMALL: usize = 1 << 20;

/// Which blobs are layers that can be looked into, and which diff_id algorithms their configurations use.
fn layers_of(graph: &ImageGraph<'_>, images: &[&Image]) -> BTreeMap<BlobId, Vec<Algorithm>> {
    let mut layers: BTreeMap<BlobId, Vec<Algorithm>> = BTreeMap::new();
    for image in images {
        let diff_ids = graph.config(image).map(|config| config.diff_ids.as_slice()).unwrap_or_default();
        for (i, layer) in image.layers.iter().enumerate() {
            let Some(blob) = layer.blob else { continue };
            if image.kind != ImageKind::Image && !matches!(layer.media, Media::Layer { .. }) {
                continue;
            }
            let algorithm =
                diff_ids.get(i).copied().flatten().map_or(Algorithm::Sha256, |id| id.0.algorithm());
            let algorithms = layers.entry(blob).or_default();
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
    }
    layers
}

/// Files below `blobs/ALGORITHM/` that no descriptor names.
fn unreferenced(graph: &ImageGraph<'_>) -> Vec<WorkItem> {
    let referenced: HashSet<EntryId> = graph.blobs.iter().filter_map(|blob| blob.entry).collect();
    graph
        .index
        .files_below("blobs")
        .filter(|(id, _)| !referenced.contains(id))
        .map(|(id, entry)| {
            let folder = entry.path().split(|byte| *byte == b'/').nth(1).unwrap_or_default();
            let algorithm = std::str::from_utf8(folder).ok().and_then(Algorithm::by_name);
            WorkItem {
                subject: Subject::Unreferenced(id),
                name: graph.at.then(entry.path().to_vec()).to_string(),
                len: graph.index.bytes(id).len(),
                place: Some(Place::of(entry)),
                algorithms: vec![algorithm.unwrap_or(Algorithm::Sha256)],
                layer: None,
            }
        })
        .collect()
}
