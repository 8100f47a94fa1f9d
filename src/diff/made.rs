//! What `normalize` would write for a docker-archive that becomes an OCI layout: the `index.json` and the manifests that
//! it does not have, so that they can be compared with those of the other side.

use std::collections::HashMap;

use super::{document::Text, side::Side};
use crate::{
    digest::{Algorithm, Digest},
    image::{BlobId, DocId, Image},
    json::{self, Node},
    limits::Limits,
    media,
    normalize::made,
};

/// A document that was made here.
pub(super) struct Document {
    raw: Vec<u8>,
    root: Option<Node>,
}

impl Document {
    fn new(raw: Vec<u8>) -> Document {
        let root = json::parse(&raw, &Limits::default()).root;
        Document { raw, root }
    }

    pub(super) fn text(&self) -> Text<'_> {
        Text { raw: &self.raw, root: self.root.as_ref() }
    }
}

/// The documents that one side lacks.
pub(super) struct Made {
    pub(super) index: Document,
    /// The configurations of the images that `index` lists, one for each descriptor.
    pub(super) configs: Vec<DocId>,
    /// The manifests by configuration.
    manifests: HashMap<DocId, Document>,
}

impl Made {
    /// The documents that `side` lacks; `None` if it has an `index.json`, or the other has none either.
    pub(super) fn of(side: &Side<'_>, other: &Side<'_>) -> Option<Made> {
        if side.graph.root.is_some() || other.graph.root.is_none() || side.narrowed || other.narrowed {
            return None;
        }
        let (mut descriptors, mut configs, mut manifests) = (Vec::new(), Vec::new(), HashMap::new());
        for image in side.images {
            let Some(config) = image.config else { continue };
            let manifest = manifest(side, image, config);
            let digest = Digest::of(Algorithm::Sha256, &manifest);
            let descriptor = made::descriptor(media::MANIFEST, &digest, manifest.len());
            let named = made::named(&descriptor, &image.names, side.graph.document(config).root.as_ref());
            configs.extend(named.iter().map(|_| config));
            descriptors.extend(named);
            manifests.insert(config, Document::new(manifest));
        }
        Some(Made { index: Document::new(made::index(descriptors)), configs, manifests })
    }

    /// The manifest of an image.
    pub(super) fn manifest(&self, image: &Image) -> Option<Text<'_>> {
        self.manifests.get(&image.config?).map(Document::text)
    }
}

fn manifest(side: &Side<'_>, image: &Image, config: DocId) -> Vec<u8> {
    let descriptor = |media_type: &str, blob: BlobId| {
        let content = side.graph.content(blob);
        let measured = side.facts.blobs.get(&blob).and_then(|blob| blob.digest(Algorithm::Sha256));
        let digest = measured.unwrap_or_else(|| Digest::of(Algorithm::Sha256, content));
        made::descriptor(media_type, &digest, content.len())
    };
    let layers = image.layers.iter().filter_map(|layer| layer.blob);
    let layers = layers.map(|blob| descriptor(&made::layer_type(side.graph.content(blob)), blob));
    made::manifest(descriptor(media::CONFIG, side.graph.document(config).blob), layers)
}
