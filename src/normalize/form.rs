//! The one form of manifests and indexes at the `canonical` level: the spec's order of keys, no white space.
//!
//! Prints parsed values, so that no number is rounded and no unknown key is lost. Must not know what the values mean.

use crate::json::{Field, Node, Value, quote};

/// The one order of the keys of manifests, indexes, descriptors, platforms and `manifest.json`, close to that of the structs in the
/// specification's Go module. Other keys follow, sorted.
const ORDER: [&str; 22] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "digest",
    "size",
    "urls",
    "annotations",
    "data",
    "platform",
    "architecture",
    "os",
    "os.version",
    "os.features",
    "variant",
    "features",
    "Config",
    "RepoTags",
    "Layers",
];

/// Prints a document.
pub(super) fn print(node: &Node) -> Vec<u8> {
    let mut out = String::new();
    value(node, &mut out);
    out.into_bytes()
}

fn value(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(text) => out.push_str(text),
        Value::String(text) => out.push_str(&quote(text)),
        Value::Array(elements) => list(elements.iter(), '[', ']', out, value),
        Value::Object(fields) => {
            let mut fields: Vec<&Field> = fields.iter().filter(|field| !is_empty_map(field)).collect();
            fields.sort_by_key(|field| (rank(&field.key), &field.key));
            list(fields.into_iter(), '{', '}', out, |field, out| {
                out.push_str(&quote(&field.key));
                out.push(':');
                value(&field.node, out);
            });
        }
    }
}

fn list<T>(
    items: impl Iterator<Item = T>,
    open: char,
    close: char,
    out: &mut String,
    each: fn(T, &mut String),
) {
    out.push(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        each(item, out);
    }
    out.push(close);
}

fn rank(key: &str) -> usize {
    ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len())
}

/// Go leaves out annotations that are empty.
fn is_empty_map(field: &Field) -> bool {
    field.key == "annotations" && matches!(&field.node.value, Value::Object(fields) if fields.is_empty())
}

/// Sets a field of an object.
pub(super) fn set(object: &mut Node, key: &str, to: Value) {
    if let Value::Object(fields) = &mut object.value {
        let node = Node { span: 0..0, value: to };
        match fields.iter_mut().find(|field| field.key == key) {
            Some(field) => field.node = node,
            None => fields.push(Field { key: key.to_owned(), key_span: 0..0, node }),
        }
    }
}

/// A string value.
pub(super) fn string(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

/// An object of these fields.
pub(super) fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let field = |(key, value): (&str, Value)| Field {
        key: key.to_owned(),
        key_span: 0..0,
        node: Node { span: 0..0, value },
    };
    Value::Object(fields.into_iter().map(field).collect())
}

/// An array of these values.
pub(super) fn array(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(values.into_iter().map(|value| Node { span: 0..0, value }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json, limits::Limits};

    #[test]
    fn keys_have_one_order_and_nothing_is_lost() {
        let raw = br#"{ "layers": [ {"size": 1e2, "x": null, "digest": "d<", "annotations": {}} ],
            "annotations": {"b": "1", "a": "2"}, "schemaVersion": 2, "zz": [true], "aa": {} }"#;
        let root = json::parse(raw, &Limits::default()).root.unwrap();
        let wanted = r#"{"schemaVersion":2,"layers":[{"digest":"d\u003c","size":1e2,"x":null}],"annotations":{"a":"2","b":"1"},"aa":{},"zz":[true]}"#;
        assert_eq!(String::from_utf8(print(&root)).unwrap(), wanted);
        let again = json::parse(wanted.as_bytes(), &Limits::default()).root.unwrap();
        assert_eq!(print(&again), wanted.as_bytes());
    }
}
