//! The two views of one archive: `index.json` and `manifest.json`.

use super::{
    super::{Case, check::Hit},
    images,
};
use crate::{
    digest::{Algorithm, Digest},
    escape::escape,
    image::{BlobId, DockerImage, Image, ImageGraph},
};

pub(super) fn both(case: &Case<'_>) -> Result<(), &'static str> {
    match (&case.graph.root, &case.graph.docker) {
        (Some(_), Some(_)) => Ok(()),
        _ => Err("the archive has only one of index.json and manifest.json"),
    }
}

/// Every image of `manifest.json` must be one of the index's, configuration and layers, and names that both views
/// know must lead to the same image.
pub(super) fn split_view(case: &Case<'_>) -> Vec<Hit> {
    let graph = case.graph;
    let (Some(_), Some(docker)) = (&graph.root, &graph.docker) else { return Vec::new() };
    let mut hits = Vec::new();
    let indexed: Vec<&Image> = graph.images.iter().filter(|image| image.manifest.is_some()).collect();
    for listed in docker {
        let twins: Vec<&&Image> = indexed.iter().filter(|image| same_config(graph, image, listed)).collect();
        if twins.is_empty() {
            hits.push(Hit::new(listed.at.clone(), "index.json names no image with this configuration"));
            continue;
        }
        if !twins.iter().any(|image| same_layers(image, listed)) {
            hits.push(Hit::new(listed.at.clone(), "index.json names other layers for this configuration"));
        }
        for name in &listed.names {
            let elsewhere = indexed.iter().any(|image| {
                image.names.iter().any(|known| same_name(known, name))
                    && !twins.iter().any(|twin| twin.manifest == image.manifest)
            });
            let here = twins.iter().any(|twin| twin.names.iter().any(|known| same_name(known, name)));
            if elsewhere && !here {
                let detail = format!("index.json has another image for the name {}", escape(name.as_bytes()));
                hits.push(Hit::new(listed.at.clone(), detail));
            }
        }
    }
    if docker.is_empty() && indexed.iter().any(|image| image.complete) {
        hits.push(Hit::new(graph.at.then("manifest.json"), "it is empty, index.json is not"));
    }
    hits
}

fn same_config(graph: &ImageGraph<'_>, image: &Image, listed: &DockerImage) -> bool {
    let content = |blob: BlobId| Digest::of(Algorithm::Sha256, graph.content(blob));
    let indexed = image.config.map(|config| graph.document(config).blob);
    match (indexed, listed.config) {
        (Some(a), Some(b)) => a == b || content(a) == content(b),
        _ => false,
    }
}

/// A layer that is not in the archive at all is missing from both views alike.
fn same_layers(image: &Image, listed: &DockerImage) -> bool {
    image.layers.iter().map(|layer| layer.blob).eq(listed.layers.iter().copied())
}

/// `docker.io/library/a:1` and `a:1` are one name; so are a full reference and its tag alone, which says too little to
/// be another one.
fn same_name(indexed: &str, tag: &str) -> bool {
    let short = |name: &str| {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        name.strip_prefix("library/").unwrap_or(name).to_owned()
    };
    short(indexed) == short(tag)
}

pub(super) fn same_name_twice(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    let all: Vec<&Image> = images(case).collect();
    for (i, image) in all.iter().enumerate() {
        let earlier = all.iter().take(i).filter(|other| other.platform == image.platform);
        let shared = earlier.flat_map(|other| &other.names).find(|name| image.names.contains(name));
        if let Some(name) = shared {
            hits.push(Hit::new(image.at.clone(), escape(name.as_bytes())));
        }
    }
    hits
}
