//! One layer, one pass: decode, hash and walk it window by window.

use super::{Counts, LayerFacts, LayerFault, ListedMember, Needs, Newer};
use crate::{
    codec::{self, Compression, Frames},
    digest::{Algorithm, DiffId, Digest, Hasher},
    limits::Limits,
    stack,
    tar::{Anomaly, Audit, Kind, Member, Sink, Timestamp, Walker},
};

/// Size of the windows a layer is decoded into. Smaller ones cost a fifth of the speed and more (DESIGN: measured),
/// larger ones fall out of the cache.
pub(super) const WINDOW: usize = 256 << 10;

/// Takes a layer's decoded stream, window by window.
pub(super) struct LayerReader {
    hashers: Vec<Hasher>,
    walker: Walker,
    ledger: Ledger,
    unpacked: u64,
}

impl LayerReader {
    pub(super) fn new(algorithms: &[Algorithm], needs: &Needs, limits: &Limits) -> LayerReader {
        LayerReader {
            hashers: algorithms.iter().map(|algorithm| Hasher::new(*algorithm)).collect(),
            walker: Walker::new(limits),
            ledger: Ledger::new(needs),
            unpacked: 0,
        }
    }

    /// Adds the next window.
    pub(super) fn window(&mut self, window: &[u8]) {
        for hasher in &mut self.hashers {
            hasher.update(window);
        }
        self.walker.feed(window, &mut self.ledger);
        self.unpacked = self.unpacked.saturating_add(window.len() as u64);
    }

    pub(super) fn unpacked(&self) -> u64 {
        self.unpacked
    }

    /// Closes the books. Without the whole stream there is no diff_id.
    pub(super) fn finish(
        mut self,
        compression: Compression,
        frames: Frames,
        fault: Option<LayerFault>,
    ) -> LayerFacts {
        let outcome = self.walker.finish(&mut self.ledger);
        std::mem::take(&mut self.ledger.audit).finish(&mut self.ledger.anomalies);
        let whole = fault.is_none();
        LayerFacts {
            compression,
            fingerprint: None,
            frames,
            diff_ids: if whole {
                self.hashers.into_iter().map(|h| DiffId(h.finish())).collect()
            } else {
                Vec::new()
            },
            fault,
            unpacked: self.unpacked,
            outcome: Some(outcome),
            anomalies: self.ledger.anomalies,
            counts: self.ledger.counts,
            newest: self.ledger.newest,
            newer: self.ledger.newer,
            members: self.ledger.members,
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
    file_digests: bool,
    file: Option<Hasher>,
}

impl Ledger {
    fn new(needs: &Needs) -> Ledger {
        Ledger {
            audit: Audit::default(),
            anomalies: Vec::new(),
            counts: Counts::default(),
            newest: None,
            newer: Newer::default(),
            epoch: needs.source_date_epoch,
            listing: needs.listing,
            members: Vec::new(),
            file_digests: needs.file_digests,
            file: None,
        }
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
        self.file =
            (self.file_digests && member.kind == Kind::Regular).then(|| Hasher::new(Algorithm::Sha256));
        if self.listing {
            self.members.push(ListedMember { member, digest: None });
        }
    }

    fn data(&mut self, data: &[u8]) {
        if let Some(file) = &mut self.file {
            file.update(data);
        }
    }

    fn end_member(&mut self) {
        let digest: Option<Digest> = self.file.take().map(Hasher::finish);
        if let Some(listed) = self.members.last_mut() {
            listed.digest = digest;
        }
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}

/// Reads a whole layer on this thread; `advance` hears how many packed bytes were read and may say stop.
pub(super) fn read(
    packed: &[u8],
    algorithms: &[Algorithm],
    needs: &Needs,
    limits: &Limits,
    mut advance: impl FnMut(&[u8]) -> bool,
) -> LayerFacts {
    let compression = codec::sniff(packed);
    let mut reader = LayerReader::new(algorithms, needs, limits);
    if !matches!(compression, Compression::Plain | Compression::Gzip | Compression::Zstd) {
        return reader.finish(compression, Frames::default(), Some(LayerFault::NotInspected));
    }
    if compression == Compression::Plain {
        for window in packed.chunks(WINDOW) {
            reader.window(window);
            if !advance(window) {
                break;
            }
        }
        return reader.finish(compression, Frames::default(), None);
    }
    let mut decoder = codec::decoder(compression, packed, limits);
    let mut window = vec![0; WINDOW];
    let mut read = 0;
    let fault = loop {
        match decoder.fill(&mut window) {
            Ok(0) => break None,
            Ok(n) => reader.window(window.get(..n).unwrap_or_default()),
            Err(error) => break Some(LayerFault::Decode(error)),
        }
        let consumed = usize::try_from(decoder.consumed()).unwrap_or(usize::MAX).min(packed.len());
        if !advance(packed.get(read..consumed).unwrap_or_default()) {
            break None;
        }
        read = consumed.max(read);
        if reader.unpacked() > limits.max_unpacked {
            break Some(LayerFault::Unpacked { limit: limits.max_unpacked });
        }
    };
    advance(packed.get(read..).unwrap_or_default());
    let frames = decoder.frames();
    LayerFacts { fingerprint: codec::fingerprint(packed), ..reader.finish(compression, frames, fault) }
}
