//! Documents from the bottom up: configurations, manifests, indexes.
//!
//! Values are changed in place, so that every other byte of a document stays; only where `manifest.form` is in force
//! are manifests and indexes printed anew. Knows which value of which document says what about which other content.
//! Must not know how the output is laid out, or how layers are rewritten.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    ops::Range,
    rc::Rc,
};

use super::{
    Attestations, Base,
    layers::Layers,
    outcome::{Ledger, subject},
};
use crate::{
    digest::{Algorithm, Digest},
    error::{Error, ErrorKind, Result},
    image::{
        BlobId, Descriptor, DocId, Document, Image, ImageGraph, ImageKind, Layer, Manifest, Node as DocNode,
    },
    json::{self, Edits, Node, Value},
    ladder::Rung,
    limits::Limits,
    media,
    rules::{Active, Context, DocumentKind},
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
    /// What is said of the document at hand; in the end, of all that are written.
    pub(super) ledger: Ledger,
    /// What the document at hand refers to.
    pub(super) below: Vec<Below>,
    /// Output files: what is written, and nothing that was only looked at.
    pub(super) files: BTreeMap<Vec<u8>, Content>,
    /// Layers of which the rewritten form is in the output. Another's file may hold the same bytes.
    pub(super) rewritten: BTreeSet<BlobId>,
    by_digest: HashMap<Digest, BlobId>,
    /// `None` while a document is being rewritten: only a loop, which digests do not allow, would meet that.
    done: HashMap<DocId, Option<Done>>,
}

/// Something that a document refers to, and where it stands in the output.
pub(super) struct Below {
    pub(super) path: String,
    pub(super) blob: BlobId,
}

