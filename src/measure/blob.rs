//! One blob, one pass: cut into windows, decode, hash and walk.
//!
//! Says what the stages of the [`pipeline`] are; which of them run side by side is not known here.

use std::sync::Arc;

use super::{
    BlobFacts, LayerFacts, LayerFault, Needs, Workers,
    layer::LayerReader,
    pipeline::{self, Reader},
};
use crate::{
    codec::{self, Compression, DecodeErrorKind, Decoder},
    digest::{Algorithm, DiffId, Digest, Hasher},
    limits::Limits,
};

/// Size of a window. Smaller ones cost a fifth of the speed and more, larger ones fall out of the cache.
const WINDOW: usize = 256 << 10;

/// Bytes that are announced at a time.
const AHEAD: usize = 4 * WINDOW;

/// What to find out of a blob.
#[derive(Debug)]
pub(super) struct Wanted<'w> {
    /// Digests of the bytes as they are.
    pub(super) digests: &'w [Algorithm],
    /// Digests of the decoded bytes, if it is to be read as a layer.
    pub(super) layer: Option<&'w [Algorithm]>,
    pub(super) needs: &'w Needs,
    pub(super) limits: &'w Limits,
}

/// Hears how far the reading is. Offsets are in the blob.
pub(super) trait Watch: Sync {
    /// These bytes are about to be read.
    fn ahead(&self, at: usize, len: usize);

    /// These bytes are on their way through the stages; whether to go on.
    fn taken(&self, at: usize, len: usize) -> bool;

    /// These bytes will not be read again.
    fn done(&self, at: usize, len: usize);
}

/// Measures a blob.
pub(super) fn measure(blob: &[u8], wanted: &Wanted<'_>, workers: &Workers, watch: &dyn Watch) -> BlobFacts {
    let compression = codec::sniff(blob);
    let looked_into = matches!(compression, Compression::Plain | Compression::Gzip | Compression::Zstd);
    let layer = wanted.layer.filter(|_| looked_into);
    let decoded = layer.is_some() && compression != Compression::Plain;
    let hashers = |algorithms: &[Algorithm]| algorithms.iter().map(|a| Hasher::new(*a)).collect::<Vec<_>>();
    let mut of_content = hashers(layer.unwrap_or_default());
    // A plain layer's digest is its diff_id: one hash serves both.
    let shared = layer.filter(|_| !decoded).unwrap_or_default();
    let own: Vec<Algorithm> = wanted.digests.iter().copied().filter(|a| !shared.contains(a)).collect();
    let mut of_bytes = hashers(&own);
    let mut members = wanted.layer.map(|_| LayerReader::new(wanted.needs, wanted.limits));
    let mut cutter = Cutter {
        rest: blob,
        at: 0,
        ahead: 0,
        decoder: decoded.then(|| codec::decoder(compression, blob, wanted.limits)),
        fault: (wanted.layer.is_some() && !looked_into).then_some(LayerFault::NotInspected),
        watch,
    };

    // Decoding and each digest cost something, cutting and walking next to nothing.
    let file_digests = members.is_some() && wanted.needs.file_digests;
    let most = usize::from(decoded) + usize::from(file_digests) + of_content.len() + of_bytes.len();
    let mut readers: Vec<Reader<'_, Window<'_>>> = Vec::new();
    for hasher in &mut of_content {
        readers.push(Box::new(|window| match window.filled {
            Some(_) => hasher.update(window.content()),
            None => update_from_afar(hasher, window.bytes),
        }));
    }
    for hasher in &mut of_bytes {
        readers.push(Box::new(|window| update_from_afar(hasher, window.bytes)));
    }
    if let Some(members) = members.as_mut().filter(|_| looked_into) {
        readers.push(Box::new(|window| members.window(window.content())));
    }
    pipeline::run(workers, most, Box::new(|window| cutter.fill(window)), readers);
    watch.done(0, blob.len());

    let mut digests: Vec<Digest> = of_bytes.into_iter().map(Hasher::finish).collect();
    let frames = cutter.decoder.as_ref().map(Decoder::frames).unwrap_or_default();
    let fault = cutter.fault;
    // Without the whole stream there is no diff_id.
    let of_content = if fault.is_none() { of_content } else { Vec::new() };
    let diff_ids: Vec<DiffId> = of_content.into_iter().map(|hasher| DiffId(hasher.finish())).collect();
    digests.extend(
        diff_ids.iter().map(|id| id.0).filter(|id| !decoded && wanted.digests.contains(&id.algorithm())),
    );
    let layer = members.map(|members| {
        let facts = members.finish(compression, frames, fault, diff_ids);
        Arc::new(LayerFacts { fingerprint: codec::fingerprint(blob), ..facts })
    });
    BlobFacts { size: blob.len() as u64, digests, layer }
}

