//! The reader: raw bytes to nodes with spans, and what is wrong with them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::{Fault, FaultKind, Field, Node, Value, fold};
use crate::escape::escape;
use crate::limits::Limits;

/// Deepest nesting whatever the limit says: values are read, compared and dropped by recursion.
const DEEPEST: usize = 1000;

/// Bytes of [`Limits::max_json`] for each value a document may have: a value takes some hundred bytes of memory, so a
/// document of the largest size made of nothing but `[[1],[1],…` would ask for a gigabyte. Real ones have 30 and more.
const BYTES_PER_VALUE: u64 = 16;

/// Values any document may have, however low the limit.
const FEWEST_VALUES: u64 = 1024;

/// Faults listed of those a document can have any number of.
const MOST_LISTED: usize = 100;

/// Fields whose value is a map to Go, not a struct. Keys of a map are matched exactly, so labels `a` and `A` are two.
const MAPS: &[&str] = &["annotations", "Labels", "ExposedPorts", "Volumes", "LayerSources"];

/// What a document was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The value; there whenever Go's encoding/json would come to its end, faults or not.
    pub root: Option<Node>,
    /// What is wrong, in the order of the document: of repeated keys and broken escapes the first hundred.
    pub faults: Vec<Fault>,
    /// How many more repeated keys and broken escapes there are.
    pub unlisted: usize,
}

/// Reads a whole document.
///
/// Takes what RFC 8259 and Go's encoding/json take, within `limits.max_json`, `limits.max_json_depth` and one value for
/// every 16 bytes of `limits.max_json`; whatever readers part on is a fault. Time is linear in the size.
pub fn parse(raw: &[u8], limits: &Limits) -> Parsed {
    let limit = limits.max_json_depth.min(DEEPEST);
    let max_values = (limits.max_json / BYTES_PER_VALUE).max(FEWEST_VALUES);
    let mut reader =
        Reader { raw, at: 0, depth: 0, limit, values: 0, max_values, faults: Vec::new(), unlisted: 0 };
    let mut root = reader.document(limits.max_json).ok();
    let Reader { mut faults, unlisted, .. } = reader;
    faults.sort_by_key(|fault| fault.offset);
    if let Some(root) = &mut root {
        for fault in &mut faults {
            fault.pointer = root.pointer_at(usize::try_from(fault.offset).unwrap_or(usize::MAX));
        }
    }
    Parsed { root, faults, unlisted }
}

/// The document cannot be read on; a fault says why.
struct Stop;

struct Reader<'a> {
    raw: &'a [u8],
    at: usize,
    depth: usize,
    limit: usize,
    values: u64,
    max_values: u64,
    faults: Vec<Fault>,
    unlisted: usize,
}

