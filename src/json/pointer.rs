//! JSON pointers (RFC 6901): writing them, following them, and finding the one of a byte offset.

use super::{Field, Node, Value};

/// Longest pointer that is written for a fault or a difference, in bytes: a document of 8 MiB could else ask for
/// gigabytes of them.
pub(super) const LONGEST: usize = 4096;

/// The pointer of what `token` (a key or an index) names inside the value at `parent`.
pub fn child(parent: &str, token: &str) -> String {
    format!("{parent}/{}", token.replace('~', "~0").replace('/', "~1"))
}

impl Node {
    /// The value that `pointer` names, or `None`. Of duplicate keys the last counts.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut node = self;
        for token in pointer.strip_prefix('/')?.split('/') {
            let token = token.replace("~1", "/").replace("~0", "~");
            node = match &node.value {
                Value::Object(_) => node.get(&token)?,
                Value::Array(elements) => elements.get(index(&token)?)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// The pointer of the innermost value or field that holds the byte at `offset`.
    pub fn pointer_at(&self, offset: usize) -> String {
        let mut pointer = String::new();
        let mut node = self;
        loop {
            let (next, token) = match &node.value {
                Value::Object(fields) => {
                    let after = fields.partition_point(|field| field.key_span.start <= offset);
                    match before(fields, after) {
                        Some(Field { key, node, .. }) if offset < node.span.end => (node, key.clone()),
                        _ => return pointer,
                    }
                }
                Value::Array(elements) => {
                    let after = elements.partition_point(|element| element.span.start <= offset);
                    match before(elements, after) {
                        Some(element) if offset < element.span.end => {
                            (element, after.saturating_sub(1).to_string())
                        }
                        _ => return pointer,
                    }
                }
                _ => return pointer,
            };
            let deeper = child(&pointer, &token);
            if deeper.len() > LONGEST {
                return pointer;
            }
            pointer = deeper;
            node = next;
        }
    }
}

fn before<T>(items: &[T], after: usize) -> Option<&T> {
    items.get(after.checked_sub(1)?)
}

fn index(token: &str) -> Option<usize> {
    let canonical =
        token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    canonical.then(|| token.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;
    use crate::limits::Limits;

    /// The document and the pointers of RFC 6901 section 5.
    const EXAMPLE: &str =
        r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;

    #[test]
    fn rfc_6901_examples() {
        let root = parse(EXAMPLE.as_bytes(), &Limits::default()).root.unwrap();
        let text = |pointer| root.pointer(pointer).map(|node| &EXAMPLE[node.span.clone()]);
        assert_eq!(text(""), Some(EXAMPLE));
        assert_eq!(text("/foo"), Some(r#"["bar","baz"]"#));
        assert_eq!(text("/foo/0"), Some(r#""bar""#));
        let tokens = ["/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"];
        for (i, pointer) in tokens.into_iter().enumerate() {
            assert_eq!(text(pointer), Some(i.to_string().as_str()), "{pointer}");
        }
        for nowhere in ["foo", "/foo/2", "/foo/00", "/foo/-", "/foo/+1", "/foo/", "/foo/0/x"] {
            assert_eq!(text(nowhere), None, "{nowhere}");
        }
        assert_eq!(child(&child("", "a/b"), "m~n"), "/a~1b/m~0n");
    }

    #[test]
    fn an_offset_has_a_pointer() {
        let root = parse(EXAMPLE.as_bytes(), &Limits::default()).root.unwrap();
        let of = |text: &str| root.pointer_at(EXAMPLE.find(text).unwrap());
        assert_eq!(of("\"baz"), "/foo/1");
        assert_eq!(of("\"a/b"), "/a~1b");
        assert_eq!(of("8}"), "/m~0n");
        assert_eq!(of("{"), "");
        assert_eq!(of("}"), "");
        assert_eq!(of(",\"baz"), "/foo");
    }
}
