//! The table of checks, one function each, by area; and what reading found already, by check.

mod blob;
mod config;
mod content;
mod epoch;
mod expect;
mod layer;
mod views;

pub use content::{Content, Pattern};

use std::{collections::HashMap, sync::LazyLock};

use super::{
    Case, Options,
    check::{
        Applies::{Always, Asked, If},
        Check, Hit, Stage,
    },
};
use crate::{
    archive,
    grade::Grade,
    image::{self, BlobId, Image, ImageKind, Layer},
    json,
    measure::LayerFacts,
    tar,
};

macro_rules! checks {
    ($($id:literal $grade:ident $stage:ident $run:path, $applies:expr, $title:literal $why:literal)*) => {
        /// The checks that look at what was read and measured.
        const OWN: &[Check] = &[$(Check {
            id: $id,
            grade: Grade::$grade,
            stage: Stage::$stage,
            title: $title,
            why: $why,
            run: Some($run),
            applies: $applies,
        }),*];
    };
}

checks! {
    "document.split-view" Error Documents views::split_view, If(views::both),
        "index.json and manifest.json name different images"
        "docker load with a graph driver follows manifest.json; skopeo, podman and containerd follow index.json"
    "document.split-names" Note Documents views::split_names, If(views::both),
        "manifest.json gives an image a name that index.json does not"
        "docker load with a graph driver tags it so; skopeo, podman and containerd do not"
    "document.same-name" Warning Documents views::same_name_twice, Always,
        "two images of one platform have the same name"
        "which of them a reader takes by that name is chance"
    "document.newer-than-epoch" Error Documents epoch::annotations_newer, Asked(has_epoch),
        "a manifest or an index is annotated with a time newer than SOURCE_DATE_EPOCH"
        "the next build will have another one, and so another digest"
    "blob.digest" Error Digests blob::digest, Always,
        "content does not have the digest that names it"
        "the content was changed after it was built, or damaged"
    "blob.size" Error Digests blob::size, Always,
        "content does not have the size its descriptor gives"
        "readers that trust the size cut the content or wait for more"
    "blob.unreferenced" Note Digests blob::unreferenced, Always,
        "a blob that nothing refers to"
        "it is not part of any image; docker save writes some"
    "blob.unreferenced-digest" Warning Digests blob::unreferenced_digest, Always,
        "a blob that nothing refers to does not have the digest it is named after"
        "a tool that shares blobs between layouts would pass it on"
    "config.rootfs-type" Error Documents config::rootfs_type, If(has_config),
        "rootfs.type is not \"layers\""
        "the spec knows no other type and asks readers to refuse it"
    "config.diff-id-count" Error Documents config::diff_id_count, If(has_config),
        "the configuration lists another number of diff_ids than the manifest lists layers"
        "readers refuse the image or leave layers unverified"
    "config.diff-id" Error Layers config::diff_id, If(config::has_diff_ids),
        "a layer's content is not what the configuration's diff_id names"
        "the file system is not the one that was built"
    "config.history-count" Warning Documents config::history_count, If(has_config),
        "the history speaks of another number of layers than there are"
        "tools that show which step made which layer are wrong about it"
    "config.platform" Warning Documents config::platform, If(has_config),
        "the configuration names another platform than the index, or none"
        "a reader that chooses by the index runs the wrong image"
    "config.newer-than-epoch" Error Documents epoch::config_newer, Asked(has_epoch),
        "the configuration holds a time newer than SOURCE_DATE_EPOCH"
        "the next build will have another one"
    "layer.media-type" Warning Layers layer::media_type, If(has_layers),
        "a layer's media type does not say what its bytes are"
        "readers that trust the type fail where readers that look do not"
    "layer.unknown-media-type" Warning Documents layer::unknown_media_type, If(has_layers),
        "a layer's media type is not known"
        "readers that do not know it refuse the image"
    "layer.not-inspected" Error Layers layer::not_inspected, If(has_layers),
        "a layer's content could not be looked into"
        "it is encrypted or compressed in a way no container engine reads; --allow-opaque accepts it"
    "layer.decode" Error Layers layer::decode, If(has_layers),
        "a layer cannot be decompressed to its end"
        "readers that stop at the damage get another file system than readers that refuse it"
    "layer.unpacked-limit" Error Layers layer::unpacked_limit, If(has_layers),
        "a layer unpacks to more than the limit"
        "nothing beyond the limit was looked at (--max-unpacked)"
    "layer.trailing-zeros" Warning Layers layer::trailing_zeros, If(has_layers),
        "zero bytes stand behind a layer's compressed stream"
        "gzip passes over them with a warning, others refuse them"
    "layer.ratio" Note Layers layer::ratio, If(has_layers),
        "a layer unpacks to more than 200 times its size"
        "decompression bombs look like this; so do files full of zeros"
    "layer.depth" Note Documents layer::depth, If(has_layers),
        "an image has more than 127 layers"
        "Docker's overlay driver mounts no more"
    "layer.repeated" Note Documents layer::repeated, If(has_layers),
        "an image has one layer several times"
        "harmless; empty layers look like this"
    "layer.newer-than-epoch" Error Layers epoch::layers_newer, Asked(has_epoch),
        "a layer holds a file newer than SOURCE_DATE_EPOCH"
        "the next build will have another one: its timestamps were not rewritten"
    "content.forbidden" Error Layers content::forbidden, Asked(content::files_forbidden),
        "a layer holds a file that the policy forbids"
        "it would be published with the image, even where a later layer removes it"
    "content.layer-size" Error Layers content::layer_size, Asked(content::size_limited),
        "a layer is larger than the policy allows"
        "every machine that pulls the image fetches and unpacks it"
    "content.layer-count" Error Documents content::layer_count, Asked(content::count_limited),
        "an image has more layers than the policy allows"
        "each of them is fetched, unpacked and mounted on its own"
    "expect.digest" Error Digests expect::digest, Asked(expect::digest_given),
        "an expected digest is on no rung of any image's ladder"
        "this is not the image that was asked for"
    "expect.archive" Error Documents expect::archive, Asked(expect::archive_given),
        "the archive is not the file that its checksum names"
        "it was changed, damaged or exchanged since the checksum was taken"
    "expect.platform" Error Documents expect::platform, Asked(expect::platform_given),
        "a required platform is missing or not complete"
        "it could not be loaded"
}

