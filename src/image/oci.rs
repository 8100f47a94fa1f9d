//! The OCI image layout: `oci-layout`, `index.json`, indexes, manifests, configurations.

use super::{
    BlobId, Config, Descriptor, DocId, FaultKind, History, Manifest, Node, Platform, Role, Target,
    resolver::{Resolver, Value},
    shape,
};
use crate::{
    digest::{DiffId, Digest},
    escape::escape,
    json,
    media::Media,
};

const LAYOUT: &[u8] = b"oci-layout";
pub(super) const INDEX: &[u8] = b"index.json";

/// Reads the layout from `index.json` on; nothing where there is none.
pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let at = resolver.graph.at.then(INDEX);
    let Target::Blob(blob) = resolver.find(INDEX, Role::Root, &at) else { return };
    layout_version(resolver);
    let root = read(resolver, blob, Media::Index, 0, &mut Vec::new());
    resolver.graph.root = Some(root);
    if let Some(limit) = resolver.images.add_layout(&resolver.graph, root) {
        resolver.fault(FaultKind::ManyNames, &at, format!("limit {limit} bytes"));
    }
}

fn layout_version(resolver: &mut Resolver<'_>) {
    let at = resolver.graph.at.then(LAYOUT);
    let blob = match resolver.find(LAYOUT, Role::Root, &at) {
        Target::Blob(blob) => blob,
        Target::Absent => return resolver.fault(FaultKind::NoLayoutFile, &at, ""),
        Target::Unusable => return,
    };
    let (id, _) = resolver.document(blob);
    resolver.with_root(id, |resolver, root| {
        resolver.check(&root, &shape::LAYOUT);
        match root.text("imageLayoutVersion").as_deref() {
            Some("1.0.0") => {}
            Some(other) => resolver.fault(FaultKind::LayoutVersion, &root.at, escape(other.as_bytes())),
            None => resolver.fault(FaultKind::FieldMissing, &root.at, "imageLayoutVersion"),
        }
    });
}

/// Reads a blob as the document its media type names, and everything below it.
fn read(
    resolver: &mut Resolver<'_>,
    blob: BlobId,
    media: Media,
    depth: usize,
    above: &mut Vec<DocId>,
) -> DocId {
    let (id, fresh) = resolver.document(blob);
    if above.contains(&id) {
        let at = resolver.graph.place(id).clone();
        resolver.fault(FaultKind::IndexCycle, &at, "");
        return id;
    }
    if !fresh {
        match kind_read(&resolver.graph.document(id).node) {
            // Read before as nothing in particular: now somebody says what it is.
            Media::Other if media != Media::Other => {}
            known => {
                if media != Media::Other && known != media && known != Media::Other {
                    let at = resolver.graph.place(id).clone();
                    resolver.fault(
                        FaultKind::MediaTypeKind,
                        &at,
                        "it is referred to as two kinds of document",
                    );
                }
                return id;
            }
        }
    }
    above.push(id);
    let node = resolver.with_root(id, |resolver, root| {
        if resolver.typed(&root.at, root.node.object()).is_none() {
            return Node::Other;
        }
        match kind_of(resolver, &root, media) {
            Media::Index => index(resolver, &root, depth, above),
            Media::Manifest => Node::Manifest(Box::new(manifest(resolver, &root))),
            Media::Config => Node::Config(config(resolver, &root)),
            _ => Node::Other,
        }
    });
    above.pop();
    if let (Some(node), Some(document)) = (node, resolver.graph.documents.get_mut(id.position())) {
        document.node = node;
    }
    id
}

/// What a document was read as.
fn kind_read(node: &Node) -> Media {
    match node {
        Node::Index(_) => Media::Index,
        Node::Manifest(_) => Media::Manifest,
        Node::Config(_) => Media::Config,
        Node::Other => Media::Other,
    }
}

/// What a document is: what its media type says, or what it looks like where that says nothing. A fault where the two
/// disagree.
fn kind_of(resolver: &mut Resolver<'_>, root: &Value<'_>, media: Media) -> Media {
    let own = own_media(root.node);
    let has = |key: &str| root.node.get(key).is_some();
    let (index, manifest) = (has("manifests"), has("config") || has("layers"));
    if media != Media::Config && index && manifest {
        resolver.fault(FaultKind::ManifestAndIndex, &root.at, "");
    }
    let looks = match (index, manifest) {
        (true, false) => Some(Media::Index),
        (false, true) => Some(Media::Manifest),
        _ => None,
    };
    let kind = match media {
        Media::Other => own.filter(|own| matches!(own, Media::Index | Media::Manifest)).or(looks),
        media => Some(media),
    };
    let Some(kind) = kind else { return Media::Other };
    let is_document = |media| matches!(media, Media::Index | Media::Manifest);
    let says_otherwise = own.is_some_and(|own| own != kind && (is_document(own) || is_document(kind)));
    let looks_otherwise = kind != Media::Config && looks.is_some_and(|looks| looks != kind);
    if says_otherwise || looks_otherwise {
        resolver.fault(FaultKind::MediaTypeKind, &root.at, "");
    }
    kind
}

