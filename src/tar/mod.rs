//! Tar archives: one sans-I/O parser that accepts what Go's archive/tar accepts, and a writer that makes Go's choices.
//!
//! Go's reader is the one in docker, containerd, BuildKit and podman, so what it sees is what a container gets. Where
//! other readers would see something else, the parser says so ([`AnomalyKind`]). Must not know about images or files.

mod anomaly;
mod audit;
mod block;
mod extension;
mod header;
mod listing;
mod member;
mod merge;
mod outcome;
mod pax;
mod sparse;
mod trailer;
mod walk;
mod write;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use anomaly::{Anomaly, AnomalyKind, MAX_NAME, TOLD_SINGLY};
pub(crate) use audit::{AUFS_PREFIX, split_base};
pub use audit::{Audit, OPAQUE_WHITEOUT, PATH_MAX, WHITEOUT_PREFIX};
pub(crate) use header::is_header;
pub use listing::raw_line;
pub use member::{Dialect, GlobalHeader, Kind, Member, Record, Timestamp, XATTR_PREFIX, permissions};
pub use outcome::{Bytes, End, Outcome};
pub use pax::is_header_field;
pub use sparse::Unfolded;
pub use walk::Walker;
pub use write::{END, Unrepresentable, encode, encode_global};

/// Size of a tar block; headers are one block, bodies are padded to whole ones.
pub const BLOCK: usize = 512;

/// Bytes of padding behind a body of `size` bytes.
pub fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

/// Takes what a walk over an archive finds.
pub trait Sink {
    /// A member begins; its data follows.
    fn member(&mut self, member: Member);

    /// A part of the current member's data as stored: holes of a sparse file and its map are left out, [`Unfolded`] puts the holes back. Where the
    /// archive is fed as one slice, this is the whole body at once.
    fn data(&mut self, _data: &[u8]) {}

    /// The current member's data is complete. Not told where the walk fails inside it.
    fn end_member(&mut self) {}

    /// A PAX global header, of which nothing is applied.
    fn global(&mut self, _header: GlobalHeader) {}

    /// Something is odd.
    fn anomaly(&mut self, anomaly: Anomaly);
}

/// Collects anomalies alone.
impl Sink for Vec<Anomaly> {
    fn member(&mut self, _member: Member) {}

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.push(anomaly);
    }
}
