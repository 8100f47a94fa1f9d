//! Where in an input something is: one format for errors, findings and reports.
//!
//! Knows how a place is written. Must not know what is wrong there.

use std::fmt;

use crate::escape::escape;

/// A place: containers from the outside in, then an offset or a JSON pointer inside the innermost one.
/// Written `app.tar › blobs/sha256/ab12… › etc/passwd @ 0x200`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// Names from the outermost container inwards, as raw bytes.
    pub parts: Vec<Vec<u8>>,
    /// JSON pointer (RFC 6901) inside the innermost part.
    pub pointer: Option<String>,
    /// Byte offset inside the innermost part.
    pub offset: Option<u64>,
}

impl Location {
    /// A place named by its outermost container.
    pub fn new(part: impl Into<Vec<u8>>) -> Location {
        Location { parts: vec![part.into()], ..Location::default() }
    }

    /// One container further in.
    pub fn then(&self, part: impl Into<Vec<u8>>) -> Location {
        let mut parts = self.parts.clone();
        parts.push(part.into());
        Location { parts, pointer: None, offset: None }
    }

    /// The same place, at a byte offset.
    pub fn at(mut self, offset: u64) -> Location {
        self.offset = Some(offset);
        self
    }

    /// The same place, at a JSON pointer.
    pub fn pointer(mut self, pointer: impl Into<String>) -> Location {
        self.pointer = Some(pointer.into());
        self
    }

    /// Whether no place is known.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.pointer.is_none() && self.offset.is_none()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.parts.iter().enumerate() {
            let separator = if i == 0 { "" } else { " › " };
            write!(f, "{separator}{}", escape(part))?;
        }
        if let Some(pointer) = &self.pointer {
            write!(f, " {}", escape(pointer.as_bytes()))?;
        }
        if let Some(offset) = self.offset {
            write!(f, " @ {offset:#x}")?;
        }
        Ok(())
    }
}

impl serde::Serialize for Location {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
