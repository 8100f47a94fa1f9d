//! Changes to single values of a raw document that leave every other byte as it is.

use std::ops::Range;

use super::{Node, Value};

/// Changes to one raw document, collected and then made at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    changes: Vec<(Range<usize>, Vec<u8>)>,
}

/// Changes that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Two changes to the same bytes.
    #[error("changes to bytes {first:?} and {second:?} overlap")]
    Overlap {
        /// The one that starts first.
        first: Range<usize>,
        /// The other.
        second: Range<usize>,
    },
    /// A change behind the document's end: the spans are those of another document.
    #[error("change to bytes {0:?} of a shorter document")]
    OutOfBounds(Range<usize>),
}

impl Edits {
    /// No changes.
    pub fn new() -> Edits {
        Edits::default()
    }

    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Puts `json` in place of a value.
    pub fn replace(&mut self, node: &Node, json: impl Into<Vec<u8>>) {
        self.changes.push((node.span.clone(), json.into()));
    }

    /// Puts a string in place of a value, written as [`quote`] does.
    pub fn replace_str(&mut self, node: &Node, text: &str) {
        self.replace(node, quote(text));
    }

    /// Removes every field of an object whose key `doomed` picks, with its comma and the white space between it and
    /// its neighbour. All that go from one object must go in one call; nothing happens to what is no object.
    pub fn remove_fields(&mut self, object: &Node, doomed: impl Fn(&str) -> bool) {
        if let Value::Object(fields) = &object.value {
            self.remove(object, fields.iter().map(|field| (field.span(), doomed(&field.key))));
        }
    }

    /// Removes every element of an array whose index `doomed` picks, as [`Edits::remove_fields`] does.
    pub fn remove_elements(&mut self, array: &Node, doomed: impl Fn(usize) -> bool) {
        if let Value::Array(elements) = &array.value {
            self.remove(array, elements.iter().enumerate().map(|(i, node)| (node.span.clone(), doomed(i))));
        }
    }

    /// A run of doomed items goes up to the item that follows, so that this one moves into its place; the last run
    /// goes back to the end of what stays, so that no comma is left over.
    fn remove(&mut self, container: &Node, items: impl Iterator<Item = (Range<usize>, bool)>) {
        let mut kept_end = None;
        let mut run: Option<Range<usize>> = None;
        for (span, doomed) in items {
            if doomed {
                let start = run.map_or(span.start, |run| run.start);
                run = Some(start..span.end);
            } else {
                if let Some(run) = run.take() {
                    self.cut(run.start..span.start);
                }
                kept_end = Some(span.end);
            }
        }
        match (run, kept_end) {
            (Some(run), Some(end)) => self.cut(end..run.end),
            // The brackets are one byte each.
            (Some(_), None) => {
                self.cut(container.span.start.saturating_add(1)..container.span.end.saturating_sub(1));
            }
            (None, _) => {}
        }
    }

    fn cut(&mut self, span: Range<usize>) {
        self.changes.push((span, Vec::new()));
    }

    /// The document with all changes made.
    pub fn apply(mut self, raw: &[u8]) -> Result<Vec<u8>, EditError> {
        self.changes.sort_by_key(|(span, _)| (span.start, span.end));
        let mut out = Vec::with_capacity(raw.len());
        let mut last = 0..0;
        for (span, json) in self.changes {
            if span.start < last.end {
                return Err(EditError::Overlap { first: last, second: span });
            }
            if span.end > raw.len() {
                return Err(EditError::OutOfBounds(span));
            }
            out.extend_from_slice(raw.get(last.end..span.start).unwrap_or_default());
            out.extend_from_slice(&json);
            last = span;
        }
        out.extend_from_slice(raw.get(last.end..).unwrap_or_default());
        Ok(out)
    }
}

/// `text` as a JSON string, written as Go's `encoding/json.Marshal` does, which wrote most documents of images: `<`,
/// `>`, `&`, U+2028 and U+2029 are escaped too.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;
    use crate::limits::Limits;

    fn read(raw: &str) -> Node {
        parse(raw.as_bytes(), &Limits::default()).root.unwrap()
    }

    fn applied(edits: Edits, raw: &str) -> String {
        String::from_utf8(edits.apply(raw.as_bytes()).unwrap()).unwrap()
    }

    fn without(raw: &str, doomed: &[&str]) -> String {
        let mut edits = Edits::new();
        edits.remove_fields(&read(raw), |key| doomed.contains(&key));
        applied(edits, raw)
    }

    const INDENTED: &str = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n";

    #[test]
    fn a_field_goes_with_its_comma() {
        assert_eq!(without(INDENTED, &["a"]), "{\n  \"b\": 2,\n  \"c\": 3\n}\n");
        assert_eq!(without(INDENTED, &["b"]), "{\n  \"a\": 1,\n  \"c\": 3\n}\n");
        assert_eq!(without(INDENTED, &["c"]), "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
        assert_eq!(without(INDENTED, &["b", "c"]), "{\n  \"a\": 1\n}\n");
        assert_eq!(without(INDENTED, &["a", "c"]), "{\n  \"b\": 2\n}\n");
        assert_eq!(without(INDENTED, &["a", "b", "c"]), "{}\n");
        assert_eq!(without(INDENTED, &[]), INDENTED);
        assert_eq!(without(r#"{"a":1,"b":2,"a":3}"#, &["a"]), r#"{"b":2}"#);
    }

    #[test]
    fn changes_to_the_same_bytes_are_refused() {
        let raw = r#"{"a":[1,2]}"#;
        let root = read(raw);
        let mut edits = Edits::new();
        edits.replace(root.pointer("/a/0").unwrap(), "7");
        edits.replace_str(root.pointer("/a/1").unwrap(), "x");
        assert_eq!(applied(edits.clone(), raw), r#"{"a":[7,"x"]}"#);
        edits.replace(root.pointer("/a").unwrap(), "[]");
        assert_eq!(edits.apply(raw.as_bytes()), Err(EditError::Overlap { first: 5..10, second: 6..7 }));
        let mut edits = Edits::new();
        edits.replace(&root, "1");
        assert_eq!(edits.apply(b"{}"), Err(EditError::OutOfBounds(0..11)));
    }

    /// What `json.Marshal` prints, from the documentation of Go's encoding/json and of `HTMLEscape`.
    #[test]
    fn quotes_as_go_does() {
        assert_eq!(
            quote("<a href=\"x\">&\u{2028}\u{2029}\\/\n\r\t\u{8}\u{c}\u{1}\u{7f}é"),
            "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\u2028\\u2029\\\\/\\n\\r\\t\\b\\f\\u0001\u{7f}é\""
        );
    }
}
