//! Documents from the bottom up: configurations, manifests, indexes.
//!
//! Values are changed in place, so that every other byte of a document stays; only where `manifest.form` is in force
//! are manifests and indexes printed anew. Knows which value of which document says what about which other content.
//! Must not know how the output is laid out, or how layers are rewritten.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    rc::Rc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{Attestations, Base, form, layers::Layers, outcome::Ledger};
use crate::{
    codec::Compression,
    digest::{Algorithm, Digest},
    error::{Error, ErrorKind, Result},
    escape::escape,
    image::{BlobId, Descriptor, DocId, Image, ImageGraph, ImageKind, Layer, Manifest, Node as DocNode},
    json::{self, Edits, Field, Node, Value},
    ladder::Rung,
    limits::Limits,
    rules::{Active, Change, Context, DocumentKind},
};

/// Where the content of an output file comes from.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// The input's blob, byte for byte.
    Same(BlobId),
    /// A document that was rewritten.
    Document(Rc<[u8]>),
    /// A layer that was rewritten.
    Layer(BlobId),
}

/// Rewrites documents.
pub(super) struct Documents<'d> {
    pub(super) graph: &'d ImageGraph<'d>,
    pub(super) layers: &'d Layers,
    pub(super) active: &'d Active,
    pub(super) context: Context,
    pub(super) base: &'d Base,
    pub(super) attestations: Attestations,
    pub(super) limits: &'d Limits,
    pub(super) ledger: Ledger,
    /// Output files below `blobs/`.
    pub(super) files: BTreeMap<Vec<u8>, Content>,
    by_blob: HashMap<BlobId, DocId>,
    /// `None` while a document is being rewritten: only a loop, which digests do not allow, would meet that.
    done: HashMap<DocId, Option<Content>>,
}

