//! The two views of one archive: `index.json` and `manifest.json`.

use std::collections::{HashMap, HashSet};

use super::{
    super::{Case, check::Hit},
    images,
};
use crate::{
    digest::{Algorithm, Digest},
    escape::escape,
    image::{BlobId, DocId, DockerImage, ImageGraph},
};

pub(super) fn both(case: &Case<'_>) -> Result<(), &'static str> {
    match (&case.graph.root, &case.graph.docker) {
        (Some(_), Some(_)) => Ok(()),
        _ => Err("the archive has only one of index.json and manifest.json"),
    }
}

/// All that the index says of one configuration's images.
#[derive(Default)]
struct Indexed<'g> {
    manifests: HashSet<Option<DocId>>,
    layers: HashSet<Vec<Option<BlobId>>>,
    names: HashSet<&'g str>,
}

/// The index's images by the content of their configurations. Beside a layout, a docker-archive's configuration may be
/// a file of its own with the same bytes.
struct Views<'g> {
    docker: &'g [DockerImage],
    by_config: HashMap<Digest, Indexed<'g>>,
    /// Digests of the configurations that `manifest.json` names: each is hashed once, however often it is named.
    digests: HashMap<BlobId, Digest>,
    /// Which manifests have a name, shortened.
    by_name: HashMap<&'g str, HashSet<Option<DocId>>>,
}

impl<'g> Views<'g> {
    fn of(case: &'g Case<'_>) -> Option<Views<'g>> {
        let graph = case.graph;
        let (_, docker) = (graph.root?, graph.docker.as_deref()?);
        let listed: HashSet<BlobId> = docker.iter().filter_map(|image| image.config).collect();
        let digests = listed.into_iter().map(|blob| (blob, digest(graph, blob))).collect();
        let mut views = Views { docker, by_config: HashMap::new(), digests, by_name: HashMap::new() };
        for image in graph.images.iter().filter(|image| image.manifest.is_some()) {
            let names = image.names.iter().map(|name| short(name));
            for name in names.clone() {
                views.by_name.entry(name).or_default().insert(image.manifest);
            }
            let Some(config) = image.config else { continue };
            let indexed = views.by_config.entry(digest(graph, graph.document(config).blob)).or_default();
            indexed.manifests.insert(image.manifest);
            indexed.layers.insert(image.layers.iter().map(|layer| layer.blob).collect());
            indexed.names.extend(names);
        }
        Some(views)
    }

    fn twin(&self, listed: &DockerImage) -> Option<&Indexed<'g>> {
        self.by_config.get(self.digests.get(&listed.config?)?)
    }
}

fn digest(graph: &ImageGraph<'_>, blob: BlobId) -> Digest {
    Digest::of(Algorithm::Sha256, graph.content(blob))
}

/// Every image of `manifest.json` must be one of the index's, configuration and layers, and a name that both views
/// know must lead to the same image.
pub(super) fn split_view(case: &Case<'_>) -> Vec<Hit> {
    let Some(views) = Views::of(case) else { return Vec::new() };
    let mut hits = Vec::new();
    for listed in views.docker {
        let Some(twin) = views.twin(listed) else {
            hits.push(Hit::new(listed.at.clone(), "index.json names no image with this configuration"));
            continue;
        };
        if !twin.layers.contains(&listed.layers) {
            hits.push(Hit::new(listed.at.clone(), "index.json names other layers for this configuration"));
        }
        for name in &listed.names {
            let known = views.by_name.get(short(name));
            if known.is_some_and(|manifests| manifests.is_disjoint(&twin.manifests)) {
                let detail = format!("index.json has another image for the name {}", escape(name.as_bytes()));
                hits.push(Hit::new(listed.at.clone(), detail));
            }
        }
    }
    if views.docker.is_empty() && case.graph.images.iter().any(|image| image.complete) {
        hits.push(Hit::new(case.graph.at.then("manifest.json"), "it is empty, index.json is not"));
    }
    hits
}

/// A name that only `manifest.json` gives an image to which the index gives others.
pub(super) fn split_names(case: &Case<'_>) -> Vec<Hit> {
    let Some(views) = Views::of(case) else { return Vec::new() };
    let mut hits = Vec::new();
    for listed in views.docker {
        let Some(twin) = views.twin(listed).filter(|twin| !twin.names.is_empty()) else { continue };
        // The spec's annotation often holds the tag alone.
        let tag = |name: &str| name.rsplit_once(':').map(|(_, tag)| tag.to_owned()).unwrap_or_default();
        let known = |name: &&String| {
            twin.names.contains(short(name))
                || twin.names.contains(tag(name).as_str())
                || views.by_name.contains_key(short(name))
        };
        for name in listed.names.iter().filter(|name| !known(name)) {
            hits.push(Hit::new(listed.at.clone(), escape(name.as_bytes())));
        }
    }
    hits
}

/// `docker.io/library/a:1` and `a:1` are one name.
fn short(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

pub(super) fn same_name_twice(case: &Case<'_>) -> Vec<Hit> {
    let (mut hits, mut seen) = (Vec::new(), HashSet::new());
    for image in images(case) {
        let twice = image.names.iter().filter(|name| !seen.insert((&image.platform, *name)));
        hits.extend(twice.map(|name| Hit::new(image.at.clone(), escape(name.as_bytes()))));
    }
    hits
}
