//! Strict reading of the JSON documents of an image, with the place of every value in the raw bytes.
//!
//! Knows JSON (RFC 8259, RFC 6901), how Go's encoding/json reads it, and where other readers part from that. Raw bytes
//! stay the truth: they are hashed as they are, edited in place ([`Edits`]) and never written anew. Must not know what
//! the documents mean.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]

mod access;
mod differences;
mod edit;
mod fault;
mod fold;
mod parse;
mod pointer;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use access::WrongType;
pub use differences::{Difference, Differences, differences};
pub use edit::{EditError, Edits, quote};
pub use fault::{Fault, FaultKind};
pub use fold::fold;
pub use parse::{Parsed, parse};
pub use pointer::child;

/// One value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Bytes of the value in the raw document, quotes and brackets included.
    pub span: Range<usize>,
    /// What it is.
    pub value: Value,
}

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written, so that nothing is rounded.
    Number(String),
    /// A string, decoded. What is no Unicode is U+FFFD, as Go has it, and a fault says so.
    String(String),
    /// An array.
    Array(Vec<Node>),
    /// An object: every field in the order of the document, duplicates too.
    Object(Vec<Field>),
}

/// One field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The key, decoded.
    pub key: String,
    /// Bytes of the key in the raw document, quotes included.
    pub key_span: Range<usize>,
    /// The value.
    pub node: Node,
}

impl Field {
    /// Bytes from the key's opening quote to the value's end.
    pub fn span(&self) -> Range<usize> {
        self.key_span.start..self.node.span.end
    }
}
