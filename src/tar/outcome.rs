//! What a finished walk says of an archive: how it ended and where its bytes went.
//!
//! Knows that each byte is counted once. Must not know how the walk goes.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

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

    pub(super) fn add(&mut self, share: Share, count: usize) {
        let bytes = match share {
            Share::Header => &mut self.header,
            Share::Extension => &mut self.extension,
            Share::Body => &mut self.body,
            Share::Padding => &mut self.padding,
            Share::End => &mut self.end,
            Share::Trailing => &mut self.trailing,
            Share::Unread => &mut self.unread,
        };
        *bytes = bytes.saturating_add(count as u64);
    }
}

/// What some bytes turned out to be: one for each field of [`Bytes`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    Header,
    Extension,
    Body,
    Padding,
    End,
    Trailing,
    Unread,
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
