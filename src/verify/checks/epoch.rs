//! What is newer than SOURCE_DATE_EPOCH.
//!
//! Knows how BuildKit treats a base image: with SOURCE_DATE_EPOCH it sets back every time of the configuration except
//! in the history it takes over from the base; and each layer it rewrites, none of the base's, gets an annotation with
//! the epoch.

use std::collections::HashSet;

use jiff::SignedDuration;

use super::{
    super::{Case, check::Hit},
    config::configs,
    images, layers,
};
use crate::{
    escape::escape,
    image::{BlobId, DocId, Image, Node},
    json::Field,
    rfc3339,
    rules::{DocumentKind, Rule},
};

/// BuildKit's annotation of a layer whose times it rewrote.
const REWRITTEN: &str = "buildkit/rewritten-timestamp";

pub(super) fn layers_newer(case: &Case<'_>) -> Vec<Hit> {
    let own = case.options.newer_base.then(|| own_layers(case));
    layers(case)
        .filter(|(blob, facts)| facts.newer.count > 0 && own.as_ref().is_none_or(|own| own.contains(blob)))
        .map(|(blob, facts)| {
            let at = &case.graph.blob(blob).at;
            let (name, time) = facts.newer.first.clone().unwrap_or_default();
            let detail = format!("{} members, the first of {} s", facts.newer.count, time.secs);
            Hit::new(at.then(name), detail)
        })
        .collect()
}

pub(super) fn config_newer(case: &Case<'_>) -> Vec<Hit> {
    let Some(epoch) = case.options.source_date_epoch else { return Vec::new() };
    let mut hits = Vec::new();
    for (image, config, at) in configs(case) {
        let base = Base::of(case, image).steps;
        let steps = config.history.iter().flatten().enumerate().skip(base);
        let times = steps.map(|(i, step)| (format!("/history/{i}/created"), step.created.as_deref()));
        for (pointer, time) in times.chain([("/created".to_owned(), config.created.as_deref())]) {
            let Some(time) = time.filter(|time| is_newer(time, epoch)) else { continue };
            hits.push(Hit::new(at.clone().pointer(pointer), escape(time.as_bytes())));
        }
    }
    hits
}

/// What `normalize` would set back in manifests and indexes.
pub(super) fn annotations_newer(case: &Case<'_>) -> Vec<Hit> {
    let Some(epoch) = case.options.source_date_epoch else { return Vec::new() };
    let Some(times) = Rule::by_id("manifest.created").and_then(Rule::field) else { return Vec::new() };
    let mut hits = Vec::new();
    for id in (0..case.graph.documents.len()).map(DocId::at) {
        let kind = DocumentKind::of(case.graph, id);
        let fields =
            kind.zip(case.graph.document(id).root.as_ref()).map(|(kind, root)| times.find(kind, root));
        for (_, Field { node, .. }) in fields.unwrap_or_default() {
            let Some(time) = node.str().ok().filter(|time| is_newer(time, epoch)) else { continue };
            let at = case.graph.place(id).clone().at(node.span.start as u64);
            hits.push(Hit::new(at, escape(time.as_bytes())));
        }
    }
    hits
}

/// Whether a time is after the epoch. One that cannot be read has a finding of its own.
fn is_newer(time: &str, epoch: i64) -> bool {
    rfc3339::parse(time).is_some_and(|time| time > SignedDuration::from_secs(epoch))
}

/// Layers that some image has on top of its base.
fn own_layers(case: &Case<'_>) -> HashSet<BlobId> {
    let own = images(case).flat_map(|image| image.layers.iter().skip(Base::of(case, image).layers));
    own.filter_map(|layer| layer.blob).collect()
}

/// How much of an image comes from its base image, as far as that may be newer.
#[derive(Default)]
struct Base {
    steps: usize,
    layers: usize,
}

impl Base {
    /// All up to the last step of the history that is newer than the epoch, but nothing from the first layer on that
    /// BuildKit says it has rewritten to this epoch. A base image that is not newer needs no exception; one whose
    /// files are newer than its own history gets none.
    fn of(case: &Case<'_>, image: &Image) -> Base {
        let (true, Some(epoch)) = (case.options.newer_base, case.options.source_date_epoch) else {
            return Base::default();
        };
        let steps = case.graph.config(image).and_then(|config| config.history.as_deref());
        let steps = steps.unwrap_or_default();
        let newer = |created: &Option<String>| created.as_deref().is_some_and(|time| is_newer(time, epoch));
        let end = steps.iter().rposition(|step| newer(&step.created)).map_or(0, |last| last + 1);
        let mut base = Base::default();
        for step in steps.iter().take(end) {
            if !step.empty_layer {
                if is_rewritten(case, image, base.layers, epoch) {
                    break;
                }
                base.layers += 1;
            }
            base.steps += 1;
        }
        base
    }
}

fn is_rewritten(case: &Case<'_>, image: &Image, layer: usize, epoch: i64) -> bool {
    let Some(Node::Manifest(manifest)) = image.manifest.map(|id| &case.graph.document(id).node) else {
        return false;
    };
    let value = manifest.layers.get(layer).and_then(|layer| layer.annotation(REWRITTEN));
    value.is_some_and(|value| value == epoch.to_string())
}