/// Adds bytes that nobody has touched yet, so that no cache has them. A copy asks memory for more at a time than hashing
/// does: with it a digest takes a tenth less.
fn update_from_afar(hasher: &mut Hasher, bytes: &[u8]) {
    let mut near = [0; 16 << 10];
    for piece in bytes.chunks(near.len()) {
        if let Some(near) = near.get_mut(..piece.len()) {
            near.copy_from_slice(piece);
            hasher.update(near);
        }
    }
}

/// A piece of a blob on its way through the stages.
#[derive(Default)]
struct Window<'a> {
    /// Where the bytes are in the blob.
    at: usize,
    /// The bytes as they are.
    bytes: &'a [u8],
    /// Room for decoded bytes, which stays when the window is used again.
    room: Vec<u8>,
    /// How many bytes of the room are filled; `None` if the blob is not decoded.
    filled: Option<usize>,
}

impl Window<'_> {
    /// The bytes, decoded.
    fn content(&self) -> &[u8] {
        self.filled.map_or(self.bytes, |filled| self.room.get(..filled).unwrap_or_default())
    }
}

/// Cuts a blob into windows, and decodes them if it is to.
struct Cutter<'a, 'w> {
    rest: &'a [u8],
    at: usize,
    /// Up to where the bytes were announced.
    ahead: usize,
    decoder: Option<Decoder<'a>>,
    fault: Option<LayerFault>,
    watch: &'w dyn Watch,
}

impl<'a> Cutter<'a, '_> {
    /// Fills the next window; whether there is more.
    fn fill(&mut self, window: &mut Window<'a>) -> bool {
        self.watch.done(window.at, window.bytes.len());
        if self.ahead < self.at.saturating_add(WINDOW) {
            self.watch.ahead(self.ahead, AHEAD);
            self.ahead = self.ahead.saturating_add(AHEAD);
        }
        window.filled = self.decode(&mut window.room);
        // Where nothing is decoded (any more), the blob's own digest still needs the bytes.
        let count = match (&self.decoder, window.filled) {
            (Some(decoder), Some(1..)) => {
                usize::try_from(decoder.consumed()).unwrap_or(usize::MAX).saturating_sub(self.at)
            }
            _ => WINDOW,
        };
        let (bytes, rest) = self.rest.split_at(count.min(self.rest.len()));
        (window.at, window.bytes) = (self.at, bytes);
        self.at = self.at.saturating_add(bytes.len());
        self.rest = rest;
        self.watch.taken(window.at, bytes.len()) && (!rest.is_empty() || matches!(window.filled, Some(1..)))
    }

    /// Decodes the next bytes; none at the end, behind damage and over the limit.
    fn decode(&mut self, room: &mut Vec<u8>) -> Option<usize> {
        let decoder = self.decoder.as_mut()?;
        if self.fault.is_some() {
            return Some(0);
        }
        room.resize(WINDOW, 0);
        let filled = decoder.fill(room).unwrap_or_else(|error| {
            self.fault = Some(match error.kind {
                DecodeErrorKind::Unpacked { limit } => LayerFault::Unpacked { limit },
                _ => LayerFault::Decode(error),
            });
            0
        });
        Some(filled)
    }
}
