//! What follows the end marker, where readers that stop at it see nothing and others go on.
//!
//! Knows blocks behind the marker. Must not know what came before it.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::anomaly::{AnomalyKind, Tally};
use super::header::{Header, is_header, is_zero};
use super::{BLOCK, Sink};

/// The member that holds an eStargz layer's table of contents; it stands behind the end marker by design.
const ESTARGZ_TOC: &[u8] = b"stargz.index.json";

/// Looks for members and other bytes behind the end marker.
#[derive(Clone, Debug, Default)]
pub(super) struct Trailer {
    /// Blocks that belong to a known table of contents.
    skip: u64,
    /// Whether the worst is already told.
    settled: bool,
    /// Where the first bytes lie that are neither zero nor a header, and how many blocks have such.
    garbage: Option<(u64, u64)>,
}

impl Trailer {
    pub(super) fn block(
        &mut self,
        block: &[u8; BLOCK],
        offset: u64,
        sink: &mut impl Sink,
        tally: &mut Tally,
    ) {
        if self.skip > 0 {
            self.skip = self.skip.saturating_sub(1);
            return;
        }
        if self.settled || is_zero(block) {
            return;
        }
        if is_header(block) {
            self.header(block, offset, sink, tally);
        } else {
            self.add_garbage(offset);
        }
    }

    fn header(&mut self, block: &[u8; BLOCK], offset: u64, sink: &mut impl Sink, tally: &mut Tally) {
        let header = Header::parse(block).ok();
        let name = header.map(|header| header.name).unwrap_or_default();
        match header {
            Some(header)
                if header.full_name() == ESTARGZ_TOC && header.typeflag == b'0' && header.size >= 0 =>
            {
                self.skip = header.size.unsigned_abs().div_ceil(BLOCK as u64);
                tally.tell(sink, AnomalyKind::TocAfterEnd, offset, name, || format!("{} bytes", header.size));
            }
            _ => {
                self.settled = true;
                tally.tell(sink, AnomalyKind::ArchiveAfterEnd, offset, name, String::new);
            }
        }
    }

    fn add_garbage(&mut self, offset: u64) {
        let (_, blocks) = self.garbage.get_or_insert((offset, 0));
        *blocks = blocks.saturating_add(1);
    }

    /// Judges what is left once all blocks were seen; `partial` is less than a block.
    pub(super) fn finish(&mut self, partial: &[u8], offset: u64, sink: &mut impl Sink, tally: &mut Tally) {
        // What the table of contents leaves out is not told of again; one that is not whole leaves out anything.
        if self.skip > 0 {
            tally
                .tell(sink, AnomalyKind::ArchiveAfterEnd, offset, ESTARGZ_TOC, || "it is cut off".to_owned());
        } else if !is_zero(partial) {
            self.add_garbage(offset);
        }
        if let Some((offset, blocks)) = self.garbage {
            let detail = || format!("{blocks} blocks are not zero");
            tally.tell(sink, AnomalyKind::DataAfterEnd, offset, &[], detail);
        }
    }
}
