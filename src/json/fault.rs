//! What can be wrong with a JSON document: one row each.

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Worth knowing; no reader is misled.
    Note,
    /// Some readers may see something else; the readers of container images agree.
    Warning,
    /// Readers disagree, or some of them refuse: the document must not be trusted.
    Error,
}

/// What is to be said about a kind of fault, whatever the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Stable name, kebab-case; never renamed or reused.
    pub id: &'static str,
    /// How bad it is.
    pub grade: Grade,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
}

/// Something wrong at one place of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which rule is broken.
    pub kind: FaultKind,
    /// Byte offset in the raw document.
    pub offset: u64,
    /// JSON pointer (RFC 6901) of the value at `offset`; empty where the document could not be read, and cut to the
    /// containers that fit where it would be longer than 4 KiB.
    pub pointer: String,
    /// What stands there. Escaped: fit to be shown.
    pub detail: String,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $kind:ident, $id:literal, $grade:ident, $title:literal, $why:literal;)*) => {
        /// The kinds of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind {
            $($(#[$doc])* $kind,)*
        }

        impl FaultKind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [FaultKind] = &[$(FaultKind::$kind,)*];

            /// The row of this kind.
            pub fn about(self) -> About {
                match self {
                    $(FaultKind::$kind => About { id: $id, grade: Grade::$grade, title: $title, why: $why },)*
                }
            }
        }
    };
}

faults! {
    /// Over the limit on a document's size, or on the number of its values.
    TooLarge, "too-large", Error, "document too large",
        "Readers cap the size of a document at 4 to 8 MiB; a larger one is refused by some and exhausts others.";
    /// Starts with a byte order mark.
    Bom, "bom", Error, "byte order mark",
        "Go refuses a document that starts with a byte order mark, other readers skip it (RFC 8259 section 8.1).";
    /// Bytes that are not UTF-8.
    NotUtf8, "not-utf8", Error, "not UTF-8",
        "Go replaces such bytes by U+FFFD without a word, other readers refuse the document.";
    /// Not JSON.
    Syntax, "syntax", Error, "not JSON", "The document cannot be read.";
    /// Something stands behind the document's value.
    TrailingData, "trailing-data", Error, "data after the document",
        "Readers that decode a stream stop at the first value and never see the rest, others refuse the document.";
    /// Nested too deep.
    Depth, "depth", Error, "nested too deep",
        "Readers stop at different depths, or run out of stack.";
    /// One key twice in one object.
    DuplicateKey, "duplicate-key", Error, "duplicate key",
        "Some readers take the first value, some the last, some merge them: one digest, several images.";
    /// Two keys that are one key to Go.
    CaseFoldKey, "case-fold-key", Error, "keys that differ only in case",
        "Go's encoding/json matches keys without regard to case, so the later one overwrites the earlier; other readers keep both.";
    /// A key that only Go takes for the one that was meant.
    KeyCase, "key-case", Error, "key written in the wrong case",
        "Go reads the key as if it were spelt right; other readers do not see it.";
    /// Half of a UTF-16 pair in an escape.
    LoneSurrogate, "lone-surrogate", Error, "escape that is no character",
        "Half a surrogate pair: Go reads U+FFFD, Python keeps it, other readers refuse the document.";
    /// A value of another type than belongs there.
    WrongType, "wrong-type", Error, "value of the wrong type",
        "Typed readers refuse the document, untyped ones convert the value or pass it over.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_kebab_and_stand_once() {
        let ids: BTreeSet<_> = FaultKind::ALL.iter().map(|kind| kind.about().id).collect();
        assert_eq!(ids.len(), FaultKind::ALL.len());
        assert!(
            ids.iter().all(|id| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        );
    }
}
