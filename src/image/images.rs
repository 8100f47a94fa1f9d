//! The images that an archive's documents come to: each once, under all its names.
//!
//! Knows what makes a manifest an image. Must not read documents.

use std::collections::{HashMap, HashSet};

use super::{BlobId, Descriptor, DocId, Image, ImageGraph, ImageKind, Layer, Manifest, Node, Platform};
use crate::{
    codec::{self, Compression},
    media::Media,
    tar,
};

/// Most bytes that the names of an archive's images take in all: one name in `index.json` is that of every image below
/// it.
const MAX_NAMES: usize = 32 << 20;
/// What a name takes besides its own bytes.
const NAME: usize = 64;

/// Images in the making.
#[derive(Default)]
pub(super) struct Images {
    /// In the order they are met.
    pub(super) list: Vec<Image>,
    positions: HashMap<Key, usize>,
    /// The names that images have, by the images' positions.
    named: HashSet<(usize, String)>,
    /// Bytes of names so far that entries of `index.json` gave, found anew or not.
    names: usize,
}

/// What two mentions of one image have in common.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Manifest(DocId),
    /// The configuration and the layers that `manifest.json` lists.
    Docker(Option<DocId>, Vec<Option<BlobId>>),
}

/// What an image has from the entry of `index.json` above it.
#[derive(Clone, Copy)]
struct Above<'g> {
    index: DocId,
    name: Option<&'g str>,
}

impl Images {
    /// Adds the images below `index.json`. Where their names take more than the limit, the rest gets none and the limit
    /// is returned.
    pub(super) fn add_layout(&mut self, graph: &ImageGraph<'_>, root: DocId) -> Option<usize> {
        // An index that is reached again gives no further images, but under another name that name.
        let mut seen = HashSet::new();
        for entry in graph.children(root) {
            let nested =
                document(graph, entry).filter(|id| matches!(graph.document(*id).node, Node::Index(_)));
            let mut above = Above { index: nested.unwrap_or(root), name: name_of(entry) };
            let mut rest = vec![entry];
            while let Some(descriptor) = rest.pop() {
                let Some(id) = document(graph, descriptor) else { continue };
                self.names =
                    self.names.saturating_add(above.name.map_or(0, |name| name.len().saturating_add(NAME)));
                above.name = above.name.filter(|_| self.names <= MAX_NAMES);
                match &graph.document(id).node {
                    Node::Index(children) if seen.insert((id, None)) | seen.insert((id, above.name)) => {
                        rest.extend(children.iter().rev());
                    }
                    Node::Manifest(manifest) => self.add(graph, descriptor, id, manifest, above),
                    _ => {}
                }
            }
        }
        (self.names > MAX_NAMES).then_some(MAX_NAMES)
    }

    fn add(
        &mut self,
        graph: &ImageGraph<'_>,
        by: &Descriptor,
        id: DocId,
        manifest: &Manifest,
        above: Above<'_>,
    ) {
        let position = self.position(Key::Manifest(id), || image(graph, by, id, manifest, above.index));
        if let Some(name) = above.name {
            self.name(position, name);
        }
        let Some(image) = self.list.get_mut(position) else { return };
        if image.platform.as_ref().is_none_or(Platform::is_unknown)
            && let Some(platform) = platform(graph, by, image.config)
        {
            image.platform = Some(platform);
        }
    }

    /// Adds an image of `manifest.json`, or its names to the image that is there already.
    pub(super) fn add_docker(&mut self, image: Image, names: &[String]) {
        let layers = image.layers.iter().map(|layer| layer.blob).collect();
        let position = self.position(Key::Docker(image.config, layers), || image);
        names.iter().for_each(|name| self.name(position, name));
    }

    fn position(&mut self, key: Key, image: impl FnOnce() -> Image) -> usize {
        *self.positions.entry(key).or_insert_with(|| {
            self.list.push(image());
            self.list.len().saturating_sub(1)
        })
    }

    fn name(&mut self, position: usize, name: &str) {
        if self.named.insert((position, name.to_owned()))
            && let Some(image) = self.list.get_mut(position)
        {
            image.names.push(name.to_owned());
        }
    }
}

fn document(graph: &ImageGraph<'_>, descriptor: &Descriptor) -> Option<DocId> {
    graph.document_of(descriptor.target.blob()?)
}

/// The platform that a manifest's descriptor or its configuration gives.
fn platform(graph: &ImageGraph<'_>, by: &Descriptor, config: Option<DocId>) -> Option<Platform> {
    by.platform.clone().or_else(|| match &graph.document(config?).node {
        Node::Config(config) if !config.platform.os.is_empty() => Some(config.platform.clone()),
        _ => None,
    })
}

fn image(graph: &ImageGraph<'_>, by: &Descriptor, id: DocId, manifest: &Manifest, index: DocId) -> Image {
    let config = manifest.config.as_ref();
    let config_doc = config
        .and_then(|config| document(graph, config))
        .filter(|&doc| matches!(graph.document(doc).node, Node::Config(_)));
    let layers: Vec<Layer> = manifest.layers.iter().map(layer).collect();
    // What can be run is an image, whatever the descriptor that leads to it says.
    let runs = !holds_no_file_system(graph, &layers);
    let attests = by.is_attestation() || by.platform.as_ref().is_some_and(Platform::is_unknown);
    let kind = match config {
        _ if attests && !runs => ImageKind::Attestation,
        Some(config) if !config.says_config() && config_doc.is_none() => ImageKind::Artifact,
        _ if runs => ImageKind::Image,
        _ => ImageKind::Artifact,
    };
    let here =
        |layer: &Layer| layer.blob.is_some() || matches!(layer.media, Media::Layer { foreign: true, .. });
    let config_here = match kind {
        ImageKind::Image => config_doc.is_some(),
        _ => config.is_some_and(|config| config.target.blob().is_some()),
    };
    Image {
        kind,
        names: Vec::new(),
        platform: platform(graph, by, config_doc),
        manifest: Some(id),
        index: Some(index),
        digest: by.digest,
        at: by.at.clone(),
        config: config_doc,
        complete: config_here && layers.iter().all(here),
        layers,
    }
}

/// Whether no layer is one by its type, nor by its content for readers that look there. cosign's signatures have the
/// configuration of an image, but a layer that is JSON.
fn holds_no_file_system(graph: &ImageGraph<'_>, layers: &[Layer]) -> bool {
    let is_none = |layer: &Layer| {
        let content = layer.blob.map(|blob| graph.content(blob)).unwrap_or_default();
        layer.media == Media::Other
            && codec::sniff(content) == Compression::Plain
            && !content.first_chunk().is_some_and(tar::is_header)
    };
    !layers.is_empty() && layers.iter().all(is_none)
}

fn layer(descriptor: &Descriptor) -> Layer {
    Layer {
        blob: descriptor.target.blob(),
        digest: descriptor.digest,
        media_type: descriptor.media_type.clone(),
        media: descriptor.media,
        at: descriptor.at.clone(),
    }
}

/// The name an entry of `index.json` gives: containerd's is the full reference, the spec's often only the tag.
pub(super) fn name_of(descriptor: &Descriptor) -> Option<&str> {
    ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
        .iter()
        .find_map(|key| descriptor.annotation(key))
}
