//! What can be wrong with a JSON document: one row each.

use crate::grade::fault_kinds;

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

fault_kinds! {
    /// What can be wrong with a JSON document.
    FaultKind {
        TooLarge Error "json.too-large"
            "document too large"
            "readers cap the size of a document at 4 to 8 MiB; a larger one is refused by some and exhausts others"
        Bom Error "json.bom"
            "byte order mark"
            "Go refuses a document that starts with a byte order mark, other readers skip it (RFC 8259 section 8.1)"
        NotUtf8 Error "json.not-utf8"
            "not UTF-8"
            "Go replaces such bytes by U+FFFD without a word, other readers refuse the document"
        Syntax Error "json.syntax"
            "not JSON"
            "the document cannot be read"
        TrailingData Error "json.trailing-data"
            "data after the document"
            "readers that decode a stream stop at the first value and never see the rest, others refuse the document"
        Depth Error "json.depth"
            "nested too deep"
            "readers stop at different depths, or run out of stack"
        DuplicateKey Error "json.duplicate-key"
            "duplicate key"
            "some readers take the first value, some the last, some merge them: one digest, several images"
        CaseFoldKey Error "json.case-fold-key"
            "keys that differ only in case"
            "Go's encoding/json matches keys without regard to case, so the later one overwrites the earlier; other readers keep both"
        KeyCase Error "json.key-case"
            "key written in the wrong case"
            "Go reads the key as if it were spelt right; other readers do not see it"
        LoneSurrogate Error "json.lone-surrogate"
            "escape that is no character"
            "half a surrogate pair: Go reads U+FFFD, Python keeps it, other readers refuse the document"
    }
}
