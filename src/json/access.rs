//! Typed access that says what it found instead of what was asked for.

use std::collections::{BTreeMap, HashSet};

use super::{Field, Node, Value, fold};

/// A value of another type than was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct WrongType {
    /// What was asked for, with its article.
    pub expected: &'static str,
    /// What stands there.
    pub found: String,
    /// Byte offset of the value.
    pub offset: u64,
}

impl Node {
    /// The value of `key` where this is an object that has it. Exact, and of duplicates the last, as Go has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.field(key).map(|field| &field.node)
    }

    /// The field of `key`, as [`Node::get`] finds it.
    pub fn field(&self, key: &str) -> Option<&Field> {
        match &self.value {
            Value::Object(fields) => fields.iter().rev().find(|field| field.key == key),
            _ => None,
        }
    }

    /// Whether this is `null`, which Go reads as if the key were not there.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The string this is.
    pub fn str(&self) -> Result<&str, WrongType> {
        match &self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong("a string")),
        }
    }

    /// The boolean this is.
    pub fn bool(&self) -> Result<bool, WrongType> {
        match self.value {
            Value::Bool(value) => Ok(value),
            _ => Err(self.wrong("true or false")),
        }
    }

    /// The whole number this is: digits only (no sign, fraction or exponent), at most `u64::MAX`.
    pub fn u64(&self) -> Result<u64, WrongType> {
        match &self.value {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| self.wrong("a whole number of at most 64 bits"))
    }

    /// The whole number this is, which may be negative.
    pub fn i64(&self) -> Result<i64, WrongType> {
        match &self.value {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| self.wrong("a whole number of at most 64 bits"))
    }

    /// The elements of the array this is.
    pub fn array(&self) -> Result<&[Node], WrongType> {
        match &self.value {
            Value::Array(elements) => Ok(elements),
            _ => Err(self.wrong("an array")),
        }
    }

    /// The elements of the array this is; none for `null`.
    pub fn array_or_null(&self) -> Result<&[Node], WrongType> {
        if self.is_null() { Ok(&[]) } else { self.array() }
    }

    /// The fields of the object this is, in the order of the document.
    pub fn object(&self) -> Result<&[Field], WrongType> {
        match &self.value {
            Value::Object(fields) => Ok(fields),
            _ => Err(self.wrong("an object")),
        }
    }

    /// The object of strings this is (annotations, labels); empty for `null`. Of duplicate keys the last counts. The
    /// error is of the first value that is no string.
    pub fn string_map(&self) -> Result<BTreeMap<&str, &str>, WrongType> {
        if self.is_null() {
            return Ok(BTreeMap::new());
        }
        self.object()?.iter().map(|field| Ok((field.key.as_str(), field.node.str()?))).collect()
    }

    /// Fields whose key is none of `known` but is one of them to Go, which matches without regard to case: other
    /// readers pass them over ([`FaultKind::KeyCase`](super::FaultKind::KeyCase)).
    pub fn misspelt<'a>(&'a self, known: &[&str]) -> Vec<&'a Field> {
        let Value::Object(fields) = &self.value else { return Vec::new() };
        let folded: HashSet<String> = known.iter().map(|key| fold(key)).collect();
        fields
            .iter()
            .filter(|field| !known.contains(&field.key.as_str()) && folded.contains(&fold(&field.key)))
            .collect()
    }

    fn wrong(&self, expected: &'static str) -> WrongType {
        let found = match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) if text.len() <= 40 => format!("the number {text}"),
            Value::Number(text) => format!("a number of {} characters", text.len()),
            Value::String(_) => "a string".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        WrongType { expected, found, offset: u64::try_from(self.span.start).unwrap_or(u64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;
    use crate::limits::Limits;

    fn read(raw: &str) -> Node {
        parse(raw.as_bytes(), &Limits::default()).root.unwrap()
    }

    #[test]
    fn whole_numbers_only() {
        assert_eq!(read("0").u64(), Ok(0));
        assert_eq!(read("18446744073709551615").u64(), Ok(u64::MAX));
        for raw in ["18446744073709551616", "-1", "-0", "1.0", "1e3", "\"1\"", "null", "true"] {
            let error = read(&format!(" {raw}")).u64().unwrap_err();
            assert_eq!(error.offset, 1, "{raw}");
        }
        assert_eq!(
            read("1.5").u64().unwrap_err().to_string(),
            "expected a whole number of at most 64 bits, found the number 1.5"
        );
    }

    #[test]
    fn null_is_empty_only_where_asked() {
        assert_eq!(read("null").array_or_null(), Ok(&[][..]));
        assert!(read("null").array().is_err());
        assert!(read("{}").array_or_null().is_err());
        assert_eq!(read("null").string_map(), Ok(BTreeMap::new()));
    }

    #[test]
    fn the_last_of_duplicates_counts() {
        let node = read(r#"{"a":"x","a":"y","A":"z"}"#);
        assert_eq!(node.get("a").unwrap().str(), Ok("y"));
        assert_eq!(node.string_map().unwrap(), BTreeMap::from([("a", "y"), ("A", "z")]));
        assert_eq!(read(r#"{"a":"x","b":1}"#).string_map().unwrap_err().offset, 13);
    }

    #[test]
    fn misspelt_keys_are_found() {
        let node = read(r#"{"Config":1,"layers":2,"LAYER\u017f":3,"other":4}"#);
        let keys: Vec<_> =
            node.misspelt(&["config", "layers"]).iter().map(|field| field.key.as_str()).collect();
        assert_eq!(keys, ["Config", "LAYERſ"]);
    }
}
