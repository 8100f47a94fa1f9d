//! Manifests and indexes printed in their one form, and what is left out of them.

use super::{
    documents::{Documents, FORM, NAMES, PLATFORM},
    form,
};
use crate::{
    error::Result,
    image::{Descriptor, DocId, ImageKind},
    json::{Edits, Node, Value},
};

impl Documents<'_> {
    /// Removes annotations that lost all they had, as Go's marshaller would.
    pub(super) fn without_empty_annotations(&self, id: DocId, bytes: Vec<u8>) -> Result<Vec<u8>> {
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
    pub(super) fn without_twins(&mut self, id: DocId, bytes: Option<Vec<u8>>) -> Result<Option<Vec<u8>>> {
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
    pub(super) fn print(
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
    pub(super) fn platform(&self, child: &Descriptor) -> Option<Value> {
        let id = self.graph.document_of(child.target.blob()?)?;
        let image = self.graph.images.iter().find(|image| image.manifest == Some(id))?;
        let config = self.graph.document(image.config?).root.as_ref()?;
        (image.kind == ImageKind::Image).then(|| platform_of(config)).flatten()
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
