//! Deflate (RFC 1951): the bits of a stream, its blocks and their codes, and what it inflates to.
//!
//! Knows one raw stream that lies in memory as a whole. Must not know gzip's framing, checksums or limits.
//!
//! Inflating is most of what verifying a layer costs, and what bounds its time; this decoder takes five sixths of
//! the time of the quickest library in Rust (docs/performance.md). It has no unsafe code, and tests and fuzzing hold it
//! to that library.

mod bits;
mod block;
mod code;
mod inflate;
mod output;
mod round;
#[cfg(test)]
mod tests;

pub(super) use bits::Bits;
pub(super) use block::{Codes, Header, Kind, Symbol};
pub(super) use inflate::Inflate;

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It stops before its last block ends.
    Truncated,
    /// It breaks the format; this is how.
    Corrupt(&'static str),
}
