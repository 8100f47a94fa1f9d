//! The output's files: which there are in each layout, under which names, and the documents that only one layout has.
//!
//! Knows the OCI layout's files and docker-archive's `manifest.json`. Must not know rules about what is in documents.

use std::collections::BTreeMap;

use super::{
    documents::{Content, Documents},
    form, made, names,
    outcome::subject,
};
use crate::{
    digest::Algorithm,
    error::{Error, ErrorKind, Result},
    image::{BlobId, DocId, Image, ImageGraph, ImageKind, Layer},
    json::{Node, Value},
    media,
};

/// The layouts that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// An OCI image layout.
    Oci,
    /// An OCI image layout with a `manifest.json` beside it, as BuildKit's type=docker and `docker save` write it:
    /// every docker since 1.10 loads it, and the manifests keep their digests.
    Docker,
}

/// What the output is laid out as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Oci,
    Both,
    /// `manifest.json`, `CONFIG.json` and `DIFF_ID.tar`: what podman, skopeo and docker before 25 write.
    DockerArchive,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Oci => "oci",
            Form::Both => "oci+docker",
            Form::DockerArchive => "docker",
        }
    }
}

const LAYOUT_FILE: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const DOCUMENTS: &str = "archive.documents";
/// What the list of changes calls the archive as a whole.
pub(super) const ARCHIVE: &str = "archive";

/// The output's files by path, and the layout's name.
pub(super) fn files(
    documents: &mut Documents<'_>,
    wanted: Option<Layout>,
) -> Result<(BTreeMap<Vec<u8>, Content>, &'static str)> {
    let graph = documents.graph;
    let has_index = graph.root.is_some();
    let form = match wanted {
        Some(Layout::Oci) => Form::Oci,
        Some(Layout::Docker) => Form::Both,
        None if !has_index => Form::DockerArchive,
        None if graph.docker.is_some() => Form::Both,
        None => Form::Oci,
    };
    if form.name() != graph.layout() {
        documents.ledger.change("archive.layout", ARCHIVE, 1);
    }
    let mut top = BTreeMap::new();
    if form != Form::DockerArchive {
        let index = match graph.root {
            Some(root) => {
                let index = documents.root(root)?;
                if form == Form::Oci { names::taken_over(documents, root, index)? } else { index }
            }
            None => make_index(documents)?,
        };
        top.insert(b"index.json".to_vec(), index);
        let old = root_file(graph, b"oci-layout").map(|id| graph.raw(id));
        documents.ledger.change(
            DOCUMENTS,
            "oci-layout",
            u64::from(old.is_some_and(|old| old != LAYOUT_FILE)),
        );
        top.insert(b"oci-layout".to_vec(), Content::Document(LAYOUT_FILE.into()));
    }
    if form != Form::Oci {
        let entries = match &graph.docker {
            Some(_) => listed(documents, form)?,
            None => made(documents)?,
        };
        let bytes = form::print(&entries);
        if let Some(id) = root_file(graph, b"manifest.json") {
            let old = graph.document(id).root.as_ref().map(same_entries);
            let spelt = old.is_some_and(|old| form::print(&old) != graph.raw(id));
            documents.ledger.change(DOCUMENTS, "manifest.json", u64::from(spelt));
        }
        top.insert(b"manifest.json".to_vec(), Content::Document(bytes.into()));
    }
    top.append(&mut documents.files);
    Ok((top, form.name()))
}

/// A document at the top of the archive.
fn root_file(graph: &ImageGraph<'_>, path: &[u8]) -> Option<DocId> {
    let at = |id: &usize| {
        let entry = graph.documents.get(*id).and_then(|document| graph.blob(document.blob).entry);
        entry.is_some_and(|entry| graph.index.entry(entry).path() == path)
    };
    (0..graph.documents.len()).find(at).map(DocId::at)
}

fn list(values: Vec<String>) -> Value {
    if values.is_empty() { Value::Null } else { form::array(values.into_iter().map(form::string)) }
}

/// One entry of `manifest.json`, as BuildKit and containerd write it.
fn entry(config: Value, names: Vec<String>, layers: Vec<String>) -> Value {
    form::object([("Config", config), ("RepoTags", list(names)), ("Layers", list(layers))])
}

fn texts(node: Option<&Node>) -> Vec<String> {
    let elements = node.and_then(|node| node.array().ok()).unwrap_or_default();
    elements.iter().filter_map(|node| node.str().ok().map(str::to_owned)).collect()
}

/// The entries of a `manifest.json`, with the three keys that count and their own values.
fn same_entries(root: &Node) -> Node {
    let entries = root.array().unwrap_or_default().iter().map(|old| {
        let config = old.get("Config").map_or(Value::Null, |node| node.value.clone());
        entry(config, texts(old.get("RepoTags")), texts(old.get("Layers")))
    });
    Node { span: 0..0, value: form::array(entries) }
}

/// The entries of the input's `manifest.json`, for the output.
fn listed(documents: &mut Documents<'_>, form: Form) -> Result<Node> {
    let graph = documents.graph;
    let images = graph.docker.as_deref().unwrap_or_default();
    let root = root_file(graph, b"manifest.json").and_then(|id| graph.document(id).root.as_ref());
    let nodes = root.and_then(|root| root.array().ok()).unwrap_or_default();
    let mut entries = Vec::new();
    for (image, node) in images.iter().zip(nodes) {
        let path =
            |documents: &mut Documents<'_>, blob: Option<BlobId>, old: Option<&str>| -> Result<String> {
                let Some(blob) = blob else { return Ok(old.unwrap_or_default().to_owned()) };
                let content = documents.content(blob)?;
                let path = path_of(documents, form, blob, &content);
                documents.write(path.clone(), blob)?;
                Ok(path)
            };
        let old = |node: Option<&Node>| node.and_then(|node| node.str().ok()).map(str::to_owned);
        let config = path(documents, image.config, old(node.get("Config")).as_deref())?;
        let paths = node.get("Layers").and_then(|node| node.array().ok()).unwrap_or_default();
        let mut layers = Vec::new();
        for (blob, node) in image.layers.iter().zip(paths) {
            layers.push(path(documents, *blob, old(Some(node)).as_deref())?);
        }
        let names = names::kept(documents, &image.names);
        entries.push(entry(form::string(config), names, layers));
    }
    Ok(Node { span: 0..0, value: form::array(entries) })
}