/// What became of a document. What is said of it and what it leads to counts only once it is written.
struct Done {
    content: Content,
    ledger: Ledger,
    below: Vec<Below>,
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
        let claims = |document: &Document| {
            let claims = &graph.blob(document.blob).claims;
            claims.iter().map(|claim| (claim.digest, document.blob)).collect::<Vec<_>>()
        };
        Documents {
            graph,
            layers,
            active,
            context,
            base,
            attestations,
            limits,
            ledger: Ledger::default(),
            below: Vec::new(),
            files: BTreeMap::new(),
            rewritten: BTreeSet::new(),
            by_digest: graph.documents.iter().flat_map(claims).collect(),
            done: HashMap::new(),
        }
    }

    /// What becomes of a blob.
    pub(super) fn content(&mut self, blob: BlobId) -> Result<Content> {
        if self.layers.rewritten(blob).is_some() {
            return Ok(Content::Layer(blob));
        }
        let Some(id) = self.graph.document_of(blob) else { return Ok(Content::Same(blob)) };
        if let Some(done) = self.done.get(&id) {
            return Ok(done.as_ref().map_or(Content::Same(blob), |done| done.content.clone()));
        }
        self.done.insert(id, None);
        let above = (mem::take(&mut self.ledger), mem::take(&mut self.below));
        let bytes = match &self.graph.document(id).node {
            DocNode::Config(_) => self.config(id)?,
            DocNode::Manifest(manifest) => self.manifest(id, manifest)?,
            DocNode::Index(children) => self.index(id, children, DocumentKind::Index)?,
            DocNode::Other => None,
        };
        let content = bytes.map_or(Content::Same(blob), |bytes| Content::Document(bytes.into()));
        let (ledger, below) =
            (mem::replace(&mut self.ledger, above.0), mem::replace(&mut self.below, above.1));
        self.done.insert(id, Some(Done { content: content.clone(), ledger, below }));
        Ok(content)
    }

    /// Puts what becomes of a blob into the output, at `path`, and all that it leads to.
    pub(super) fn write(&mut self, path: String, blob: BlobId) -> Result<Content> {
        let content = self.content(blob)?;
        if let Content::Layer(layer) = content {
            self.rewritten.insert(layer);
        }
        self.files.insert(path.into_bytes(), content.clone());
        let done = self.graph.document_of(blob).and_then(|id| self.done.get_mut(&id)?.as_mut());
        if let Some(done) = done {
            self.ledger.add(mem::take(&mut done.ledger));
            let below = mem::take(&mut done.below);
            self.write_all(below)?;
        }
        Ok(content)
    }

    fn write_all(&mut self, below: Vec<Below>) -> Result<()> {
        below.into_iter().try_for_each(|Below { path, blob }| self.write(path, blob).map(drop))
    }

    /// The document that some descriptor names by `digest`.
    pub(super) fn named(&self, digest: &Digest) -> Option<BlobId> {
        self.by_digest.get(digest).copied()
    }

    /// `index.json` as it becomes; all that it leads to is written.
    pub(super) fn root(&mut self, id: DocId) -> Result<Content> {
        let bytes = self.index(id, self.graph.children(id), DocumentKind::Root)?;
        let below = mem::take(&mut self.below);
        self.write_all(below)?;
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
            if runs {
                rewritten.extend(matches!(content, Some(Content::Layer(_))).then(|| node.span.clone()));
                self.media_type(node, descriptor, &mut edits)?;
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
        if runs && self.active.has(FORM) { self.print(id, bytes, media::MANIFEST, &[]) } else { Ok(bytes) }
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
        let vouching = self.vouching(children)?;
        let first = vouching.first().and_then(|position| children.get(*position));
        let dropped = match (self.attestations, first) {
            (Attestations::Fail, Some(first)) => return Err(self.refused(first)),
            (Attestations::Keep, Some(_)) => {
                self.ledger.note(
                    "attestations were kept: they name the new digests, but what they say is about the old ones",
                );
                Vec::new()
            }
            _ => vouching,
        };
        self.ledger.change("archive.attestations", &self.subject(id), dropped.len() as u64);
        edits.remove_elements(list, |position| dropped.contains(&position));
        for (position, (node, child)) in nodes.iter().zip(children).enumerate() {
            if dropped.contains(&position) {
                continue;
            }
            self.descriptor(node, child, &mut edits)?;
            self.reference(node, &mut edits)?;
            if self.printed(child) {
                self.media_type(node, child, &mut edits)?;
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
            bytes = self.print(id, bytes, media::INDEX, &platforms)?;
        }
        if is_root && self.active.has(NAMES) { self.without_twins(id, bytes) } else { Ok(bytes) }
    }

    /// Whether a manifest is an image's own, or an index: those are printed anew under `manifest.form`.
    fn printed(&self, child: &Descriptor) -> bool {
        let Some(id) = child.target.blob().and_then(|blob| self.graph.document_of(blob)) else {
            return false;
        };
        let image = |image: &&Image| image.manifest == Some(id);
        match self.graph.document(id).node {
            DocNode::Index(_) => true,
            DocNode::Manifest(_) => {
                self.graph.images.iter().find(image).is_some_and(|i| i.kind == ImageKind::Image)
            }
            _ => false,
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

    pub(super) fn parse(&self, id: DocId, bytes: &[u8]) -> Result<Node> {
        json::parse(bytes, self.limits).root.ok_or_else(|| self.broken(id, "not JSON any more"))
    }

    pub(super) fn broken(&self, id: DocId, why: &str) -> Error {
        let message = format!("this document cannot be edited: {why}");
        Error::new(ErrorKind::Refused, message).at(self.graph.place(id).clone())
    }

    /// What a document is called in the list of changes.
    pub(super) fn subject(&self, id: DocId) -> String {
        subject(self.graph, self.graph.document(id).blob)
    }
}

pub(super) const FORM: &str = "manifest.form";
const NOTES: &str = "manifest.encoding-notes";
pub(super) const NAMES: &str = "archive.names";
pub(super) const PLATFORM: &str = "archive.platform";
