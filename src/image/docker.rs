//! docker-archive's `manifest.json` (docker save, podman save, skopeo; also beside an OCI layout).

use std::collections::HashSet;

use super::{
    BlobId, Claim, DocId, FaultKind, Image, ImageKind, Layer, Node, Role, Target, oci,
    resolver::{Resolver, Value},
    shape,
};
use crate::{
    digest::{Algorithm, Digest},
    escape::escape,
    location::Location,
    media::{Media, Packing},
};

pub(super) const MANIFEST: &[u8] = b"manifest.json";

/// One entry of `manifest.json`.
#[derive(Clone, Debug)]
pub struct DockerImage {
    /// Where it stands.
    pub at: Location,
    /// The configuration.
    pub config: Option<BlobId>,
    /// `RepoTags`.
    pub names: Vec<String>,
    /// The layers, lowest first; `None` for one that is not here.
    pub layers: Vec<Option<BlobId>>,
}

/// Reads `manifest.json`; nothing where there is none.
pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let at = resolver.graph.at.then(MANIFEST);
    let Target::Blob(blob) = resolver.find(MANIFEST, Role::Root, &at) else { return };
    let (id, _) = resolver.document(blob);
    let images = resolver.with_root(id, |resolver, root| {
        resolver.check(&root, &shape::DOCKER);
        root.elements().iter().map(|entry| image(resolver, entry)).collect::<Vec<_>>()
    });
    let images = images.unwrap_or_default();
    let indexed = resolver.images.list.iter().filter_map(|image| image.config).collect();
    for image in &images {
        add_image(resolver, image, &indexed);
    }
    resolver.graph.docker = Some(images);
}

fn image(resolver: &mut Resolver<'_>, entry: &Value<'_>) -> DockerImage {
    let config = match entry.text("Config") {
        Some(path) => {
            let at = entry.get("Config").map_or(entry.at.clone(), |field| field.at);
            let blob = file(resolver, &path, Role::Config, &at);
            claim_by_name(resolver, blob, &path, &at);
            blob
        }
        None => {
            resolver.fault(FaultKind::FieldMissing, &entry.at, "Config");
            None
        }
    };
    if let Some(config) = config {
        oci::read_config(resolver, config);
    }
    let names = entry.list("RepoTags");
    let names = names.iter().filter_map(|tag| tag.node.str().ok()).map(str::to_owned).collect();
    let layers = entry.list("Layers").iter().map(|value| layer(resolver, value)).collect();
    for source in entry.get("LayerSources").map(|sources| sources.fields()).unwrap_or_default() {
        let descriptor = resolver.descriptor(&source, Role::Layer);
        oci::absent_layer(resolver, &descriptor);
    }
    DockerImage { at: entry.at.clone(), config, names, layers }
}

fn layer(resolver: &mut Resolver<'_>, value: &Value<'_>) -> Option<BlobId> {
    let path = value.node.str().ok()?.to_owned();
    // Beside an OCI layout a layer that is not here is no fault of its own: foreign layers are left out, and the
    // index says whether this one is.
    if resolver.graph.root.is_some()
        && resolver.graph.index.find(path.as_bytes()) == crate::archive::Found::Missing
    {
        return None;
    }
    let blob = file(resolver, &path, Role::Layer, &value.at);
    if path.starts_with("blobs/") {
        claim_by_name(resolver, blob, &path, &value.at);
    }
    blob
}

fn file(resolver: &mut Resolver<'_>, path: &str, role: Role, at: &Location) -> Option<BlobId> {
    let target = resolver.find(path.as_bytes(), role, at);
    if target == Target::Absent {
        resolver.fault(FaultKind::BlobMissing, at, escape(path.as_bytes()));
    }
    target.blob()
}

/// A file named after a digest must have it.
fn claim_by_name(resolver: &mut Resolver<'_>, blob: Option<BlobId>, path: &str, at: &Location) {
    if let (Some(blob), Some(digest)) = (blob, digest_in_name(path)) {
        resolver.claim(blob, Claim { digest, size: None, at: at.clone() });
    }
}

/// The digest a file is named after: `HEX.json` and `HEX` (docker, podman, skopeo), `ALGORITHM:HEX`
/// (go-containerregistry), `blobs/ALGORITHM/HEX`.
fn digest_in_name(path: &str) -> Option<Digest> {
    let mut parts = path.rsplit('/');
    let name = parts.next()?;
    if let Ok(digest) = Digest::parse(name) {
        return Some(digest);
    }
    let folder = parts.next().and_then(Algorithm::by_name).filter(|_| parts.next() == Some("blobs"));
    let hex = name.strip_suffix(".json").unwrap_or(name);
    Digest::from_hex(folder.unwrap_or(Algorithm::Sha256), hex).ok()
}

/// Adds what `manifest.json` lists as an image of its own, unless the index lists it too.
fn add_image(resolver: &mut Resolver<'_>, docker: &DockerImage, indexed: &HashSet<DocId>) {
    let config = docker.config.and_then(|blob| resolver.graph.document_of(blob));
    if config.is_some_and(|config| indexed.contains(&config)) {
        return;
    }
    let platform = config.and_then(|doc| match &resolver.graph.document(doc).node {
        Node::Config(config) => Some(config.platform.clone()),
        _ => None,
    });
    let layers: Vec<Layer> = docker
        .layers
        .iter()
        .enumerate()
        .map(|(i, blob)| Layer {
            blob: *blob,
            digest: None,
            media_type: String::new(),
            media: Media::Layer { packing: Packing::Plain, foreign: false },
            at: docker
                .at
                .clone()
                .pointer(format!("{}/Layers/{i}", docker.at.pointer.as_deref().unwrap_or_default())),
        })
        .collect();
    let complete = platform.is_some() && layers.iter().all(|layer| layer.blob.is_some());
    let image = Image {
        kind: ImageKind::Image,
        names: Vec::new(),
        platform,
        manifest: None,
        index: None,
        digest: None,
        at: docker.at.clone(),
        config,
        complete,
        layers,
    };
    resolver.images.add_docker(image, &docker.names);
}
