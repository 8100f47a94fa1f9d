//! Names of images: what `index.json` and `manifest.json` say of them, and how one's become the other's.
//!
//! Must not know which files an archive has.

use std::collections::BTreeMap;

use super::{
    documents::{Content, Documents},
    form,
};
use crate::{
    digest::Algorithm,
    error::Result,
    image::{BlobId, DocId, DockerImage},
    json::{Node, Value},
};

/// containerd's annotation for a name in full.
pub(super) const FULL: &str = "io.containerd.image.name";
/// The specification's annotation for a name: often only its tag.
pub(super) const TAG: &str = "org.opencontainers.image.ref.name";

/// Names, unless they are to be dropped.
pub(super) fn kept(documents: &mut Documents<'_>, names: &[String]) -> Vec<String> {
    if !documents.active.has("archive.names") {
        return names.to_vec();
    }
    documents.ledger.change("archive.names", "manifest.json", names.len() as u64);
    Vec::new()
}

/// Whether a name is one that docker and podman take in `RepoTags`: with a tag, which a port is not, and no digest.
pub(super) fn is_tagged(name: &str) -> bool {
    !name.contains('@') && name.rsplit('/').next().is_some_and(|last| last.contains(':'))
}

/// Tags that several names have, and how many.
pub(super) fn shared_tags(names: &[String]) -> BTreeMap<&str, usize> {
    let mut tags = BTreeMap::new();
    names.iter().filter_map(|name| tag_of(name)).for_each(|tag| *tags.entry(tag).or_default() += 1);
    tags.retain(|_, names| *names > 1);
    tags
}

fn tag_of(name: &str) -> Option<&str> {
    name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))
}

/// What containerd and docker write of a name: in full, and its tag.
pub(super) fn annotations(name: &str) -> Value {
    let tag = tag_of(name).map(|tag| (TAG, form::string(tag)));
    form::object([(FULL, form::string(in_full(name)))].into_iter().chain(tag))
}

fn in_full(name: &str) -> String {
    let first = name.split('/').next().unwrap_or_default();
    match name.contains('/') {
        false => format!("docker.io/library/{name}"),
        true if first.contains(['.', ':']) || first == "localhost" => name.to_owned(),
        true => format!("docker.io/{name}"),
    }
}

/// `index.json` with the names that only `manifest.json` gives, where that is left out.
pub(super) fn taken_over(documents: &mut Documents<'_>, root: DocId, index: Content) -> Result<Content> {
    let mut node = documents.parse(root, documents.bytes(&index))?;
    let Value::Object(fields) = &mut node.value else { return Ok(index) };
    let list = fields.iter_mut().find(|field| field.key == "manifests").map(|field| &mut field.node.value);
    let Some(Value::Array(elements)) = list else { return Ok(index) };
    let mut added = 0;
    for image in documents.graph.docker.iter().flatten() {
        let Some(digest) = listed_as(documents, root, image)? else { continue };
        for name in kept(documents, &image.names) {
            added += u64::from(name_one(elements, &digest, &name));
        }
    }
    if added == 0 {
        return Ok(index);
    }
    documents.ledger.change("archive.layout", "index.json", added);
    Ok(Content::Document(form::print(&node).into()))
}

/// The digest by which `index.json` lists an image of `manifest.json`: its manifest's, or that of the index above it.
fn listed_as(documents: &mut Documents<'_>, root: DocId, image: &DockerImage) -> Result<Option<String>> {
    let graph = documents.graph;
    let config = image.config.and_then(|blob| graph.document_of(blob));
    let Some(listed) = graph.images.iter().find(|i| i.manifest.is_some() && i.config == config) else {
        return Ok(None);
    };
    let above = listed.index.filter(|index| *index != root).or(listed.manifest);
    let Some(blob) = above.map(|id| graph.document(id).blob) else { return Ok(None) };
    let content = documents.content(blob)?;
    Ok(Some(documents.digest(&content, algorithm(documents, blob)).to_string()))
}

fn algorithm(documents: &Documents<'_>, blob: BlobId) -> Algorithm {
    let claims = &documents.graph.blob(blob).claims;
    claims.first().map_or(Algorithm::Sha256, |claim| claim.digest.algorithm())
}

/// Gives the image of that digest a name, in its descriptor or, where that has another, in one more; `false` if it has
/// the name.
fn name_one(elements: &mut Vec<Node>, digest: &str, name: &str) -> bool {
    let text = |element: &Node, key: &str| Some(element.get("annotations")?.get(key)?.str().ok()?.to_owned());
    let is_it = |element: &Node| element.get("digest").is_some_and(|node| node.str() == Ok(digest));
    let full = in_full(name);
    let known = |element: &Node| {
        let tag = text(element, TAG);
        text(element, FULL).as_deref() == Some(&full) || tag.is_some_and(|tag| tag == full || tag == name)
    };
    if elements.iter().filter(|element| is_it(element)).any(known) {
        return false;
    }
    let Some(last) = elements.iter().rposition(is_it) else { return false };
    let named = annotations(name);
    let own_tag =
        Node { span: 0..0, value: named.clone() }.get(TAG).and_then(|tag| tag.str().ok().map(str::to_owned));
    let free = |element: &Node| {
        text(element, FULL).is_none() && text(element, TAG).is_none_or(|tag| Some(tag) == own_tag)
    };
    let position = match elements.iter().position(|element| is_it(element) && free(element)) {
        Some(position) => position,
        None => {
            let twin = elements.get(last).cloned();
            elements.splice(last + 1..last + 1, twin);
            last + 1
        }
    };
    let Some(element) = elements.get_mut(position) else { return false };
    let mut all = element.get("annotations").cloned().unwrap_or(Node { span: 0..0, value: form::object([]) });
    if let (Value::Object(fields), Value::Object(new)) = (&mut all.value, named) {
        fields.retain(|field| field.key != FULL && field.key != TAG);
        fields.extend(new);
    }
    form::set(element, "annotations", all.value);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_docker_writes() {
        let text =
            |name| String::from_utf8(form::print(&Node { span: 0..0, value: annotations(name) })).unwrap();
        for (name, full, tag) in [
            ("lab/tiny:1", "docker.io/lab/tiny:1", "1"),
            ("busybox:latest", "docker.io/library/busybox:latest", "latest"),
            ("localhost/x:2", "localhost/x:2", "2"),
            ("host:5000/x:y", "host:5000/x:y", "y"),
        ] {
            let wanted = format!(
                r#"{{"io.containerd.image.name":"{full}","org.opencontainers.image.ref.name":"{tag}"}}"#
            );
            assert_eq!(text(name), wanted);
        }
        assert_eq!(text("host:5000/x"), r#"{"io.containerd.image.name":"host:5000/x"}"#);
    }

    #[test]
    fn a_port_is_no_tag_and_a_digest_no_name() {
        for (name, is) in [
            ("reg:5000/foo:1", true),
            ("foo:1", true),
            ("reg:5000/foo", false),
            ("1", false),
            ("docker.io/library/w@sha256:aaaa", false),
            ("w:1@sha256:aaaa", false),
        ] {
            assert_eq!(is_tagged(name), is, "{name}");
        }
    }
}
