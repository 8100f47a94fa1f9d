//! Archives as a whole: getting their bytes, and the index of what stands in them.
//!
//! Knows files, mappings, outer compression and member names. Must not know what an image is: no JSON, no digests.

mod audit;
mod destination;
mod fault;
mod index;
mod links;
mod map;
mod outer;
mod path;
mod source;
mod write;

pub use destination::Destination;
pub use fault::{Fault, FaultKind};
pub use index::{Entry, EntryId, EntryIndex, EntryKind, Found};
pub use map::report_truncated_mappings;
pub use source::{OpenOptions, Source, is_layout};
pub use write::{ArchiveWriter, is_canonical};

pub(crate) use outer::{Decoded as Spooled, Spool};
pub(crate) use path::clean_path;
