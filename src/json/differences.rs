//! What differs between two documents, value by value.

use std::collections::BTreeMap;

use super::pointer::{LONGEST, child};
use super::{Node, Value};

/// Most differences that are listed.
const MOST_LISTED: usize = 10_000;

/// What differs between two documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Differing values: keys of an object in sorted order, elements of an array by index. At most 10,000.
    pub listed: Vec<Difference>,
    /// How many more values differ.
    pub unlisted: usize,
    /// The values are the same, but the bytes are not: white space, the order of keys, the way a string is escaped,
    /// or what a later duplicate key hides.
    pub formatting_only: bool,
}

impl Differences {
    /// Whether the bytes of both are the same.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && !self.formatting_only
    }
}

/// One differing value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// JSON pointer. An element removed from an array has its index on the left, an added one its index on the right.
    pub pointer: String,
    /// The left value as it is written, less white space; `None` where only the right has it. Not escaped.
    pub left: Option<String>,
    /// The right value, likewise.
    pub right: Option<String>,
}

/// What differs between two documents: their roots and their raw bytes.
///
/// Objects are compared by key (of duplicates the last), arrays of one length element by element. Of arrays of
/// different length, what their equal beginnings and ends leave over is removed and added. Numbers are equal when they
/// are written the same. A value whose pointer would be longer than 4 KiB is not looked into: its container differs.
pub fn differences(a: &Node, raw_a: &[u8], b: &Node, raw_b: &[u8]) -> Differences {
    let mut search = Search { raw_a, raw_b, found: Differences::default() };
    search.compare("", a, b);
    let mut found = search.found;
    found.formatting_only = found.listed.is_empty() && raw_a != raw_b;
    found
}

struct Search<'a> {
    raw_a: &'a [u8],
    raw_b: &'a [u8],
    found: Differences,
}

impl Search<'_> {
    fn compare(&mut self, pointer: &str, a: &Node, b: &Node) {
        match (&a.value, &b.value) {
            (Value::Object(_), Value::Object(_)) => {
                let pairs = pairs(a, b);
                if pairs.keys().any(|key| too_long(pointer, key)) {
                    return self.compare_whole(pointer, a, b);
                }
                for (key, pair) in pairs {
                    let pointer = child(pointer, key);
                    match pair {
                        (Some(a), Some(b)) => self.compare(&pointer, a, b),
                        (a, b) => self.list(pointer, a, b),
                    }
                }
            }
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                if too_long(pointer, INDEX_ROOM) {
                    return self.compare_whole(pointer, a, b);
                }
                for (i, (a, b)) in left.iter().zip(right).enumerate() {
                    self.compare(&child(pointer, &i.to_string()), a, b);
                }
            }
            (Value::Array(left), Value::Array(right)) => {
                if too_long(pointer, INDEX_ROOM) {
                    return self.list(pointer.to_owned(), Some(a), Some(b));
                }
                let prefix = left.iter().zip(right).take_while(|(a, b)| same(a, b)).count();
                let (left, right) =
                    (left.get(prefix..).unwrap_or_default(), right.get(prefix..).unwrap_or_default());
                let suffix =
                    left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| same(a, b)).count();
                for (i, a) in left.iter().enumerate().take(left.len().saturating_sub(suffix)) {
                    self.list(child(pointer, &prefix.saturating_add(i).to_string()), Some(a), None);
                }
                for (i, b) in right.iter().enumerate().take(right.len().saturating_sub(suffix)) {
                    self.list(child(pointer, &prefix.saturating_add(i).to_string()), None, Some(b));
                }
            }
            _ => self.compare_whole(pointer, a, b),
        }
    }

    fn compare_whole(&mut self, pointer: &str, a: &Node, b: &Node) {
        if !same(a, b) {
            self.list(pointer.to_owned(), Some(a), Some(b));
        }
    }

    fn list(&mut self, pointer: String, a: Option<&Node>, b: Option<&Node>) {
        if self.found.listed.len() < MOST_LISTED {
            let left = a.map(|node| compact(node, self.raw_a));
            let right = b.map(|node| compact(node, self.raw_b));
            self.found.listed.push(Difference { pointer, left, right });
        } else {
            self.found.unlisted = self.found.unlisted.saturating_add(1);
        }
    }
}

/// As long as any index of an array.
const INDEX_ROOM: &str = "18446744073709551615";

