//! Reports: what was found out, as values that any format can be made of, and the formats.
//!
//! `wire` holds the values: owned, complete, the JSON schema's types. Every format is a function of them, one row in
//! [`FORMATS`]. Nothing here measures, judges or opens anything; writers write where they are told to.

mod format;
mod diff_format;
mod diff_text;
mod json;
mod listing;
mod reference;
mod text;
pub mod wire;
pub mod wire_diff;

pub use diff_format::{DIFF_FORMATS, DiffFormat};
pub use format::{FORMATS, Format, Style};
pub use listing::{ListFormat, Listing};
pub use reference::reference;
