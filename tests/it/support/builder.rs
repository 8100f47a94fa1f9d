//! `ImageBuilder`: a good image archive in memory, of which a test bends exactly one thing.
//!
//! A thing can be bent at five stages, each of them a closure: the JSON of a document, its text (both before its digest
//! is taken, so that everything above follows), its stored bytes (after, so that its digest lies), the members of the
//! outer tar, the bytes of the whole archive. A closure that changes nothing or names nothing panics: a test built on
//! it could not fail.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::image::{Image, Layer, digest};
use super::member::{Member, tar};
use super::store::{Built, Doc, Edit, EditBytes, EditOuter, Outer, Store, bend};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Which files the archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `oci-layout`, `index.json` and `blobs/`: what oci-archives are.
    Oci,
    /// `manifest.json`, `HEX.json` and `HEX.tar`: podman's and skopeo's docker-archive.
    Docker,
    /// `Oci` and a `manifest.json` into its blobs: BuildKit's type=docker, `docker save` since 25.
    Both,
    /// A folder for each layer with `VERSION`, `json` and `layer.tar`, and `repositories`: `docker save` before 25.
    Legacy,
}

impl Layout {
    pub const ALL: [Layout; 4] = [Layout::Oci, Layout::Docker, Layout::Both, Layout::Legacy];

    pub fn has_index(self) -> bool {
        matches!(self, Layout::Oci | Layout::Both)
    }
}

/// Builds image archives, the same bytes every time.
pub struct ImageBuilder {
    layout: Layout,
    images: Vec<Image>,
    nested: usize,
    edits: Vec<(Doc, Edit)>,
    outer: Vec<EditOuter>,
    bytes: Vec<EditBytes>,
}

impl ImageBuilder {
    pub fn new(layout: Layout, images: Vec<Image>) -> ImageBuilder {
        ImageBuilder { layout, images, nested: 0, edits: Vec::new(), outer: Vec::new(), bytes: Vec::new() }
    }

    /// One image of two gzip layers that every reader accepts and nothing is wrong with, readable as OCI layout and as
    /// docker-archive.
    pub fn good() -> ImageBuilder {
        let base = Layer::new(&[
            Member::dir("bin/"),
            Member::file("bin/sh", "#!/bin/false\n").mode(0o755),
            Member::symlink("bin/bash", "sh"),
            Member::dir("etc/"),
            Member::file("etc/motd", "one\n"),
            Member::file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ]);
        let top = Layer::new(&[
            Member::dir("etc/"),
            Member::whiteout("etc/motd"),
            Member::dir("srv/"),
            Member::file("srv/data", "two\n").owner(1000, 1000).xattr("user.note", "x"),
            Member::hardlink("srv/link", "srv/data").owner(1000, 1000),
        ]);
        ImageBuilder::new(Layout::Both, vec![Image::new(vec![base, top]).name("example.com/lab/good:1")])
    }

    pub fn layout(self, layout: Layout) -> ImageBuilder {
        ImageBuilder { layout, ..self }
    }

    /// Adds an image.
    pub fn image(mut self, image: Image) -> ImageBuilder {
        self.images.push(image);
        self
    }

    /// Changes the images that were given: layers, platform, algorithm.
    pub fn map(mut self, change: impl Fn(Image) -> Image) -> ImageBuilder {
        self.images = self.images.into_iter().map(change).collect();
        self
    }

    /// Replaces the layers of the first image.
    pub fn layers(mut self, layers: Vec<Layer>) -> ImageBuilder {
        self.images[0].layers = layers;
        self
    }

    /// Puts that many index blobs between `index.json` and the manifests.
    pub fn nested(self, depth: usize) -> ImageBuilder {
        ImageBuilder { nested: depth, ..self }
    }

    /// Edits a document as JSON before its digest is taken.
    pub fn json(self, doc: Doc, edit: impl Fn(&mut Value) + 'static) -> ImageBuilder {
        self.edit(doc, Edit::Json(Box::new(edit)))
    }

    /// Edits a document's or a layer blob's bytes before its digest is taken.
    pub fn text(self, doc: Doc, edit: impl Fn(&mut Vec<u8>) + 'static) -> ImageBuilder {
        self.edit(doc, Edit::Text(Box::new(edit)))
    }

    /// Replaces one piece of a document's text before its digest is taken; it must occur.
    pub fn replace(self, doc: Doc, from: &'static str, to: &'static str) -> ImageBuilder {
        self.text(doc, move |bytes| {
            *bytes = String::from_utf8_lossy(bytes).replacen(from, to, 1).into_bytes()
        })
    }

    /// Edits the bytes that are stored, under the digest and size they had before.
    pub fn stored(self, doc: Doc, edit: impl Fn(&mut Vec<u8>) + 'static) -> ImageBuilder {
        self.edit(doc, Edit::Stored(Box::new(edit)))
    }

    /// Edits the members of the outer tar: adds, repeats, renames, reorders.
    pub fn outer(mut self, edit: impl Fn(&mut Outer) + 'static) -> ImageBuilder {
        self.outer.push(Box::new(edit));
        self
    }

    /// Leaves a document or a layer out of the archive.
    pub fn missing(self, doc: Doc) -> ImageBuilder {
        self.outer(move |outer| {
            let at = outer.position(doc);
            outer.members.remove(at);
        })
    }