/// Where content that `manifest.json` names stands.
fn path_of(documents: &Documents<'_>, form: Form, blob: BlobId, content: &Content) -> String {
    let claims = &documents.graph.blob(blob).claims;
    let algorithm = claims.first().map_or(Algorithm::Sha256, |claim| claim.digest.algorithm());
    let digest = documents.digest(content, algorithm);
    if form == Form::Both {
        return digest.blob_path();
    }
    match documents.layers.diff_id(blob) {
        Some(diff_id) => format!("{}.tar", diff_id.0.hex()),
        None => format!("{}.json", digest.hex()),
    }
}

/// A `manifest.json` for an archive that had none, of the images that are written.
fn made(documents: &mut Documents<'_>) -> Result<Node> {
    let graph = documents.graph;
    let mut entries = Vec::new();
    let mut taken: BTreeMap<&str, &Image> = BTreeMap::new();
    for image in graph.images.iter().filter(|image| image.kind == ImageKind::Image && image.complete) {
        let mut path = |blob: BlobId| -> Result<String> {
            let content = documents.content(blob)?;
            Ok(path_of(documents, Form::Both, blob, &content))
        };
        let manifest = image.manifest.map(|id| path(graph.document(id).blob)).transpose()?;
        let config = image.config.map(|id| path(graph.document(id).blob)).transpose()?.unwrap_or_default();
        // A foreign layer need not be here; docker asks for it by its digest.
        let place = |layer: &Layer| match layer.blob {
            Some(blob) => path(blob),
            None => Ok(layer.digest.map(|digest| digest.blob_path()).unwrap_or_default()),
        };
        let layers = image.layers.iter().map(place).collect::<Result<_>>()?;
        if !manifest.is_some_and(|path| documents.files.contains_key(path.as_bytes())) {
            continue;
        }
        for name in &image.names {
            if let Some(other) = taken.insert(name, image) {
                let platform =
                    |image: &Image| image.platform.as_ref().map(ToString::to_string).unwrap_or_default();
                let message = format!(
                    "{} names an image for {} and one for {}, of which a manifest.json can hold only one \
                     (`skopeo copy --override-os OS --override-arch ARCH oci-archive:IN oci-archive:ONE` takes one out)",
                    crate::escape::escape(name.as_bytes()),
                    platform(other),
                    platform(image)
                );
                return Err(Error::new(ErrorKind::Refused, message).at(image.at.clone()));
            }
        }
        let tagged: Vec<String> = image.names.iter().filter(|name| names::is_tagged(name)).cloned().collect();
        let names = names::kept(documents, &tagged);
        entries.push(entry(form::string(config), names, layers));
    }
    Ok(Node { span: 0..0, value: form::array(entries) })
}

/// An `index.json`, and the manifests that it names, for a docker-archive.
fn make_index(documents: &mut Documents<'_>) -> Result<Content> {
    let graph = documents.graph;
    let (mut descriptors, mut all_names) = (Vec::new(), Vec::new());
    for image in &graph.images {
        let Some(config) = image.config else { continue };
        let blob = graph.document(config).blob;
        let config_descriptor = stored(documents, media::CONFIG, blob)?;
        let mut layers = Vec::new();
        for layer in image.layers.iter().filter_map(|layer| layer.blob) {
            let content = documents.content(layer)?;
            let media_type = made::layer_type(documents.bytes(&content));
            layers.push(stored(documents, &media_type, layer)?);
        }
        let content = Content::Document(made::manifest(config_descriptor, layers).into());
        let descriptor = descriptor(documents, media::MANIFEST, &content);
        let path = documents.digest(&content, Algorithm::Sha256).blob_path();
        documents.files.insert(path.into_bytes(), content);
        documents.ledger.note(format!(
            "the manifest of {} was made here: a docker-archive has none",
            subject(graph, blob)
        ));
        let names = names::kept(documents, &image.names);
        descriptors.extend(made::named(&descriptor, &names, graph.document(config).root.as_ref()));
        all_names.extend(names);
    }
    for (tag, images) in names::shared_tags(&all_names) {
        documents.ledger.note(format!(
            "{images} names have the tag {}: docker and containerd tell them apart, tools that look for the tag alone \
             (skopeo, umoci) do not",
            crate::escape::escape(tag.as_bytes())
        ));
    }
    Ok(Content::Document(made::index(descriptors).into()))
}

/// Writes a blob below `blobs/` and gives its descriptor.
fn stored(documents: &mut Documents<'_>, media_type: &str, blob: BlobId) -> Result<Value> {
    let content = documents.content(blob)?;
    documents.write(documents.digest(&content, Algorithm::Sha256).blob_path(), blob)?;
    Ok(descriptor(documents, media_type, &content))
}

fn descriptor(documents: &Documents<'_>, media_type: &str, content: &Content) -> Value {
    let digest = documents.digest(content, Algorithm::Sha256);
    made::descriptor(media_type, &digest, documents.bytes(content).len())
}
