//! A graph in the making: what the readers of all layouts read with, each document once.
//!
//! Knows how to read fields with a fault for whatever is wrong with them, and how a descriptor leads to content. Must not
//! know what the documents of a layout mean.

use std::collections::{HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    Blob, BlobId, Claim, Descriptor, DocId, Document, Fault, FaultKind, ImageGraph, Node, Platform, Role,
    Target, images::Images,
};
use crate::{
    archive::{EntryId, EntryIndex, Found},
    digest::{Digest, DigestError},
    json,
    limits::Limits,
    location::Location,
    media::Media,
};

/// A graph in the making.
pub(super) struct Resolver<'a> {
    pub(super) graph: ImageGraph<'a>,
    pub(super) limits: Limits,
    by_entry: HashMap<EntryId, BlobId>,
    /// What was claimed of blobs already.
    claimed: HashSet<(BlobId, Digest, Option<u64>)>,
    pub(super) images: Images,
    /// How many levels of indexes there are from an index on, itself counted, as far as it was read.
    pub(super) levels: HashMap<DocId, usize>,
    /// Whether blobs that no media type of ours names are documents.
    pub(super) is_document: HashMap<BlobId, bool>,
}

/// A JSON value with its place, for reading fields from.
#[derive(Clone)]
pub(super) struct Value<'n> {
    pub(super) node: &'n json::Node,
    pub(super) at: Location,
    pub(super) document: DocId,
}

impl<'n> Value<'n> {
    /// A field that is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<Value<'n>> {
        let node = self.node.get(key).filter(|node| !node.is_null())?;
        Some(self.below(key, node))
    }

    /// The elements of the array this is, or none.
    pub(super) fn elements(&self) -> Vec<Value<'n>> {
        let nodes = self.node.array().unwrap_or_default().iter().enumerate();
        nodes.map(|(i, node)| self.below(&i.to_string(), node)).collect()
    }

    /// The values of the object this is that are not null, or none.
    pub(super) fn fields(&self) -> Vec<Value<'n>> {
        let fields = self.node.object().unwrap_or_default().iter();
        let fields = fields.filter(|field| !field.node.is_null());
        fields.map(|field| self.below(&field.key, &field.node)).collect()
    }

    /// The string that a field holds, or none.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.node.get(key)?.str().ok().map(str::to_owned)
    }

    /// The elements of the array that a field holds, or none.
    pub(super) fn list(&self, key: &str) -> Vec<Value<'n>> {
        self.get(key).map(|field| field.elements()).unwrap_or_default()
    }

    fn below(&self, token: &str, node: &'n json::Node) -> Value<'n> {
        Value { node, at: self.place(token), document: self.document }
    }

    fn place(&self, token: &str) -> Location {
        let pointer = json::child(self.at.pointer.as_deref().unwrap_or_default(), token);
        Location { parts: self.at.parts.clone(), pointer: Some(pointer), offset: None }
    }
}

