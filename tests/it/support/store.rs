//! Where the parts of an image under construction are: stored under which name, with which digest, bent how.
//!
//! Knows blobs and outer members. Must not know how documents are put together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::image::digest;
use super::member::Member;

/// A part of the archive that can be bent. Images, layers and nested indexes count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doc {
    /// The file `oci-layout`.
    OciLayout,
    /// `index.json`.
    Index,
    /// The index blob of that depth, 0 being the one that `index.json` names.
    NestedIndex(usize),
    /// The manifest of an image.
    Manifest(usize),
    /// The config of an image.
    Config(usize),
    /// A layer of an image: image, layer.
    Layer(usize, usize),
    /// The file `manifest.json`.
    DockerManifest,
    /// The file `repositories`.
    Repositories,
}

pub type EditBytes = Box<dyn Fn(&mut Vec<u8>)>;
pub type EditJson = Box<dyn Fn(&mut Value)>;
pub type EditOuter = Box<dyn Fn(&mut Outer)>;

/// An edit of one document, and when it is made.
pub enum Edit {
    Json(EditJson),
    Text(EditBytes),
    Stored(EditBytes),
}

/// Applies an edit, which must change something.
pub fn bend<T: Clone + PartialEq>(value: &mut T, edit: &dyn Fn(&mut T)) {
    let before = value.clone();
    edit(value);
    assert!(*value != before, "an edit changes nothing");
}

/// Files sorted by name below their folders, with containerd's modes.
fn members(files: BTreeMap<String, Vec<u8>>) -> Vec<Member> {
    let mut folders = BTreeSet::new();
    let mut members = Vec::new();
    for (name, bytes) in files {
        for (at, _) in name.match_indices('/') {
            if folders.insert(name[..=at].to_string()) {
                members.push(Member::dir(&name[..=at]));
            }
        }
        let mode = if name.starts_with("blobs/") { 0o444 } else { 0o644 };
        members.push(Member::file(name, bytes).mode(mode));
    }
    members
}

/// Where a document is stored, and the digest its bytes had before an [`Edit::Stored`].
struct Place {
    name: String,
    digest: String,
}

/// Collects the files of an archive, each document bent on its way in.
pub struct Store<'a> {
    edits: &'a [(Doc, Edit)],
    files: BTreeMap<String, Vec<u8>>,
    places: BTreeMap<Doc, Place>,
}

impl Store<'_> {
    pub fn new(edits: &[(Doc, Edit)]) -> Store<'_> {
        Store { edits, files: BTreeMap::new(), places: BTreeMap::new() }
    }

    /// A document's text.
    pub fn json(&self, doc: Doc, mut value: Value) -> Vec<u8> {
        for (of, edit) in self.edits {
            if let (true, Edit::Json(edit)) = (*of == doc, edit) {
                bend(&mut value, edit);
            }
        }
        self.edited(doc, value.to_string().into_bytes())
    }

    /// The bytes of a document or layer, as their digest will be of.
    pub fn edited(&self, doc: Doc, mut bytes: Vec<u8>) -> Vec<u8> {
        for (of, edit) in self.edits {
            if let (true, Edit::Text(edit)) = (*of == doc, edit) {
                bend(&mut bytes, edit);
            }
        }
        bytes
    }

    /// Stores a blob; its descriptor.
    pub fn blob(&mut self, doc: Doc, algorithm: &str, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = digest(algorithm, &bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        self.put(doc, format!("blobs/{}", digest.replace(':', "/")), digest, bytes);
        descriptor
    }

    /// Stores a document under a name of its own.
    pub fn file(&mut self, doc: Doc, name: String, bytes: Vec<u8>) {
        let digest = digest("sha256", &bytes);
        self.put(doc, name, digest, bytes);
    }

    /// Where several documents share a blob, the bent bytes win.
    fn put(&mut self, doc: Doc, name: String, digest: String, bytes: Vec<u8>) {
        let stored = self.files.entry(name.clone()).or_insert(bytes);
        for (of, edit) in self.edits {
            if let (true, Edit::Stored(edit)) = (*of == doc, edit) {
                bend(stored, edit);
            }
        }
        self.places.insert(doc, Place { name, digest });
    }

    /// Stores a file that is no document.
    pub fn plain(&mut self, name: String, bytes: &[u8]) {
        self.files.insert(name, bytes.to_vec());
    }

    /// The name under which a document was stored.
    pub fn name(&self, doc: Doc) -> &str {
        &self.places[&doc].name
    }

    /// The digest under which a document was stored.
    pub fn digest(&self, doc: Doc) -> &str {
        &self.places[&doc].digest
    }

    /// The members of the outer tar.
    pub fn outer(self) -> Outer {
        for (doc, _) in self.edits {
            assert!(self.places.contains_key(doc), "{doc:?} is not in this archive");
        }
        Outer { members: members(self.files), places: self.places }
    }
}

/// The members of the outer tar, and which of them holds what.
pub struct Outer {
    pub members: Vec<Member>,
    places: BTreeMap<Doc, Place>,
}

impl Outer {
    /// The number of the member that holds `doc`.
    pub fn position(&self, doc: Doc) -> usize {
        let name = self.name(doc).as_bytes();
        self.members.iter().position(|member| member.name == name).expect("the member is still there")
    }

    /// The member that holds `doc`.
    pub fn member(&mut self, doc: Doc) -> &mut Member {
        let at = self.position(doc);
        &mut self.members[at]
    }

    /// The name under which `doc` was stored.
    pub fn name(&self, doc: Doc) -> &str {
        &self.place(doc).name
    }

    fn place(&self, doc: Doc) -> &Place {
        self.places.get(&doc).unwrap_or_else(|| panic!("{doc:?} is not in this archive"))
    }
}

/// An archive that was built.
pub struct Built {
    pub bytes: Vec<u8>,
    pub(super) outer: Outer,
    pub(super) diff_ids: Vec<Vec<String>>,
}

impl Built {
    /// The digest of a document or of a layer's blob, as the descriptors above it say.
    pub fn digest(&self, doc: Doc) -> &str {
        &self.outer.place(doc).digest
    }

    /// Whether `doc` is in this archive.
    pub fn has(&self, doc: Doc) -> bool {
        self.outer.places.contains_key(&doc)
    }

    /// The name of the outer member that holds `doc`.
    pub fn name(&self, doc: Doc) -> &str {
        self.outer.name(doc)
    }

    /// The digest of a layer's tar.
    pub fn diff_id(&self, image: usize, layer: usize) -> &str {
        &self.diff_ids[image][layer]
    }

    /// The members of the outer tar.
    pub fn members(&self) -> &[Member] {
        &self.outer.members
    }

    /// The archive as a file, which goes away with the value.
    pub fn file(&self) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".tar").tempfile().unwrap();
        std::fs::write(file.path(), &self.bytes).unwrap();
        file
    }

    /// The members unpacked into a folder: an OCI layout directory.
    pub fn folder(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for member in &self.outer.members {
            let path = folder.path().join(String::from_utf8(member.name.clone()).unwrap());
            match member.kind {
                b'5' => std::fs::create_dir_all(path).unwrap(),
                _ => std::fs::write(path, &member.data).unwrap(),
            }
        }
        folder
    }
}