/// What a document says of itself, if anything.
fn own_media(root: &json::Node) -> Option<Media> {
    root.get("mediaType")?.str().ok().filter(|own| !own.is_empty()).map(Media::of)
}

fn schema_version(resolver: &mut Resolver<'_>, root: &Value<'_>) {
    let Some(field) = root.get("schemaVersion") else {
        return resolver.fault(FaultKind::FieldMissing, &root.at, "schemaVersion");
    };
    match field.node.u64() {
        Ok(2) => {}
        Ok(other) => resolver.fault(FaultKind::SchemaVersion, &field.at, other.to_string()),
        Err(wrong) => resolver.fault(FaultKind::FieldType, &field.at, wrong.to_string()),
    }
}

fn index(resolver: &mut Resolver<'_>, root: &Value<'_>, depth: usize, above: &mut Vec<DocId>) -> Node {
    resolver.check(root, &shape::INDEX);
    schema_version(resolver, root);
    if root.node.get("manifests").is_none() {
        resolver.fault(FaultKind::FieldMissing, &root.at, "manifests");
    }
    let elements = root.list("manifests");
    let mut children: Vec<Descriptor> =
        elements.iter().map(|value| resolver.descriptor(value, Role::Other)).collect();
    if let Some(subject) = root.get("subject") {
        resolver.descriptor(&subject, Role::Manifest);
    }
    let mut levels = 1;
    for child in &mut children {
        match child.target {
            Target::Blob(blob) if !is_document(resolver, child, blob) => {}
            Target::Blob(_) if depth >= resolver.limits.max_depth && child.media != Media::Manifest => {
                too_deep(resolver, child);
            }
            Target::Blob(blob) => {
                let document = read(resolver, blob, child.media, depth.saturating_add(1), above);
                compare_media_types(resolver, child, document);
                // It may have been read before, from a place that is less deep.
                let below = resolver.levels.get(&document).copied().unwrap_or_default();
                if depth.saturating_add(below) > resolver.limits.max_depth {
                    too_deep(resolver, child);
                } else {
                    levels = levels.max(below.saturating_add(1));
                }
            }
            // docker save leaves platforms out of an image's index, but nothing that `index.json` itself names.
            Target::Absent if child.platform.is_some() && depth > 0 => {
                let platform = child.platform.as_ref().map(ToString::to_string).unwrap_or_default();
                resolver.fault(FaultKind::PlatformAbsent, &child.at, escape(platform.as_bytes()));
            }
            Target::Absent => missing(resolver, child),
            Target::Unusable => {}
        }
    }
    resolver.levels.insert(root.document, levels);
    Node::Index(children)
}

/// Nobody is to go further: no way through the graph is longer than the limit.
fn too_deep(resolver: &mut Resolver<'_>, child: &mut Descriptor) {
    child.target = Target::Unusable;
    let detail = format!("limit {} (--max-depth)", resolver.limits.max_depth);
    resolver.fault(FaultKind::IndexDepth, &child.at, detail);
}

/// Whether what an index lists is a manifest or an index. An index may list anything (image-index.md), so what has no type
/// of ours is a document only if its own `mediaType` says so, or if it says nothing and has the form of one: then some
/// reader may take it for an image.
fn is_document(resolver: &mut Resolver<'_>, descriptor: &Descriptor, blob: BlobId) -> bool {
    let typed = matches!(descriptor.media, Media::Index | Media::Manifest | Media::Config);
    if typed || descriptor.media_type.is_empty() || resolver.graph.document_of(blob).is_some() {
        return true;
    }
    if let Some(&known) = resolver.is_document.get(&blob) {
        return known;
    }
    let answer = has_form_of_document(resolver, blob);
    resolver.is_document.insert(blob, answer);
    answer
}

fn has_form_of_document(resolver: &Resolver<'_>, blob: BlobId) -> bool {
    if !is_object(resolver, blob) {
        return false;
    }
    let Some(root) = json::parse(resolver.graph.content(blob), &resolver.limits).root else { return false };
    let has = |key| root.get(key).is_some();
    own_media(&root)
        .map_or(has("schemaVersion") && (has("manifests") || has("config") || has("layers")), |own| {
            matches!(own, Media::Index | Media::Manifest)
        })
}

/// Whether content begins as a JSON object.
fn is_object(resolver: &Resolver<'_>, blob: BlobId) -> bool {
    resolver.graph.content(blob).trim_ascii_start().first() == Some(&b'{')
}

fn compare_media_types(resolver: &mut Resolver<'_>, descriptor: &Descriptor, document: DocId) {
    let read = resolver.graph.document(document);
    let own = read.root.as_ref().and_then(|root| root.get("mediaType")).and_then(|node| node.str().ok());
    let said = descriptor.media_type.as_str();
    if descriptor.media == Media::Other && !said.is_empty() && kind_read(&read.node) != Media::Other {
        resolver.fault(FaultKind::UnknownMediaType, &descriptor.at, escape(said.as_bytes()));
    } else if let Some(own) = own.filter(|own| !own.is_empty() && *own != said) {
        let detail = format!("{} and {}", escape(said.as_bytes()), escape(own.as_bytes()));
        resolver.fault(FaultKind::MediaTypeDiffers, &descriptor.at, detail);
    }
}

