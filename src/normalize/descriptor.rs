//! Descriptors: what a manifest or an index says of what it points at, brought in line with what that became.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ops::Range,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    documents::{Below, Content, Documents, FORM, NAMES},
    names,
    outcome::subject,
};
use crate::{
    codec::{self, Compression},
    digest::Digest,
    error::{Error, ErrorKind, Result},
    image::{BlobId, Descriptor, DocId, Node as DocNode, REFERENCE},
    json::{Edits, Field, Node},
    ladder::Rung,
    media,
    rules::{Change, DocumentKind},
};

impl Documents<'_> {
    /// What a descriptor's target becomes; digest, size and embedded data follow. `None` if the target is not here.
    pub(super) fn descriptor(
        &mut self,
        node: &Node,
        old: &Descriptor,
        edits: &mut Edits,
    ) -> Result<Option<Content>> {
        let (Some(blob), Some(digest)) = (old.target.blob(), old.digest) else { return Ok(None) };
        let content = self.content(blob)?;
        let new = match content {
            Content::Same(_) => digest,
            _ => self.digest(&content, digest.algorithm()),
        };
        if new != digest {
            let bytes = self.bytes(&content);
            let (size, embedded) = (bytes.len(), node.get("data").map(|data| (data, BASE64.encode(bytes))));
            if let Some((data, embedded)) = embedded {
                edits.replace_str(data, &embedded);
            }
            if let (Some(digest), Some(at)) = (node.get("digest"), node.get("size")) {
                edits.replace_str(digest, &new.to_string());
                edits.replace(at, size.to_string());
            }
            let rung = match (&content, self.graph.document_of(blob).map(|id| &self.graph.document(id).node))
            {
                (Content::Layer(_), _) => Rung::Layer,
                (_, Some(DocNode::Index(_))) => Rung::Index,
                (_, Some(DocNode::Manifest(_))) => Rung::Manifest,
                _ => Rung::Config,
            };
            self.ledger.moved(rung, digest, new);
        }
        self.below.push(Below { path: new.blob_path(), blob });
        Ok(Some(content))
    }

    /// The media type of a layer that was compressed anew, or, where manifests are printed anew, in OCI's words.
    pub(super) fn media_type(&mut self, node: &Node, old: &Descriptor, edits: &mut Edits) -> Result<()> {
        let Some(at) = node.get("mediaType") else { return Ok(()) };
        let mut new = old.media_type.clone();
        let layer = old.target.blob().and_then(|blob| Some((blob, self.layers.packing(blob)?)));
        let packing = layer.map(|(_, packing)| packing);
        if let Some((blob, packing)) = layer {
            new = repacked(&new, packing);
            if new != old.media_type && codec::sniff(self.graph.content(blob)) == packing {
                // It did not say what the layer was before.
                self.ledger.change("layer.encoding", &subject(self.graph, blob), 1);
            }
        }
        if self.active.has(FORM) {
            new = media::in_oci(&new).to_owned();
        }
        if packing == Some(Compression::Zstd) && new.starts_with(DOCKER) {
            let message = "Docker's media types know no zstd; --rule manifest.form makes them OCI's";
            return Err(Error::new(ErrorKind::Refused, message).at(old.at.clone()));
        }
        if new != old.media_type {
            edits.replace_str(at, &new);
        }
        Ok(())
    }

    /// The positions of those of `siblings` that are about a manifest that becomes another one (attestations,
    /// signatures), and of those that are about one of these.
    pub(super) fn vouching(&mut self, siblings: &[Descriptor]) -> Result<Vec<usize>> {
        let about: Vec<Vec<BlobId>> = siblings.iter().map(|child| self.subjects(child)).collect();
        let mut touched = HashSet::new();
        for blob in about.iter().flatten() {
            if !matches!(self.content(*blob)?, Content::Same(_)) {
                touched.insert(*blob);
            }
        }
        let mut found = BTreeSet::new();
        loop {
            let before = found.len();
            for (position, (child, about)) in siblings.iter().zip(&about).enumerate() {
                if about.iter().any(|blob| touched.contains(blob)) {
                    found.insert(position);
                    touched.extend(child.target.blob());
                }
            }
            if found.len() == before {
                return Ok(found.into_iter().collect());
            }
        }
    }

    /// What an attestation or a signature says it is about, as far as that is here.
    fn subjects(&self, child: &Descriptor) -> Vec<BlobId> {
        let document = child.target.blob().and_then(|blob| self.graph.document_of(blob));
        let subject = document.and_then(|id| match &self.graph.document(id).node {
            DocNode::Manifest(manifest) => manifest.subject.as_ref()?.target.blob(),
            _ => None,
        });
        let annotations = child.annotations.iter();
        let named = annotations.filter_map(|(key, value)| self.named(&referred(key, value)?));
        subject.into_iter().chain(named).collect()
    }

    /// Brings the annotations that tie an attestation or a signature to its manifest up to date.
    pub(super) fn reference(&mut self, node: &Node, edits: &mut Edits) -> Result<()> {
        let annotations = node.get("annotations").and_then(|annotations| annotations.object().ok());
        for field in annotations.unwrap_or_default() {
            let Ok(text) = field.node.str() else { continue };
            let Some(old) = referred(&field.key, text) else { continue };
            let goes = self.active.has(NAMES) && field.key != REFERENCE;
            let Some(blob) = self.named(&old).filter(|_| !goes) else { continue };
            let content = self.content(blob)?;
            if !matches!(content, Content::Same(_)) {
                let new = self.digest(&content, old.algorithm());
                edits.replace_str(&field.node, &text.replace(&old.hex(), &new.hex()));
            }
        }
        Ok(())
    }

    pub(super) fn refused(&self, child: &Descriptor) -> Error {
        let message = "this vouches for a manifest that changes; say what is to become of it with \
                       --attestations keep or drop";
        Error::new(ErrorKind::Refused, message).at(child.at.clone())
    }

    /// Applies the rules about fields of such a document where `allowed`.
    pub(super) fn fields(
        &mut self,
        id: DocId,
        kind: DocumentKind,
        root: &Node,
        edits: &mut Edits,
        allowed: impl Fn(&str, &Range<usize>) -> bool,
    ) {
        let mut decided: BTreeMap<usize, (&'static str, &Node, &Field, Change)> = BTreeMap::new();
        for rule in self.active.rules() {
            let Some(canon) = rule.field() else { continue };
            for (object, field) in canon.find(kind, root) {
                let change = (canon.canon)(&field.node, &self.context);
                if change == Change::Keep || !allowed(rule.id, &field.span()) {
                    continue;
                }
                // What goes need not be changed first.
                let slot = decided.entry(field.key_span.start);
                let slot = slot.or_insert((rule.id, object, field, change.clone()));
                if change == Change::Remove {
                    *slot = (rule.id, object, field, change);
                }
            }
        }
        let mut doomed: BTreeMap<usize, (&Node, Vec<usize>)> = BTreeMap::new();
        let subject = self.subject(id);
        for (rule, object, field, change) in decided.into_values() {
            self.ledger.change(rule, &subject, 1);
            match change {
                Change::Text(text) => edits.replace_str(&field.node, &text),
                _ => doomed
                    .entry(object.span.start)
                    .or_insert((object, Vec::new()))
                    .1
                    .push(field.key_span.start),
            }
        }
        for (object, starts) in doomed.into_values() {
            let keys: Vec<&str> = object
                .object()
                .unwrap_or_default()
                .iter()
                .filter(|field| starts.contains(&field.key_span.start))
                .map(|field| field.key.as_str())
                .collect();
            edits.remove_fields(object, |key| keys.contains(&key));
        }
    }
}