/// All checks: what reading can find, then what judging can find.
pub fn checks() -> &'static [Check] {
    static CHECKS: LazyLock<Vec<Check>> = LazyLock::new(|| {
        let documents = |row| Check::of_row(row, Stage::Documents);
        let layers = |row| Check::of_row(row, Stage::Layers);
        archive::FaultKind::ALL
            .iter()
            .map(|kind| documents(kind.row()))
            .chain(image::FaultKind::ALL.iter().map(|kind| documents(kind.row())))
            .chain(json::FaultKind::ALL.iter().map(|kind| documents(kind.row())))
            .chain(tar::AnomalyKind::ALL.iter().map(|kind| layers(kind.row())))
            .chain(OWN.iter().copied())
            .collect()
    });
    &CHECKS
}

/// What reading the archive found, by the id of the check it belongs to.
pub(super) fn recorded(case: &Case<'_>) -> HashMap<&'static str, Vec<Hit>> {
    let mut hits: HashMap<&'static str, Vec<Hit>> = HashMap::new();
    let mut add = |id: &'static str, hit: Hit| hits.entry(id).or_default().push(hit);
    let (graph, root) = (case.graph, &case.graph.at);
    for fault in &graph.index.faults {
        let at = if fault.name.is_empty() { root.clone() } else { root.then(fault.name.clone()) };
        add(fault.kind.id(), Hit::new(at.at(fault.offset), fault.detail.clone()));
    }
    for anomaly in &graph.index.anomalies {
        let at = if anomaly.name.is_empty() { root.clone() } else { root.then(anomaly.name.clone()) };
        add(anomaly.kind.id(), Hit::new(at.at(anomaly.offset), anomaly.detail.clone()));
    }
    for document in &graph.documents {
        let place = &graph.blob(document.blob).at;
        for fault in &document.faults {
            let at = place.clone().at(fault.offset);
            let at = if fault.pointer.is_empty() { at } else { at.pointer(fault.pointer.clone()) };
            add(fault.kind.id(), Hit::new(at, fault.detail.clone()));
        }
    }
    for fault in &graph.faults {
        add(fault.kind.id(), Hit::new(fault.at.clone(), fault.detail.clone()));
    }
    let opaque = layer::opaque(case);
    for (blob, facts) in layers(case) {
        let place = &graph.blob(blob).at;
        // What is no tar at all has its own finding.
        let is_opaque = opaque.contains(&blob);
        for anomaly in facts.anomalies.iter().filter(|_| !is_opaque) {
            let at = if anomaly.name.is_empty() { place.clone() } else { place.then(anomaly.name.clone()) };
            add(anomaly.kind.id(), Hit::new(at.at(anomaly.offset), anomaly.detail.clone()));
        }
    }
    hits
}

/// Every layer that was opened, once, in the graph's order.
fn layers<'c>(case: &'c Case<'_>) -> impl Iterator<Item = (BlobId, &'c LayerFacts)> {
    (0..case.graph.blobs.len())
        .map(BlobId::at)
        .filter_map(|id| Some((id, case.facts.blobs.get(&id)?.layer.as_deref()?)))
}

/// The images that are file systems.
fn images<'c>(case: &'c Case<'_>) -> impl Iterator<Item = &'c Image> {
    case.images.iter().copied().filter(|image| image.kind == ImageKind::Image)
}

/// Every layer of every image that is a file system, with its facts if it was opened.
fn image_layers<'c>(case: &'c Case<'_>) -> impl Iterator<Item = (&'c Layer, Option<&'c LayerFacts>)> {
    images(case)
        .flat_map(|image| &image.layers)
        .map(|layer| (layer, layer.blob.and_then(|blob| case.facts.blobs.get(&blob)?.layer.as_deref())))
}

fn has_config(case: &Case<'_>) -> Result<(), &'static str> {
    if images(case).any(|image| image.config.is_some()) { Ok(()) } else { Err("no configuration") }
}

fn has_layers(case: &Case<'_>) -> Result<(), &'static str> {
    if images(case).any(|image| !image.layers.is_empty()) { Ok(()) } else { Err("no layers") }
}

fn has_epoch(options: &Options) -> Result<(), &'static str> {
    options.source_date_epoch.map(|_| ()).ok_or("no SOURCE_DATE_EPOCH given")
}