impl<'d> Documents<'d> {
    pub(super) fn new(
        graph: &'d ImageGraph<'d>,
        layers: &'d Layers,
        active: &'d Active,
        context: Context,
        base: &'d Base,
        attestations: Attestations,
        limits: &'d Limits,
    ) -> Documents<'d> {
        let by_blob =
            graph.documents.iter().enumerate().map(|(i, document)| (document.blob, DocId::at(i))).collect();
        Documents {
            graph,
            layers,
            active,
            context,
            base,
            attestations,
            limits,
            ledger: Ledger::default(),
            files: BTreeMap::new(),
            by_blob,
            done: HashMap::new(),
        }
    }

    /// What becomes of a blob.
    pub(super) fn content(&mut self, blob: BlobId) -> Result<Content> {
        if self.layers.rewritten(blob).is_some() {
            return Ok(Content::Layer(blob));
        }
        let Some(&id) = self.by_blob.get(&blob) else { return Ok(Content::Same(blob)) };
        if let Some(done) = self.done.get(&id) {
            return Ok(done.clone().unwrap_or(Content::Same(blob)));
        }
        self.done.insert(id, None);
        let bytes = match &self.graph.document(id).node {
            DocNode::Config(_) => self.config(id)?,
            DocNode::Manifest(manifest) => self.manifest(id, manifest)?,
            DocNode::Index(children) => self.index(id, children, DocumentKind::Index)?,
            DocNode::Other => None,
        };
        let content = bytes.map_or(Content::Same(blob), |bytes| Content::Document(bytes.into()));
        self.done.insert(id, Some(content.clone()));
        Ok(content)
    }

    /// `index.json` as it becomes.
    pub(super) fn root(&mut self, id: DocId) -> Result<Content> {
        let bytes = self.index(id, self.graph.children(id), DocumentKind::Root)?;
        Ok(bytes.map_or(Content::Same(self.graph.document(id).blob), |bytes| Content::Document(bytes.into())))
    }

    /// The bytes of some content.
    pub(super) fn bytes<'c>(&'c self, content: &'c Content) -> &'c [u8] {
        match content {
            Content::Same(blob) => self.graph.content(*blob),
            Content::Document(bytes) => bytes,
            Content::Layer(blob) => self.layers.rewritten(*blob).map_or(&[], |layer| &layer.blob),
        }
    }

    /// The digest of a blob's content as it becomes.
    pub(super) fn digest(&self, content: &Content, algorithm: Algorithm) -> Digest {
        let known = match content {
            Content::Layer(blob) | Content::Same(blob) => self.layers.digest(*blob, algorithm),
            Content::Document(_) => None,
        };
        known.unwrap_or_else(|| Digest::of(algorithm, self.bytes(content)))
    }

    fn config(&mut self, id: DocId) -> Result<Option<Vec<u8>>> {
        let graph = self.graph;
        let image = graph.images.iter().find(|i| i.config == Some(id) && i.kind == ImageKind::Image);
        let (Some(image), Some(root)) = (image, &graph.document(id).root) else { return Ok(None) };
        let mut edits = Edits::new();
        let of_base = |layer: &&Layer| layer.blob.is_some_and(|blob| self.layers.is_base(blob));
        let below = image.layers.iter().take_while(of_base).count();
        let kept = graph.config(image).map_or(0, |config| self.base.steps(config, below));
        let history = root.get("history").and_then(|node| node.array().ok()).unwrap_or_default();
        let kept: Vec<Range<usize>> = history.iter().take(kept).map(|step| step.span.clone()).collect();
        self.fields(id, DocumentKind::Config, root, &mut edits, |_, span| {
            !kept.iter().any(|step| step.contains(&span.start))
        });
        let diff_ids =
            root.pointer("/rootfs/diff_ids").and_then(|node| node.array().ok()).unwrap_or_default();
        for (node, layer) in diff_ids.iter().zip(&image.layers) {
            let rewritten = layer.blob.and_then(|blob| self.layers.rewritten(blob));
            let old = node.str().ok().and_then(|text| Digest::parse(text).ok());
            let (Some(rewritten), Some(old)) = (rewritten, old) else { continue };
            let new = rewritten.diff_ids.iter().find(|new| new.0.algorithm() == old.algorithm());
            if let Some(new) = new.filter(|new| new.0 != old) {
                edits.replace_str(node, &new.to_string());
                self.ledger.moved(Rung::DiffId, old, new.0);
            }
        }
        self.apply(id, edits)
    }

    fn manifest(&mut self, id: DocId, manifest: &Manifest) -> Result<Option<Vec<u8>>> {
        let graph = self.graph;
        let Some(root) = &graph.document(id).root else { return Ok(None) };
        let image = graph.images.iter().find(|image| image.manifest == Some(id));
        let runs = image.is_some_and(|image| image.kind == ImageKind::Image);
        let mut edits = Edits::new();
        let config = root.get("config").zip(manifest.config.as_ref());
        let layers = root.get("layers").and_then(|node| node.array().ok()).unwrap_or_default();
        let mut rewritten = Vec::new();
        for (node, descriptor) in config.into_iter().chain(layers.iter().zip(&manifest.layers)) {
            let content = self.descriptor(node, descriptor, &mut edits)?;
            let layer = match content {
                Some(Content::Layer(blob)) => self.layers.rewritten(blob),
                _ => None,
            };
            if runs {
                let packing = layer.map(|layer| layer.recipe.compression());
                rewritten.extend(layer.map(|_| node.span.clone()));
                self.media_type(node, descriptor, packing, &mut edits);
            }
        }
        if let Some((node, subject)) = root.get("subject").zip(manifest.subject.as_ref()) {
            self.descriptor(node, subject, &mut edits)?;
        }
        if runs {
            self.fields(id, DocumentKind::Manifest, root, &mut edits, |_, _| true);
            if !self.active.has(NOTES) {
                self.notes(id, root, &rewritten, &mut edits);
            }
        }
        let bytes = self.apply(id, edits)?;
        if runs && self.active.has(FORM) { self.print(id, bytes, form::MANIFEST, &[]) } else { Ok(bytes) }
    }

    /// What tools noted about the blobs of layers that are rewritten holds no longer, whatever the level.
    fn notes(&mut self, id: DocId, root: &Node, rewritten: &[Range<usize>], edits: &mut Edits) {
        let Some(rule) = crate::rules::Rule::by_id(NOTES) else { return };
        let Some(canon) = rule.field() else { return };
        let mut doomed: BTreeMap<usize, (&Node, Vec<&str>)> = BTreeMap::new();
        for (object, field) in canon.find(DocumentKind::Manifest, root) {
            if rewritten.iter().any(|span| span.contains(&object.span.start)) {
                doomed.entry(object.span.start).or_insert((object, Vec::new())).1.push(&field.key);
                self.ledger.change(rule.id, &self.subject(id), 1);
            }
        }
        for (object, keys) in doomed.into_values() {
            edits.remove_fields(object, |key| keys.contains(&key));
        }
    }

    fn index(&mut self, id: DocId, children: &[Descriptor], kind: DocumentKind) -> Result<Option<Vec<u8>>> {
        let Some(root) = &self.graph.document(id).root else { return Ok(None) };
        let mut edits = Edits::new();
        let Some(list) = root.get("manifests") else { return Ok(None) };
        let nodes = list.array().unwrap_or_default();
        let mut dropped = Vec::new();
        for (position, child) in children.iter().enumerate() {
            if self.vouches_for_changed(child, children)? {
                match self.attestations {
                    Attestations::Drop => dropped.push(position),
                    Attestations::Keep => self.ledger.note(
                        "attestations were kept: they name the new digests, but what they say is about the old ones",
                    ),
                    Attestations::Fail => return Err(self.refused(child)),
                }
            }
        }
        self.ledger.change("archive.attestations", &self.subject(id), dropped.len() as u64);
        edits.remove_elements(list, |position| dropped.contains(&position));
        for (position, (node, child)) in nodes.iter().zip(children).enumerate() {
            if dropped.contains(&position) {
                continue;
            }
            self.descriptor(node, child, &mut edits)?;
            self.reference(node, child, children, &mut edits)?;
            if self.printed(child) {
                self.media_type(node, child, None, &mut edits);
            }
        }
        let gone: Vec<Range<usize>> =
            dropped.iter().filter_map(|position| Some(nodes.get(*position)?.span.clone())).collect();
        self.fields(id, kind, root, &mut edits, |_, span| {
            !gone.iter().any(|gone| gone.contains(&span.start))
        });
        let mut bytes = self.apply(id, edits)?;
        let is_root = kind == DocumentKind::Root;
        let platforms: Vec<Option<Value>> = if is_root && self.active.has(PLATFORM) {
            let kept = children.iter().enumerate().filter(|(position, _)| !dropped.contains(position));
            kept.map(|(_, child)| self.platform(child)).collect()
        } else {
            Vec::new()
        };
        if self.active.has(FORM) || !platforms.is_empty() {
            bytes = self.print(id, bytes, form::INDEX, &platforms)?;
        }
        if is_root && self.active.has(NAMES) { self.without_twins(id, bytes) } else { Ok(bytes) }
    }

    /// Whether a manifest is an image's own, or an index: those are printed anew under `manifest.form`.
    fn printed(&self, child: &Descriptor) -> bool {
        let Some(id) = child.target.blob().and_then(|blob| self.by_blob.get(&blob)) else { return false };
        let image = |image: &&Image| image.manifest == Some(*id);
        match self.graph.document(*id).node {
            DocNode::Index(_) => true,
            DocNode::Manifest(_) => {
                self.graph.images.iter().find(image).is_some_and(|i| i.kind == ImageKind::Image)
            }
            _ => false,
        }
    }

    /// What a descriptor's target becomes; digest, size and embedded data follow. `None` if the target is not here.
    fn descriptor(&mut self, node: &Node, old: &Descriptor, edits: &mut Edits) -> Result<Option<Content>> {
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
            let rung = match (&content, self.by_blob.get(&blob).map(|id| &self.graph.document(*id).node)) {
                (Content::Layer(_), _) => Rung::Layer,
                (_, Some(DocNode::Index(_))) => Rung::Index,
                (_, Some(DocNode::Manifest(_))) => Rung::Manifest,
                _ => Rung::Config,
            };
            self.ledger.moved(rung, digest, new);
        }
        if self.graph.blob(blob).entry.is_some() {
            self.files.insert(new.blob_path().into_bytes(), content.clone());
        }
        Ok(Some(content))
    }

    /// The media type of a target whose compression changed, or, where manifests are printed anew, in OCI's words.
    fn media_type(&self, node: &Node, old: &Descriptor, packing: Option<Compression>, edits: &mut Edits) {
        let Some(at) = node.get("mediaType") else { return };
        let mut new = old.media_type.clone();
        if let Some(packing) = packing {
            new = repacked(&new, packing);
        }
        if self.active.has(FORM) {
            new = form::oci_media_type(&new).to_owned();
        }
        if new != old.media_type {
            edits.replace_str(at, &new);
        }
    }

    /// Whether `child` is about another manifest (an attestation, a signature) that becomes another one.
    fn vouches_for_changed(&mut self, child: &Descriptor, siblings: &[Descriptor]) -> Result<bool> {
        let subject =
            child.target.blob().and_then(|blob| self.by_blob.get(&blob)).and_then(|id| {
                match &self.graph.document(*id).node {
                    DocNode::Manifest(manifest) => manifest.subject.as_ref()?.target.blob(),
                    _ => None,
                }
            });
        let named = referred(child, siblings).and_then(|sibling| sibling.target.blob());
        for blob in subject.into_iter().chain(named) {
            if !matches!(self.content(blob)?, Content::Same(_)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Brings the annotation by which BuildKit ties an attestation to its manifest up to date.
    fn reference(
        &mut self,
        node: &Node,
        child: &Descriptor,
        siblings: &[Descriptor],
        edits: &mut Edits,
    ) -> Result<()> {
        let Some(sibling) = referred(child, siblings) else { return Ok(()) };
        let (Some(blob), Some(old)) = (sibling.target.blob(), sibling.digest) else { return Ok(()) };
        let content = self.content(blob)?;
        let annotation = node.get("annotations").and_then(|annotations| annotations.get(REFERENCE));
        if let (Some(annotation), false) = (annotation, matches!(content, Content::Same(_))) {
            edits.replace_str(annotation, &self.digest(&content, old.algorithm()).to_string());
        }
        Ok(())
    }

    fn refused(&self, child: &Descriptor) -> Error {
        let message = "this vouches for a manifest that changes; say what is to become of it with \
                       --attestations keep or drop";
        Error::new(ErrorKind::Refused, message).at(child.at.clone())
    }

    /// Applies the rules about fields of such a document where `allowed`.
    fn fields(
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

    /// A document with its edits made; `None` if there are none.
    fn apply(&self, id: DocId, edits: Edits) -> Result<Option<Vec<u8>>> {
        if edits.is_empty() {
            return Ok(None);
        }
        let raw = self.graph.raw(id);
        let bytes = edits.apply(raw).map_err(|error| self.broken(id, &error.to_string()))?;
        if bytes == raw {
            return Ok(None);
        }
        self.without_empty_annotations(id, bytes).map(Some)
    }

    /// Removes annotations that lost all they had, as Go's marshaller would.
    fn without_empty_annotations(&self, id: DocId, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let root = self.parse(id, &bytes)?;
        let mut edits = Edits::new();
        let elements = |key| root.get(key).and_then(|node| node.array().ok()).unwrap_or_default();
        let objects = std::iter::once(&root).chain(root.get("config"));
        for object in objects.chain(elements("layers")).chain(elements("manifests")) {
            if object.get("annotations").is_some_and(|node| node.object().is_ok_and(<[_]>::is_empty)) {
                edits.remove_fields(object, |key| key == "annotations");
            }
        }
        if edits.is_empty() {
            return Ok(bytes);
        }
        edits.apply(&bytes).map_err(|error| self.broken(id, &error.to_string()))
    }

    /// An index in which no descriptor stands twice.
    fn without_twins(&mut self, id: DocId, bytes: Option<Vec<u8>>) -> Result<Option<Vec<u8>>> {
        let raw = bytes.as_deref().unwrap_or(self.graph.raw(id));
        let root = self.parse(id, raw)?;
        let Some(list) = root.get("manifests") else { return Ok(bytes) };
        let printed: Vec<Vec<u8>> = list.array().unwrap_or_default().iter().map(form::print).collect();
        let twin = |position: usize| {
            let (earlier, rest) = printed.split_at(position.min(printed.len()));
            rest.first().is_some_and(|this| earlier.contains(this))
        };
        let twins = (0..printed.len()).filter(|position| twin(*position)).count();
        if twins == 0 {
            return Ok(bytes);
        }
        let mut edits = Edits::new();
        edits.remove_elements(list, twin);
        self.ledger.change(NAMES, &self.subject(id), twins as u64);
        edits.apply(raw).map(Some).map_err(|error| self.broken(id, &error.to_string()))
    }

    /// A manifest or index in its one form; `None` if it has that. `platforms` are for those descriptors of an index
    /// that have none.
    fn print(
        &mut self,
        id: DocId,
        edited: Option<Vec<u8>>,
        media_type: &str,
        platforms: &[Option<Value>],
    ) -> Result<Option<Vec<u8>>> {
        let raw = edited.as_deref().unwrap_or(self.graph.raw(id));
        let mut root = self.parse(id, raw)?;
        if self.active.has(FORM) {
            form::set(&mut root, "mediaType", form::string(media_type));
        }
        let subject = self.subject(id);
        self.ledger.change(FORM, &subject, u64::from(form::print(&root) != raw));
        let added = add_platforms(&mut root, platforms);
        self.ledger.change(PLATFORM, &subject, added);
        let printed = form::print(&root);
        Ok((printed != self.graph.raw(id)).then_some(printed))
    }

    /// The platform that an image's configuration gives, for its descriptor.
    fn platform(&self, child: &Descriptor) -> Option<Value> {
        let id = self.by_blob.get(&child.target.blob()?)?;
        let image = self.graph.images.iter().find(|image| image.manifest == Some(*id))?;
        let config = self.graph.document(image.config?).root.as_ref()?;
        (image.kind == ImageKind::Image).then(|| platform_of(config)).flatten()
    }

    fn parse(&self, id: DocId, bytes: &[u8]) -> Result<Node> {
        json::parse(bytes, self.limits).root.ok_or_else(|| self.broken(id, "not JSON any more"))
    }

    fn broken(&self, id: DocId, why: &str) -> Error {
        let message = format!("this document cannot be edited: {why}");
        Error::new(ErrorKind::Refused, message).at(self.graph.place(id).clone())
    }

    /// What a document is called in the list of changes.
    fn subject(&self, id: DocId) -> String {
        subject(self.graph, self.graph.document(id).blob)
    }
}

const FORM: &str = "manifest.form";
const NOTES: &str = "manifest.encoding-notes";
const NAMES: &str = "archive.names";
const PLATFORM: &str = "archive.platform";
/// BuildKit's annotation that ties an attestation to the manifest beside it.
const REFERENCE: &str = "vnd.docker.reference.digest";

/// The name of a blob's file in the input, escaped.
pub(super) fn subject(graph: &ImageGraph<'_>, blob: BlobId) -> String {
    let blob = graph.blob(blob);
    match blob.entry {
        Some(entry) => escape(graph.index.entry(entry).path()).into_owned(),
        None => blob.at.to_string(),
    }
}

/// The sibling that an attestation says it is about.
fn referred<'d>(child: &Descriptor, siblings: &'d [Descriptor]) -> Option<&'d Descriptor> {
    let digest = child.annotation(REFERENCE).and_then(|text| Digest::parse(text).ok())?;
    siblings.iter().find(|sibling| sibling.digest == Some(digest))
}

/// A layer's media type with another compression.
fn repacked(media_type: &str, packing: Compression) -> String {
    let suffixes = ["+gzip", "+zstd", ".gzip", ".zstd"];
    let plain = suffixes.iter().find_map(|suffix| media_type.strip_suffix(suffix)).unwrap_or(media_type);
    let separator = if plain.starts_with("application/vnd.docker.") { '.' } else { '+' };
    match packing {
        Compression::Plain => plain.to_owned(),
        packing => format!("{plain}{separator}{packing}"),
    }
}

/// The platform that a configuration gives, as a descriptor has it.
pub(super) fn platform_of(config: &Node) -> Option<Value> {
    let field = |key: &'static str| {
        let value = config.get(key)?.value.clone();
        let is_empty = matches!(&value, Value::String(text) if text.is_empty()) || value == Value::Null;
        (!is_empty).then_some((key, value))
    };
    let fields: Vec<_> = ["architecture", "os", "os.version", "os.features", "variant"]
        .into_iter()
        .filter_map(field)
        .collect();
    (fields.len() >= 2).then(|| form::object(fields))
}

/// Gives the descriptors of an index that have no platform theirs; how many got one.
fn add_platforms(root: &mut Node, platforms: &[Option<Value>]) -> u64 {
    let Value::Object(fields) = &mut root.value else { return 0 };
    let list = fields.iter_mut().find(|field| field.key == "manifests").map(|field| &mut field.node.value);
    let Some(Value::Array(elements)) = list else { return 0 };
    let mut added = 0;
    for (element, platform) in elements.iter_mut().zip(platforms) {
        if let (Some(platform), None) = (platform, element.get("platform")) {
            form::set(element, "platform", platform.clone());
            added += 1;
        }
    }
    added
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
        ] {
            assert_eq!(repacked(from, packing), to);
        }
    }
}
