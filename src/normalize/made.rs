//! The documents that a docker-archive lacks, as they are made for it when it becomes an OCI layout.
//!
//! Makes text of values. Must not know where these come from.

use super::{descriptor::repacked, form, names::annotations, print::platform_of};
use crate::{
    codec,
    digest::Digest,
    json::{Node, Value},
    media::{self, INDEX, MANIFEST},
};

fn print(value: Value) -> Vec<u8> {
    form::print(&Node { span: 0..0, value })
}

/// A descriptor.
pub(crate) fn descriptor(media_type: &str, digest: &Digest, size: usize) -> Value {
    form::object([
        ("mediaType", form::string(media_type)),
        ("digest", form::string(digest.to_string())),
        ("size", Value::Number(size.to_string())),
    ])
}

/// The media type of a layer's blob.
pub(crate) fn layer_type(blob: &[u8]) -> String {
    repacked(media::LAYER, codec::sniff(blob))
}

/// A manifest.
pub(crate) fn manifest(config: Value, layers: impl IntoIterator<Item = Value>) -> Vec<u8> {
    print(form::object([
        ("schemaVersion", Value::Number("2".into())),
        ("mediaType", form::string(MANIFEST)),
        ("config", config),
        ("layers", form::array(layers)),
    ]))
}

/// The descriptors of an image in `index.json`: one for each of its names, or one without.
pub(crate) fn named(descriptor: &Value, names: &[String], config: Option<&Node>) -> Vec<Value> {
    let platform = config.and_then(platform_of);
    let names = names.iter().map(Some).chain(names.is_empty().then_some(None));
    let named = names.map(|name| {
        let mut descriptor = Node { span: 0..0, value: descriptor.clone() };
        if let Some(name) = name {
            form::set(&mut descriptor, "annotations", annotations(name));
        }
        if let Some(platform) = &platform {
            form::set(&mut descriptor, "platform", platform.clone());
        }
        descriptor.value
    });
    named.collect()
}

/// An `index.json`.
pub(crate) fn index(descriptors: Vec<Value>) -> Vec<u8> {
    print(form::object([
        ("schemaVersion", Value::Number("2".into())),
        ("mediaType", form::string(INDEX)),
        ("manifests", form::array(descriptors)),
    ]))
}