/// The digest of what an attestation or a signature is about, if an annotation gives it: BuildKit's own, or a name with
/// the tag that cosign makes of it (`sha256-HEX.sig`).
fn referred(key: &str, value: &str) -> Option<Digest> {
    match key {
        REFERENCE => Digest::parse(value).ok(),
        names::FULL | names::TAG => {
            let tag = value.rsplit(':').next()?;
            let stem = [".sig", ".att", ".sbom"].iter().find_map(|suffix| tag.strip_suffix(suffix))?;
            Digest::parse(&stem.replacen('-', ":", 1)).ok()
        }
        _ => None,
    }
}

/// Begins Docker's media types.
const DOCKER: &str = "application/vnd.docker.";

/// A layer's media type with another compression.
pub(super) fn repacked(media_type: &str, packing: Compression) -> String {
    let suffixes = ["+gzip", "+zstd", ".gzip", ".zstd"];
    let (name, parameters) = media_type.split_at(media_type.find(';').unwrap_or(media_type.len()));
    let plain = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let separator = if plain.starts_with(DOCKER) { '.' } else { '+' };
    match packing {
        Compression::Plain => format!("{plain}{parameters}"),
        packing => format!("{plain}{separator}{packing}{parameters}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_keep_their_family() {
        for (from, packing, to) in [
            (
                "application/vnd.oci.image.layer.v1.tar",
                Compression::Zstd,
                "application/vnd.oci.image.layer.v1.tar+zstd",
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+gzip",
                Compression::Plain,
                "application/vnd.oci.image.layer.v1.tar",
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                Compression::Zstd,
                "application/vnd.docker.image.rootfs.diff.tar.zstd",
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+gzip; a=b",
                Compression::Zstd,
                "application/vnd.oci.image.layer.v1.tar+zstd; a=b",
            ),
        ] {
            assert_eq!(repacked(from, packing), to);
        }
    }
}