impl<'a> Resolver<'a> {
    pub(super) fn new(index: &'a EntryIndex<'a>, at: Location, limits: &Limits) -> Resolver<'a> {
        let graph = ImageGraph {
            index,
            at,
            blobs: Vec::new(),
            documents: Vec::new(),
            root: None,
            docker: None,
            images: Vec::new(),
            faults: Vec::new(),
            document_of: HashMap::new(),
        };
        Resolver {
            graph,
            limits: limits.clone(),
            by_entry: HashMap::new(),
            claimed: HashSet::new(),
            images: Images::default(),
            levels: HashMap::new(),
            is_document: HashMap::new(),
        }
    }

    pub(super) fn fault(&mut self, kind: FaultKind, at: &Location, detail: impl Into<String>) {
        self.graph.faults.push(Fault { kind, at: at.clone(), detail: detail.into() });
    }

    /// The blob an entry holds; one entry is one blob, however often it is referred to.
    pub(super) fn blob_of(&mut self, entry: EntryId, role: Role) -> BlobId {
        if let Some(&id) = self.by_entry.get(&entry) {
            return id;
        }
        let at = self.graph.at.then(self.graph.index.entry(entry).path().to_vec());
        let id =
            self.push_blob(Blob { entry: Some(entry), embedded: Vec::new(), at, claims: Vec::new(), role });
        self.by_entry.insert(entry, id);
        id
    }

    fn push_blob(&mut self, blob: Blob) -> BlobId {
        let id = BlobId::at(self.graph.blobs.len());
        self.graph.blobs.push(blob);
        id
    }

    /// Finds a file of the archive; a fault where it is there but cannot be used.
    pub(super) fn find(&mut self, path: &[u8], role: Role, at: &Location) -> Target {
        match self.graph.index.find(path) {
            Found::File(entry) => {
                if crate::archive::clean_path(path).is_some_and(|path| self.graph.index.is_link(&path)) {
                    self.fault(FaultKind::BlobIsLink, at, crate::escape::escape(path));
                }
                Target::Blob(self.blob_of(entry, role))
            }
            Found::Missing => Target::Absent,
            // The archive has a finding of its own about it.
            Found::Sparse(_) => Target::Unusable,
            Found::NotAFile(_) => {
                self.fault(FaultKind::BlobNotAFile, at, crate::escape::escape(path));
                Target::Unusable
            }
            Found::Broken(kind) => {
                self.fault(FaultKind::BlobBrokenLink, at, kind.row().title);
                Target::Unusable
            }
        }
    }

    /// Reads a blob as a JSON document; the same blob is read only once.
    pub(super) fn document(&mut self, blob: BlobId) -> (DocId, bool) {
        if let Some(id) = self.graph.document_of(blob) {
            return (id, false);
        }
        let parsed = json::parse(self.graph.content(blob), &self.limits);
        let id = DocId::at(self.graph.documents.len());
        self.graph.documents.push(Document {
            blob,
            root: parsed.root,
            faults: parsed.faults,
            node: Node::Other,
        });
        self.graph.document_of.insert(blob, id);
        (id, true)
    }

    /// Runs `read` on a document's root value, with the document taken out of the graph meanwhile so that faults can
    /// be added.
    pub(super) fn with_root<T>(
        &mut self,
        id: DocId,
        read: impl FnOnce(&mut Self, Value<'_>) -> T,
    ) -> Option<T> {
        let at = self.graph.place(id).clone();
        let root = self.graph.documents.get_mut(id.position())?.root.take()?;
        let result = read(self, Value { node: &root, at, document: id });
        if let Some(document) = self.graph.documents.get_mut(id.position()) {
            document.root = Some(root);
        }
        Some(result)
    }

    /// Takes a typed value, or notes that it has the wrong type.
    pub(super) fn typed<T>(&mut self, at: &Location, value: Result<T, json::WrongType>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.fault(FaultKind::FieldType, &at.clone().at(wrong.offset), wrong.to_string());
                None
            }
        }
    }

    /// Notes where a value has the wrong type.
    pub(super) fn expect<T>(&mut self, value: &Value<'_>, found: Result<T, json::WrongType>) {
        self.typed(&value.at, found);
    }

    /// Reads a descriptor and finds what it points to. `fallback` says what it is where its media type does not.
    pub(super) fn descriptor(&mut self, value: &Value<'_>, fallback: Role) -> Descriptor {
        if value.node.object().is_err() {
            return self.unusable(value);
        }
        let media_type = value.text("mediaType").unwrap_or_default();
        if media_type.is_empty() {
            self.fault(FaultKind::DescriptorMediaType, &value.at, "");
        }
        let media = Media::of(&media_type);
        let digest = self.digest(value);
        let size = self.size(value);
        let platform = value.get("platform").map(|value| Platform::of(value.node));
        let annotations = annotations(value);
        let role = role_of(media, fallback);
        let mut target = match digest {
            None => Target::Unusable,
            Some(digest) => self.find(digest.blob_path().as_bytes(), role, &value.at),
        };
        if let Some(digest) = digest {
            let embedded = self.embedded(value, digest, size);
            if let (Target::Absent, Some(embedded)) = (target, embedded) {
                let (entry, claims) = (None, Vec::new());
                target = Target::Blob(self.push_blob(Blob {
                    entry,
                    embedded,
                    at: value.at.clone(),
                    claims,
                    role,
                }));
            }
            if let Some(blob) = target.blob() {
                self.claim(blob, Claim { digest, size, at: value.at.clone() });
            }
        }
        let at = value.at.clone();
        Descriptor {
            document: value.document,
            at,
            media_type,
            media,
            digest,
            size,
            platform,
            annotations,
            target,
        }
    }

    /// Notes what is said of a blob.
    pub(super) fn claim(&mut self, blob: BlobId, claim: Claim) {
        if self.claimed.insert((blob, claim.digest, claim.size))
            && let Some(blob) = self.graph.blobs.get_mut(blob.position())
        {
            blob.claims.push(claim);
        }
    }

    fn unusable(&self, value: &Value<'_>) -> Descriptor {
        Descriptor {
            document: value.document,
            at: value.at.clone(),
            media_type: String::new(),
            media: Media::Other,
            digest: None,
            size: None,
            platform: None,
            annotations: Vec::new(),
            target: Target::Unusable,
        }
    }

    /// Notes keys that only Go takes for known ones.
    pub(super) fn misspelt(&mut self, value: &Value<'_>, known: &[&str]) {
        for field in value.node.misspelt(known) {
            let detail = crate::escape::escape(field.key.as_bytes()).into_owned();
            let pointer = json::child(value.at.pointer.as_deref().unwrap_or_default(), &field.key);
            let offset = field.key_span.start as u64;
            let fault = json::Fault { kind: json::FaultKind::KeyCase, offset, pointer, detail };
            if let Some(document) = self.graph.documents.get_mut(value.document.position()) {
                document.faults.push(fault);
            }
        }
    }

    fn digest(&mut self, value: &Value<'_>) -> Option<Digest> {
        let Some(field) = value.get("digest") else {
            self.fault(FaultKind::DigestSyntax, &value.at, DigestError::Empty.to_string());
            return None;
        };
        let text = field.node.str().ok()?;
        match Digest::parse(text) {
            Ok(digest) => Some(digest),
            Err(error) => {
                let detail = format!("{error}: {}", crate::escape::escape(text.as_bytes()));
                self.fault(FaultKind::DigestSyntax, &field.at, detail);
                None
            }
        }
    }

    fn size(&mut self, value: &Value<'_>) -> Option<u64> {
        let Some(field) = value.get("size") else {
            self.fault(FaultKind::SizeSyntax, &value.at, "missing");
            return None;
        };
        match field.node.u64() {
            // Go reads sizes as int64.
            Ok(size) if i64::try_from(size).is_ok() => Some(size),
            Ok(size) => {
                self.fault(FaultKind::SizeSyntax, &field.at, format!("{size} is beyond 2^63-1"));
                None
            }
            Err(wrong) => {
                self.fault(FaultKind::SizeSyntax, &field.at, wrong.to_string());
                None
            }
        }
    }

    /// Content embedded in a descriptor, if there is some and it is what the descriptor says.
    fn embedded(&mut self, value: &Value<'_>, digest: Digest, size: Option<u64>) -> Option<Vec<u8>> {
        let field = value.get("data")?;
        let text = field.node.str().ok()?;
        let Ok(data) = BASE64.decode(text) else {
            self.fault(FaultKind::EmbeddedData, &field.at, "not base64");
            return None;
        };
        let actual = Digest::of(digest.algorithm(), &data);
        if actual != digest || size.is_some_and(|size| size != data.len() as u64) {
            self.fault(FaultKind::EmbeddedData, &field.at, format!("{actual}, {} bytes", data.len()));
            return None;
        }
        Some(data)
    }
}

fn annotations(value: &Value<'_>) -> Vec<(String, String)> {
    let map = value.node.get("annotations").and_then(|node| node.string_map().ok()).unwrap_or_default();
    map.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn role_of(media: Media, fallback: Role) -> Role {
    match media {
        Media::Index => Role::Index,
        Media::Manifest => Role::Manifest,
        Media::Config => Role::Config,
        Media::Layer { .. } => Role::Layer,
        Media::Other => fallback,
    }
}