fn missing(resolver: &mut Resolver<'_>, descriptor: &Descriptor) {
    let detail = descriptor.digest.map(|digest| digest.to_string()).unwrap_or_default();
    resolver.fault(FaultKind::BlobMissing, &descriptor.at, detail);
}

fn manifest(resolver: &mut Resolver<'_>, root: &Value<'_>) -> Manifest {
    resolver.check(root, &shape::MANIFEST);
    schema_version(resolver, root);
    // A manifest of no layers may say so by null.
    for (key, missing) in
        [("config", root.get("config").is_none()), ("layers", root.node.get("layers").is_none())]
    {
        if missing {
            resolver.fault(FaultKind::FieldMissing, &root.at, key);
        }
    }
    let config = root.get("config").map(|value| resolver.descriptor(&value, Role::Config));
    let elements = root.list("layers");
    let layers: Vec<Descriptor> =
        elements.iter().map(|value| resolver.descriptor(value, Role::Layer)).collect();
    if let Some(config) = &config {
        if matches!(config.media, Media::Index | Media::Manifest | Media::Layer { .. }) {
            resolver.fault(FaultKind::MediaTypeKind, &config.at, "it stands in the place of a configuration");
        }
        match config.target {
            Target::Blob(blob) if configures_image(resolver, config, blob, &layers) => {
                if !config.says_config() {
                    let media_type = escape(config.media_type.as_bytes()).into_owned();
                    resolver.fault(FaultKind::ConfigMediaType, &config.at, media_type);
                }
                read(resolver, blob, Media::Config, 0, &mut Vec::new());
            }
            Target::Absent => missing(resolver, config),
            Target::Blob(_) | Target::Unusable => {}
        }
    }
    layers.iter().for_each(|layer| absent_layer(resolver, layer));
    let subject = root.get("subject").map(|value| resolver.descriptor(&value, Role::Manifest));
    let artifact_type = root.text("artifactType");
    Manifest { config, layers, subject, artifact_type }
}

/// Notes a layer that is not here. Foreign ones may be left out.
pub(super) fn absent_layer(resolver: &mut Resolver<'_>, layer: &Descriptor) {
    match (layer.target, layer.media) {
        (Target::Absent, Media::Layer { foreign: true, .. }) => {
            let digest = layer.digest.map(|digest| digest.to_string()).unwrap_or_default();
            resolver.fault(FaultKind::ForeignAbsent, &layer.at, digest);
        }
        (Target::Absent, _) => missing(resolver, layer),
        _ => {}
    }
}

/// Whether a manifest's configuration is that of an image: its media type says so or, since not all readers look at
/// that, its content does and a layer's type too. Artifacts carry configurations that are no JSON of ours.
fn configures_image(
    resolver: &mut Resolver<'_>,
    config: &Descriptor,
    blob: BlobId,
    layers: &[Descriptor],
) -> bool {
    if config.says_config() {
        return true;
    }
    let has_layers = layers.iter().any(|layer| matches!(layer.media, Media::Layer { .. }));
    if !has_layers || !is_object(resolver, blob) {
        return false;
    }
    let (id, _) = resolver.document(blob);
    resolver.graph.document(id).root.as_ref().is_some_and(|root| root.get("rootfs").is_some())
}

/// Reads a configuration document, wherever it was found.
pub(super) fn read_config(resolver: &mut Resolver<'_>, blob: BlobId) -> DocId {
    read(resolver, blob, Media::Config, 0, &mut Vec::new())
}

fn config(resolver: &mut Resolver<'_>, root: &Value<'_>) -> Config {
    resolver.check(root, &shape::CONFIG);
    let rootfs = root.get("rootfs");
    if rootfs.is_none() {
        resolver.fault(FaultKind::FieldMissing, &root.at, "rootfs");
    }
    let diff_ids = rootfs.as_ref().map(|rootfs| rootfs.list("diff_ids")).unwrap_or_default();
    Config {
        document: root.document,
        platform: Platform::of(root.node),
        created: root.text("created"),
        rootfs_type: rootfs.and_then(|rootfs| rootfs.text("type")),
        diff_ids: diff_ids.iter().map(|value| diff_id(resolver, value)).collect(),
        history: root.get("history").map(|steps| steps.elements().iter().map(history).collect()),
    }
}

fn diff_id(resolver: &mut Resolver<'_>, value: &Value<'_>) -> Option<DiffId> {
    let text = value.node.str().ok()?;
    match Digest::parse(text) {
        Ok(digest) => Some(DiffId(digest)),
        Err(error) => {
            let detail = format!("{error}: {}", escape(text.as_bytes()));
            resolver.fault(FaultKind::DigestSyntax, &value.at, detail);
            None
        }
    }
}

fn history(step: &Value<'_>) -> History {
    History {
        created: step.text("created"),
        created_by: step.text("created_by"),
        empty_layer: step.node.get("empty_layer").is_some_and(|node| node.bool() == Ok(true)),
    }
}
