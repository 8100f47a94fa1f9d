//! Reports: what was found out, as values that any format can be made of, and the formats.
//!
//! `wire` holds the values: owned, complete, the JSON schema's types. Every format is a function of them, one row in
//! [`FORMATS`]. Nothing here measures, judges or opens anything; writers write where they are told to.

mod attestation;
mod diff_format;
mod diff_text;
mod form;
mod format;
mod github;
pub mod html;
mod json;
mod junit;
mod listing;
mod markdown;
mod merge;
mod reference;
mod sarif;
#[cfg(test)]
mod schema;
mod sha256sum;
mod table;
mod text;
pub mod wire;
pub mod wire_diff;
pub mod wire_normalize;
mod words;

pub use diff_format::{DIFF_FORMATS, DiffFormat};
pub use form::{Form, Stream, Style};
pub use format::{FORMATS, Format, Output, Reports};
pub use listing::{ListFormat, Listing};
pub use merge::Merge;
pub use reference::reference;
pub use table::Table;