    /// Edits the whole archive's bytes: truncates, appends, compresses. The last 1024 are the end marker.
    pub fn bytes(mut self, edit: impl Fn(&mut Vec<u8>) + 'static) -> ImageBuilder {
        self.bytes.push(Box::new(edit));
        self
    }

    fn edit(mut self, doc: Doc, edit: Edit) -> ImageBuilder {
        self.edits.push((doc, edit));
        self
    }

    /// The archive's bytes.
    pub fn tar(&self) -> Vec<u8> {
        self.build().bytes
    }

    /// The archive and what is in it.
    pub fn build(&self) -> Built {
        let mut store = Store::new(&self.edits);
        if self.layout.has_index() {
            self.oci(&mut store);
        }
        if self.layout != Layout::Oci {
            self.docker(&mut store);
        }
        let diff_ids = self.images.iter().map(Image::diff_ids).collect();
        let mut outer = store.outer();
        for edit in &self.outer {
            let before = outer.members.clone();
            edit(&mut outer);
            assert_ne!(outer.members, before, "an edit of the members changes nothing");
        }
        let mut bytes = tar(&outer.members);
        for edit in &self.bytes {
            bend(&mut bytes, edit);
        }
        Built { bytes, outer, diff_ids }
    }

    fn oci(&self, store: &mut Store) {
        let mut descriptors = Vec::new();
        for (number, image) in self.images.iter().enumerate() {
            let mut layers = Vec::new();
            for (position, layer) in image.layers.iter().enumerate() {
                let blob = store.edited(Doc::Layer(number, position), layer.blob.clone());
                layers.push(store.blob(
                    Doc::Layer(number, position),
                    image.algorithm,
                    &layer.media_type,
                    blob,
                ));
            }
            let config = store.json(Doc::Config(number), image.config_json());
            let config = store.blob(Doc::Config(number), image.algorithm, CONFIG, config);
            let manifest =
                json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
            let manifest = store.json(Doc::Manifest(number), manifest);
            let mut descriptor = store.blob(Doc::Manifest(number), image.algorithm, MANIFEST, manifest);
            descriptor["platform"] = image.platform_json();
            if let Some(annotations) = image.annotations() {
                descriptor["annotations"] = annotations;
            }
            if let Some(subject) = image.attests {
                let subject = store.digest(Doc::Manifest(subject));
                descriptor["annotations"] = json!({
                    "vnd.docker.reference.digest": subject,
                    "vnd.docker.reference.type": "attestation-manifest",
                });
            }
            descriptors.push(descriptor);
        }
        let index = |manifests| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        for depth in (0..self.nested).rev() {
            let nested = store.json(Doc::NestedIndex(depth), index(descriptors));
            descriptors = vec![store.blob(Doc::NestedIndex(depth), "sha256", INDEX, nested)];
        }
        let bytes = store.json(Doc::Index, index(descriptors));
        store.file(Doc::Index, "index.json".into(), bytes);
        let bytes = store.json(Doc::OciLayout, json!({"imageLayoutVersion": "1.0.0"}));
        store.file(Doc::OciLayout, "oci-layout".into(), bytes);
    }

    /// `manifest.json` and, outside an OCI layout, the files that it names: layers there are plain tars.
    fn docker(&self, store: &mut Store) {
        let mut entries = Vec::new();
        let mut repositories = json!({});
        let mut names = BTreeSet::new();
        for (number, image) in self.images.iter().enumerate() {
            if !self.layout.has_index() {
                self.docker_image(number, image, store);
            }
            let repeated = image.name.as_ref().is_some_and(|name| !names.insert(name));
            if image.attests.is_some() || repeated {
                continue;
            }
            let layers = 0..image.layers.len();
            let layers: Vec<_> = layers.map(|position| store.name(Doc::Layer(number, position))).collect();
            if let Some((repository, tag)) = image.name.as_deref().and_then(|name| name.rsplit_once(':')) {
                let top = layers.last().and_then(|layer| layer.split('/').next()).unwrap_or_default();
                repositories[repository][tag] = json!(top.trim_end_matches(".tar"));
            }
            entries.push(json!({
                "Config": store.name(Doc::Config(number)),
                "RepoTags": image.name.as_ref().map(|name| vec![name]),
                "Layers": layers,
            }));
        }
        let bytes = store.json(Doc::DockerManifest, entries.into());
        store.file(Doc::DockerManifest, "manifest.json".into(), bytes);
        if self.layout == Layout::Legacy {
            let bytes = store.json(Doc::Repositories, repositories);
            store.file(Doc::Repositories, "repositories".into(), bytes);
        }
    }

    fn docker_image(&self, number: usize, image: &Image, store: &mut Store) {
        for (position, layer) in image.layers.iter().enumerate() {
            let doc = Doc::Layer(number, position);
            let tar = store.edited(doc, layer.tar.clone());
            let name = if self.layout == Layout::Legacy {
                let id = hex(&[position.to_string().as_bytes(), &tar].concat());
                store.plain(format!("{id}/VERSION"), b"1.0");
                store.plain(format!("{id}/json"), json!({ "id": id }).to_string().as_bytes());
                format!("{id}/layer.tar")
            } else {
                format!("{}.tar", hex(&tar))
            };
            store.file(doc, name, tar);
        }
        let config = store.json(Doc::Config(number), image.config_json());
        store.file(Doc::Config(number), format!("{}.json", hex(&config)), config);
    }
}

fn hex(data: &[u8]) -> String {
    digest("sha256", data).replace("sha256:", "")
}