/// Whether the pointer of `token` inside `pointer` could be over the limit, every character of it escaped.
fn too_long(pointer: &str, token: &str) -> bool {
    pointer.len().saturating_add(token.len().saturating_mul(2)) >= LONGEST
}

/// The values of both objects by key.
fn pairs<'a>(a: &'a Node, b: &'a Node) -> BTreeMap<&'a str, (Option<&'a Node>, Option<&'a Node>)> {
    let mut pairs: BTreeMap<&str, (Option<&Node>, Option<&Node>)> = BTreeMap::new();
    for field in a.object().unwrap_or_default() {
        pairs.entry(&field.key).or_default().0 = Some(&field.node);
    }
    for field in b.object().unwrap_or_default() {
        pairs.entry(&field.key).or_default().1 = Some(&field.node);
    }
    pairs
}

/// Whether two values are the same, wherever they stand.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Object(_), Value::Object(_)) => {
            pairs(a, b).into_values().all(|pair| matches!(pair, (Some(a), Some(b)) if same(a, b)))
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(a, b)| same(a, b))
        }
        (left, right) => left == right,
    }
}

/// The text of a value without the white space between its parts.
fn compact(node: &Node, raw: &[u8]) -> String {
    let mut text = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    for &byte in raw.get(node.span.clone()).unwrap_or_default() {
        if in_string || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            text.push(byte);
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;
    use crate::limits::Limits;

    fn found(a: &str, b: &str) -> Differences {
        let read = |raw: &str| parse(raw.as_bytes(), &Limits::default()).root.unwrap();
        differences(&read(a), a.as_bytes(), &read(b), b.as_bytes())
    }

    /// `pointer left right`, one each, `-` for what is not there.
    fn lines(a: &str, b: &str) -> Vec<String> {
        let found = found(a, b);
        assert!(!found.formatting_only);
        let text = |side: Option<String>| side.unwrap_or("-".to_owned());
        found
            .listed
            .into_iter()
            .map(|d| format!("{} {} {}", d.pointer, text(d.left), text(d.right)))
            .collect()
    }

    #[test]
    fn objects_differ_by_key() {
        assert_eq!(
            lines(r#"{"b":1,"a":{"x":[ 1, "a b" ]},"c/d":0}"#, r#"{"a":{"x":"\u0041"},"c/d":1,"n":null}"#),
            [r#"/a/x [1,"a b"] "\u0041""#, "/b 1 -", "/c~1d 0 1", "/n - null"]
        );
    }

    #[test]
    fn arrays_of_one_length_differ_by_element() {
        assert_eq!(lines("[1,2,[3]]", "[1,0,[4]]"), ["/1 2 0", "/2/0 3 4"]);
    }

    #[test]
    fn an_element_put_in_is_all_that_differs() {
        assert_eq!(lines("[1,2,3]", "[1,9,8,2,3]"), ["/1 - 9", "/2 - 8"]);
        assert_eq!(lines("[1,1,1]", "[1,1]"), ["/2 1 -"]);
        assert_eq!(lines("[]", "[{}]"), ["/0 - {}"]);
        assert_eq!(lines("[1,2,3]", "[1,4,5,3]"), ["/1 2 -", "/1 - 4", "/2 - 5"]);
    }

    #[test]
    fn formatting_is_no_difference_but_is_told() {
        for (a, b) in [
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
            ("[1]", "[ 1 ]"),
            (
                "[1]", "[1]
",
            ),
            (r#""A""#, r#""\u0041""#),
            (r#"{"a":1,"a":2}"#, r#"{"a":3,"a":2}"#),
        ] {
            let found = found(a, b);
            assert!(found.listed.is_empty() && found.formatting_only && !found.is_empty(), "{a} {b}");
        }
        assert!(found("[1]", "[1]").is_empty());
        assert_eq!(lines("1", "1.0"), [" 1 1.0"]);
    }

    #[test]
    fn a_hostile_pair_is_bounded() {
        let key = "k".repeat(LONGEST);
        let many = |element: &str| vec![element; 20_000].join(",");
        let of = |element: &str| format!("{{\"{key}\":[{}]}}", many(element));
        let long = found(&of("1"), &of("2"));
        assert_eq!((long.listed.len(), long.unlisted), (1, 0));
        let wide = found(&format!("[{}]", many("1")), &format!("[{}]", many("2")));
        assert_eq!((wide.listed.len(), wide.unlisted), (MOST_LISTED, 10_000));
    }
}
