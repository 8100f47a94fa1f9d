//! The member walk: windows of bytes in, members and anomalies out.

use super::Sink;
use crate::limits::Limits;

/// How an archive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Two zero blocks, as POSIX asks.
    Marker,
    /// One zero block, then nothing.
    HalfMarker,
    /// No zero block: the bytes just stop after a member.
    NoMarker,
    /// No bytes at all.
    Empty,
    /// An error stopped the walk.
    Failed,
}

/// Where an archive's bytes went; the sum is the input's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Header blocks of members.
    pub header: u64,
    /// Extension headers with bodies and padding, and further blocks of old GNU sparse maps.
    pub extension: u64,
    /// Members' bodies.
    pub body: u64,
    /// Padding after bodies.
    pub padding: u64,
    /// Zero blocks that mark the end.
    pub end: u64,
    /// All that follows the end marker.
    pub trailing: u64,
    /// What an error left unread.
    pub unread: u64,
}

impl Bytes {
    /// All of them.
    pub fn total(&self) -> u64 {
        [self.header, self.extension, self.body, self.padding, self.end, self.trailing, self.unread]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// What a finished walk has to say of the whole archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Members, global headers not counted.
    pub members: u64,
    /// How the archive ended.
    pub end: End,
    /// Where its bytes went.
    pub bytes: Bytes,
}

/// Walks over an archive that arrives in windows of any size.
#[derive(Clone, Debug)]
pub struct Walker {
    limits: Limits,
}

impl Walker {
    /// A walk that has seen nothing yet.
    pub fn new(limits: &Limits) -> Walker {
        Walker { limits: limits.clone() }
    }

    /// Takes the next bytes of the archive.
    pub fn feed(&mut self, _window: &[u8], _sink: &mut impl Sink) {}

    /// Says that there are no more bytes.
    pub fn finish(self, _sink: &mut impl Sink) -> Outcome {
        let _ = self.limits;
        Outcome { members: 0, end: End::Empty, bytes: Bytes::default() }
    }
}