impl Reader<'_> {
    fn document(&mut self, max: u64) -> Result<Node, Stop> {
        let size = u64::try_from(self.raw.len()).unwrap_or(u64::MAX);
        if size > max {
            return Err(self.stop(FaultKind::TooLarge, format!("{size} bytes, the limit is {max}")));
        }
        if self.raw.starts_with(b"\xef\xbb\xbf") {
            return Err(self.stop(FaultKind::Bom, "starts with the bytes ef bb bf".to_owned()));
        }
        if let Err(error) = std::str::from_utf8(self.raw) {
            let offset = error.valid_up_to();
            let byte = self.raw.get(offset).copied().unwrap_or_default();
            self.push(FaultKind::NotUtf8, offset, format!("byte {byte:02x}"));
        }
        self.white_space();
        let root = self.value("")?;
        self.white_space();
        if self.at < self.raw.len() {
            let left = self.raw.len().saturating_sub(self.at);
            self.push(FaultKind::TrailingData, self.at, format!("{left} bytes"));
        }
        Ok(root)
    }

    /// A value; `name` is the key that holds it, if one does.
    fn value(&mut self, name: &str) -> Result<Node, Stop> {
        if self.values >= self.max_values {
            return Err(self.stop(FaultKind::TooLarge, format!("more than {} values", self.max_values)));
        }
        self.values = self.values.saturating_add(1);
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => Value::Object(self.nested(|reader| reader.object(name))?),
            Some(b'[') => Value::Array(self.nested(Self::array)?),
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.literal("true", Value::Bool(true))?,
            Some(b'f') => self.literal("false", Value::Bool(false))?,
            Some(b'n') => self.literal("null", Value::Null)?,
            _ => return Err(self.syntax("a value")),
        };
        Ok(Node { span: start..self.at, value })
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        if self.depth >= self.limit {
            return Err(self.stop(FaultKind::Depth, format!("the limit is {} levels", self.limit)));
        }
        self.depth = self.depth.saturating_add(1);
        self.skip(1);
        let inside = read(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(inside)
    }

    fn array(&mut self) -> Result<Vec<Node>, Stop> {
        let mut elements = Vec::new();
        self.white_space();
        if self.take(b']') {
            return Ok(elements);
        }
        loop {
            self.white_space();
            elements.push(self.value("")?);
            self.white_space();
            if self.take(b']') {
                return Ok(elements);
            }
            if !self.take(b',') {
                return Err(self.syntax("`,` or `]`"));
            }
        }
    }

    fn object(&mut self, name: &str) -> Result<Vec<Field>, Stop> {
        let mut fields = Vec::new();
        self.white_space();
        if self.take(b'}') {
            return Ok(fields);
        }
        loop {
            self.white_space();
            fields.push(self.field()?);
            self.white_space();
            if self.take(b'}') {
                self.compare_keys(&fields, MAPS.contains(&name));
                return Ok(fields);
            }
            if !self.take(b',') {
                return Err(self.syntax("`,` or `}`"));
            }
        }
    }

    fn field(&mut self) -> Result<Field, Stop> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.syntax("a key"));
        }
        let key = self.string()?;
        let key_span = start..self.at;
        self.white_space();
        if !self.take(b':') {
            return Err(self.syntax("`:`"));
        }
        self.white_space();
        let node = self.value(&key)?;
        Ok(Field { key, key_span, node })
    }

    fn compare_keys(&mut self, fields: &[Field], is_map: bool) {
        let mut exact = HashSet::new();
        let mut folded = HashMap::new();
        for field in fields {
            let twin = if exact.insert(field.key.as_str()) {
                folded.insert(fold(&field.key), field.key.as_str()).filter(|_| !is_map)
            } else {
                Some(field.key.as_str())
            };
            match twin {
                Some(twin) if twin == field.key => {
                    self.list(FaultKind::DuplicateKey, field.key_span.start, || shown(&field.key));
                }
                Some(twin) => self.list(FaultKind::CaseFoldKey, field.key_span.start, || {
                    format!("{} and {}", shown(twin), shown(&field.key))
                }),
                None => {}
            }
        }
    }

    fn string(&mut self) -> Result<String, Stop> {
        self.skip(1);
        let mut text = Vec::new();
        loop {
            let rest = self.raw.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let plain = rest.get(..plain.unwrap_or(rest.len())).unwrap_or_default();
            text.extend_from_slice(plain);
            self.skip(plain.len());
            match self.peek() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(String::from_utf8(text).unwrap_or_else(|error| replaced(error.as_bytes())));
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err(self.syntax("a character of a string or `\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let start = self.at;
        self.skip(1);
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.skip(1);
                return self.utf16(start);
            }
            _ => return Err(self.syntax("an escape")),
        };
        self.skip(1);
        Ok(c)
    }

    /// The character of the `\u` escape that starts at `start`, and of its other half.
    fn utf16(&mut self, start: usize) -> Result<char, Stop> {
        let first = self.hex()?;
        let after = self.at;
        if matches!(first, 0xd800..=0xdbff) && self.take(b'\\') && self.take(b'u') {
            let pair = [first, self.hex()?];
            if let Some(Ok(c)) = char::decode_utf16(pair).next() {
                return Ok(c);
            }
        }
        // What follows is no other half: it stands for itself.
        self.at = after;
        match char::decode_utf16([first]).next() {
            Some(Ok(c)) => Ok(c),
            _ => {
                self.list(FaultKind::LoneSurrogate, start, || format!("\\\\u{first:04x}"));
                Ok(char::REPLACEMENT_CHARACTER)
            }
        }
    }

    fn hex(&mut self) -> Result<u16, Stop> {
        let mut unit: u16 = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit.and_then(|digit| u16::try_from(digit).ok()) else {
                return Err(self.syntax("a hexadecimal digit"));
            };
            unit = (unit << 4) | digit;
            self.skip(1);
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<String, Stop> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(self.text(start..self.at))
    }

    fn digits(&mut self) -> Result<(), Stop> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.syntax("a digit"));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip(1);
        }
        Ok(())
    }

    fn literal(&mut self, word: &'static str, value: Value) -> Result<Value, Stop> {
        for byte in word.bytes() {
            if !self.take(byte) {
                return Err(self.syntax(word));
            }
        }
        Ok(value)
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.skip(1);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.raw.get(self.at).copied()
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.skip(1);
        }
        there
    }

    fn text(&self, span: Range<usize>) -> String {
        String::from_utf8_lossy(self.raw.get(span).unwrap_or_default()).into_owned()
    }

    fn syntax(&mut self, expected: &str) -> Stop {
        let found = match self.peek() {
            Some(byte @ 0x20..=0x7e) => format!("`{}`", escape(&[byte])),
            Some(byte) => format!("byte {byte:02x}"),
            None => "the end".to_owned(),
        };
        self.stop(FaultKind::Syntax, format!("expected {expected}, found {found}"))
    }

    fn stop(&mut self, kind: FaultKind, detail: String) -> Stop {
        self.push(kind, self.at, detail);
        Stop
    }

    /// Notes a fault of a kind that can stand any number of times.
    fn list(&mut self, kind: FaultKind, offset: usize, detail: impl FnOnce() -> String) {
        if self.faults.len() < MOST_LISTED {
            self.push(kind, offset, detail());
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    fn push(&mut self, kind: FaultKind, offset: usize, detail: String) {
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        self.faults.push(Fault { kind, offset, pointer: String::new(), detail });
    }
}

/// `bytes` with U+FFFD for every byte that is no part of a character, as Go has it.
fn replaced(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// A key in quotes, cut where it is long.
fn shown(key: &str) -> String {
    const MOST: usize = 60;
    let cut = key.char_indices().nth(MOST).and_then(|(end, _)| key.get(..end));
    match cut {
        Some(start) => format!("\"{}…\"", escape(start.as_bytes())),
        None => format!("\"{}\"", escape(key.as_bytes())),
    }
}
