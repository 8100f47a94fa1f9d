//! A layer's members: walks over its decoded stream and keeps book.

use super::{Counts, LayerFacts, LayerFault, Needs, Newer};
use crate::{
    codec::{Compression, Frames},
    digest::{Algorithm, DiffId, Digest, Hasher},
    limits::Limits,
    stack::{self, ListedMember},
    tar::{Anomaly, Audit, GlobalHeader, Kind, Member, Sink, Timestamp, Unfolded, Walker},
};

/// Takes a layer's decoded stream, window by window.
pub(super) struct LayerReader {
    walker: Walker,
    ledger: Ledger,
    unpacked: u64,
}

impl LayerReader {
    pub(super) fn new(needs: &Needs, limits: &Limits) -> LayerReader {
        LayerReader { walker: Walker::new(limits), ledger: Ledger::new(needs, limits), unpacked: 0 }
    }

    /// Adds the next window.
    pub(super) fn window(&mut self, window: &[u8]) {
        self.walker.feed(window, &mut self.ledger);
        self.unpacked = self.unpacked.saturating_add(window.len() as u64);
    }

    /// Closes the books.
    pub(super) fn finish(
        mut self,
        compression: Compression,
        frames: Frames,
        fault: Option<LayerFault>,
        diff_ids: Vec<DiffId>,
    ) -> LayerFacts {
        let outcome = self.walker.finish(&mut self.ledger);
        std::mem::take(&mut self.ledger.audit).finish(&mut self.ledger.anomalies);
        LayerFacts {
            compression,
            fingerprint: None,
            frames,
            fault,
            diff_ids,
            unpacked: self.unpacked,
            outcome: Some(outcome),
            anomalies: self.ledger.anomalies,
            counts: self.ledger.counts,
            newest: self.ledger.newest,
            newer: self.ledger.newer,
            members: self.ledger.members,
            globals: self.ledger.globals,
        }
    }
}

/// Keeps book of a layer's members.
struct Ledger {
    audit: Audit,
    anomalies: Vec<Anomaly>,
    counts: Counts,
    newest: Option<Timestamp>,
    newer: Newer,
    epoch: Option<i64>,
    listing: bool,
    members: Vec<ListedMember>,
    globals: Vec<GlobalHeader>,
    file_digests: bool,
    file: Option<(Unfolded, Hasher)>,
    /// How many bytes of holes may still be hashed: they cost time, and nothing in the archive.
    holes: u64,
}

impl Ledger {
    fn new(needs: &Needs, limits: &Limits) -> Ledger {
        Ledger {
            audit: Audit::default(),
            anomalies: Vec::new(),
            counts: Counts::default(),
            newest: None,
            newer: Newer::default(),
            epoch: needs.source_date_epoch,
            listing: needs.listing,
            members: Vec::new(),
            globals: Vec::new(),
            file_digests: needs.file_digests,
            file: None,
            holes: limits.max_unpacked,
        }
    }

    /// Whether a file's holes are within what may be hashed; counts them.
    fn affords(&mut self, member: &Member) -> bool {
        let Some(segments) = &member.sparse else { return true };
        let stored = segments.iter().fold(0_u64, |sum, (_, length)| sum.saturating_add(*length));
        let left = self.holes.checked_sub(member.size.saturating_sub(stored));
        self.holes = left.unwrap_or(self.holes);
        left.is_some()
    }

    fn count(&mut self, member: &Member) {
        let counts = &mut self.counts;
        counts.entries += 1;
        let slot = match member.kind {
            Kind::Regular => &mut counts.files,
            Kind::Directory => &mut counts.directories,
            Kind::Symlink => &mut counts.symlinks,
            Kind::Hardlink => &mut counts.hardlinks,
            _ => &mut counts.special,
        };
        *slot += 1;
        counts.whiteouts += u64::from(stack::whiteout(member).is_some());
        counts.content = counts.content.saturating_add(member.size);
        self.newest = self.newest.max(Some(member.mtime));
        if self.epoch.is_some_and(|epoch| member.mtime > Timestamp::from_secs(epoch)) {
            self.newer.count += 1;
            self.newer.first.get_or_insert_with(|| (member.name.clone(), member.mtime));
        }
    }
}

impl Sink for Ledger {
    fn member(&mut self, member: Member) {
        self.count(&member);
        self.audit.member(&member, &mut self.anomalies);
        self.file = (self.file_digests && member.kind == Kind::Regular && self.affords(&member))
            .then(|| (Unfolded::of(&member), Hasher::new(Algorithm::Sha256)));
        if self.listing {
            self.members.push(ListedMember { member, digest: None });
        }
    }

    fn data(&mut self, data: &[u8]) {
        if let Some((content, hasher)) = &mut self.file {
            content.data(data, |bytes| hasher.update(bytes));
        }
    }

    fn end_member(&mut self) {
        let digest: Option<Digest> = self.file.take().map(|(mut content, mut hasher)| {
            content.end(|bytes| hasher.update(bytes));
            hasher.finish()
        });
        if let Some(listed) = self.members.last_mut() {
            listed.digest = digest;
        }
    }

    fn global(&mut self, header: GlobalHeader) {
        if self.listing {
            self.globals.push(header);
        }
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}
