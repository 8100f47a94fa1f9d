//! What was measured. Plain values: `verify`, `diff` and the listings are functions of them.

use std::{collections::HashMap, sync::Arc};

use crate::{
    archive::EntryId,
    codec::{Compression, DecodeError, Fingerprint, Frames},
    digest::{Algorithm, DiffId, Digest},
    image::BlobId,
    media::Media,
    stack::ListedMember,
    tar::{Anomaly, End, GlobalHeader, Outcome, Record, Timestamp},
};

/// All that was measured of one input.
#[derive(Debug, Default)]
pub struct Facts {
    /// SHA-256 of the input file as it stands on disk, if it was asked for.
    pub archive: Option<Digest>,
    /// Facts of each blob that was measured.
    pub blobs: HashMap<BlobId, BlobFacts>,
    /// Digests of files below `blobs/` that nothing refers to.
    pub unreferenced: Vec<(EntryId, Digest)>,
}

/// What was measured of one blob.
#[derive(Debug)]
pub struct BlobFacts {
    /// Bytes that are there.
    pub size: u64,
    /// One digest for each algorithm that some descriptor uses.
    pub digests: Vec<Digest>,
    /// What it holds, if it was opened as a layer. Blobs of the same bytes share it.
    pub layer: Option<Arc<LayerFacts>>,
}

impl BlobFacts {
    /// The digest by an algorithm.
    pub fn digest(&self, algorithm: Algorithm) -> Option<Digest> {
        self.digests.iter().copied().find(|digest| digest.algorithm() == algorithm)
    }

    /// The same with the digests of these algorithms only.
    pub(super) fn only(mut self, algorithms: &[Algorithm]) -> BlobFacts {
        self.digests.retain(|digest| algorithms.contains(&digest.algorithm()));
        self
    }
}

/// What was measured of one layer.
#[derive(Debug)]
pub struct LayerFacts {
    /// What the bytes are compressed with.
    pub compression: Compression,
    /// What made a gzip stream, as far as its header and blocks tell.
    pub fingerprint: Option<Fingerprint>,
    /// Members or frames of the compressed stream.
    pub frames: Frames,
    /// What kept it from being read to its end.
    pub fault: Option<LayerFault>,
    /// Digests of the decoded stream; empty if it could not be read to its end.
    pub diff_ids: Vec<DiffId>,
    /// Decoded bytes.
    pub unpacked: u64,
    /// How the tar walk ended; `None` if there was none.
    pub outcome: Option<Outcome>,
    /// What the tar walk found odd.
    pub anomalies: Vec<Anomaly>,
    /// How many members of each kind.
    pub counts: Counts,
    /// The newest modification time.
    pub newest: Option<Timestamp>,
    /// Members newer than the SOURCE_DATE_EPOCH that was given.
    pub newer: Newer,
    /// The members, if they were asked for.
    pub members: Vec<ListedMember>,
    /// The PAX global headers, likewise.
    pub globals: Vec<GlobalHeader>,
}

impl LayerFacts {
    /// The diff_id by an algorithm.
    pub fn diff_id(&self, algorithm: Algorithm) -> Option<DiffId> {
        self.diff_ids.iter().copied().find(|id| id.0.algorithm() == algorithm)
    }

    /// Whether a layer of this media type with this content is none that a container engine reads: its compression is
    /// not known, or its media type is not and its bytes are no tar. It has no diff_id then, whatever was hashed.
    pub fn is_opaque(&self, media: Media) -> bool {
        let no_tar = self.outcome.is_some_and(|outcome| outcome.members == 0 && outcome.end == End::Failed);
        let known = Compression::said_by(media).is_some();
        matches!(self.fault, Some(LayerFault::NotInspected))
            || no_tar && self.compression == Compression::Plain && !known
    }

    /// About how many bytes of memory they take.
    pub(super) fn footprint(&self) -> usize {
        let records = |records: &[Record]| -> usize {
            let heads = size_of_val(records);
            heads + records.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
        };
        let listed = |ListedMember { member, .. }: &ListedMember| {
            let names = [&member.name, &member.link, &member.uname, &member.gname].map(Vec::len);
            let sparse = member.sparse.as_ref().map_or(0, |map| map.len() * size_of::<(u64, u64)>());
            size_of::<ListedMember>() + names.iter().sum::<usize>() + records(&member.records) + sparse
        };
        let global =
            |header: &GlobalHeader| size_of::<GlobalHeader>() + header.name.len() + records(&header.records);
        let odd = |anomaly: &Anomaly| size_of::<Anomaly>() + anomaly.name.len() + anomaly.detail.len();
        size_of::<LayerFacts>()
            + self.members.iter().map(listed).sum::<usize>()
            + self.globals.iter().map(global).sum::<usize>()
            + self.anomalies.iter().map(odd).sum::<usize>()
    }
}

/// Why a layer was not read to its end.
#[derive(Clone, Debug)]
pub enum LayerFault {
    /// The compressed stream is damaged.
    Decode(DecodeError),
    /// It unpacks to more than the limit.
    Unpacked {
        /// The limit in bytes.
        limit: u64,
    },
    /// A compression that container layers do not use: its content was not looked into.
    NotInspected,
}

/// Members by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// All members.
    pub entries: u64,
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Hard links.
    pub hardlinks: u64,
    /// Devices and FIFOs.
    pub special: u64,
    /// Whiteouts, opaque markers included.
    pub whiteouts: u64,
    /// Bytes of file content.
    pub content: u64,
}

/// Members newer than a given time.
#[derive(Clone, Debug, Default)]
pub struct Newer {
    /// How many.
    pub count: u64,
    /// The first of them, with its time.
    pub first: Option<(Vec<u8>, Timestamp)>,
}
