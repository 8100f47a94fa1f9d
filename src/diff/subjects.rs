//! Which manifest an attestation or a signature is about.

use std::collections::HashMap;

use crate::{
    digest::Digest,
    image::{BlobId, Image, ImageGraph, Node, REFERENCE},
};

/// Which manifests the images of one graph are about.
pub(super) struct Subjects<'g> {
    graph: &'g ImageGraph<'g>,
    /// What annotations say of manifests; of several, the first counts.
    references: HashMap<BlobId, Digest>,
}

impl<'g> Subjects<'g> {
    /// Goes through all indexes.
    pub(super) fn new(graph: &'g ImageGraph<'g>) -> Subjects<'g> {
        let mut references = HashMap::new();
        for document in &graph.documents {
            let Node::Index(children) = &document.node else { continue };
            for child in children {
                let subject = child.annotation(REFERENCE).and_then(|digest| Digest::parse(digest).ok());
                if let (Some(blob), Some(subject)) = (child.target.blob(), subject) {
                    references.entry(blob).or_insert(subject);
                }
            }
        }
        Subjects { graph, references }
    }

    /// The manifest that an image is about, if it is about one.
    pub(super) fn of(&self, image: &Image) -> Option<Digest> {
        let document = self.graph.document(image.manifest?);
        let own = match &document.node {
            Node::Manifest(manifest) => manifest.subject.as_ref().and_then(|subject| subject.digest),
            _ => None,
        };
        own.or_else(|| self.references.get(&document.blob).copied())
    }

    /// The position of the image that `image` is about.
    pub(super) fn position(&self, image: &Image, images: &[&Image]) -> Option<usize> {
        let subject = self.of(image)?;
        images.iter().position(|other| other.digest == Some(subject))
    }
}
