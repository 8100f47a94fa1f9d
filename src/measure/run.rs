//! All the threads: works off a plan in a pool of its own.

use super::{
    BlobFacts, Facts, Workers,
    layer::{self, WINDOW},
    plan::{Subject, WorkItem, WorkPlan},
};
use crate::{
    archive::Source,
    codec::{self, Compression},
    digest::{Algorithm, Digest, Hasher},
    error::{Error, ErrorKind, Result},
    image::ImageGraph,
    limits::Limits,
    observe::{Event, Observer},
};

/// Measures what the plan says, on the threads of `workers`.
///
/// # Errors
/// [`ErrorKind::Changed`] if the input changed meanwhile, [`ErrorKind::Interrupted`] if the observer said stop.
pub fn run(
    plan: &WorkPlan,
    graph: &ImageGraph<'_>,
    source: &Source,
    limits: &Limits,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Facts> {
    let job = Job { plan, graph, source, limits, observer };
    let measured = workers.map(&plan.items, |id, item| job.measure(id, item));
    if observer.cancelled() {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
    }
    source.unchanged()?;
    let mut facts = Facts::default();
    for (item, measured) in plan.items.iter().zip(measured) {
        match (item.subject, measured) {
            (Subject::Blob(id), Measured::Blob(blob)) => drop(facts.blobs.insert(id, *blob)),
            (Subject::Unreferenced(entry), Measured::Digest(digest)) => {
                facts.unreferenced.push((entry, digest))
            }
            (Subject::Archive, Measured::Digest(digest)) => facts.archive = Some(digest),
            _ => {}
        }
    }
    facts.unreferenced.sort_by_key(|(entry, _)| *entry);
    Ok(facts)
}

enum Measured {
    Blob(Box<BlobFacts>),
    Digest(Digest),
    Nothing,
}

struct Job<'j, 'a> {
    plan: &'j WorkPlan,
    graph: &'j ImageGraph<'a>,
    source: &'j Source,
    limits: &'j Limits,
    observer: &'j dyn Observer,
}

impl Job<'_, '_> {
    fn measure(&self, id: usize, item: &WorkItem) -> Measured {
        let id = id as u64;
        let bytes = match item.subject {
            Subject::Archive => self.source.raw(),
            Subject::Blob(blob) => Some(self.graph.content(blob)),
            Subject::Unreferenced(entry) => Some(self.graph.index.bytes(entry)),
        };
        let Some(bytes) = bytes else { return Measured::Nothing };
        self.observer.event(Event::Begin { id, name: &item.name, bytes: bytes.len() as u64 });
        let measured = match item.subject {
            Subject::Blob(_) => Measured::Blob(Box::new(self.blob(id, item, bytes))),
            Subject::Archive => self.digest(id, item, bytes, Algorithm::Sha256),
            Subject::Unreferenced(_) => {
                self.digest(id, item, bytes, item.algorithms.first().copied().unwrap_or(Algorithm::Sha256))
            }
        };
        self.observer.event(Event::End { id });
        measured
    }

    fn digest(&self, id: u64, item: &WorkItem, bytes: &[u8], algorithm: Algorithm) -> Measured {
        let digests = self.hash(id, item, bytes, &[algorithm]);
        digests.first().map_or(Measured::Nothing, |digest| Measured::Digest(*digest))
    }

    /// Hashes bytes as they are.
    fn hash(&self, id: u64, item: &WorkItem, bytes: &[u8], algorithms: &[Algorithm]) -> Vec<Digest> {
        let mut hashers: Vec<Hasher> = algorithms.iter().map(|algorithm| Hasher::new(*algorithm)).collect();
        let mut done = 0;
        for window in bytes.chunks(WINDOW) {
            if self.observer.cancelled() {
                break;
            }
            hashers.iter_mut().for_each(|hasher| hasher.update(window));
            self.advance(id, item, done, window.len());
            done += window.len();
        }
        hashers.into_iter().map(Hasher::finish).collect()
    }

    fn blob(&self, id: u64, item: &WorkItem, bytes: &[u8]) -> BlobFacts {
        let size = bytes.len() as u64;
        let Some(diff_algorithms) = &item.layer else {
            return BlobFacts { size, digests: self.hash(id, item, bytes, &item.algorithms), layer: None };
        };
        let plain = codec::sniff(bytes) == Compression::Plain;
        let mut hashers: Vec<Hasher> = item
            .algorithms
            .iter()
            .filter(|algorithm| !(plain && diff_algorithms.contains(algorithm)))
            .map(|algorithm| Hasher::new(*algorithm))
            .collect();
        let mut done = 0;
        let layer = layer::read(bytes, diff_algorithms, &self.plan.needs, self.limits, |packed| {
            hashers.iter_mut().for_each(|hasher| hasher.update(packed));
            self.advance(id, item, done, packed.len());
            done += packed.len();
            !self.observer.cancelled()
        });
        let mut digests: Vec<Digest> = hashers.into_iter().map(Hasher::finish).collect();
        if plain {
            // A plain layer's digest is its diff_id: one hash serves both.
            digests.extend(
                layer
                    .diff_ids
                    .iter()
                    .map(|diff_id| diff_id.0)
                    .filter(|d| item.algorithms.contains(&d.algorithm())),
            );
        }
        BlobFacts { size, digests, layer: Some(layer) }
    }

    /// Tells of bytes that were read and gives their pages back.
    fn advance(&self, id: u64, item: &WorkItem, done: usize, len: usize) {
        self.observer.event(Event::Advance { id, bytes: len as u64 });
        if let Some((file, range)) = &item.place {
            // From a window before, since pages that two windows share were not released with the first.
            let end = range.start.saturating_add(done).saturating_add(len);
            self.source.release(*file, range.start.saturating_add(done.saturating_sub(WINDOW))..end);
        }
    }
}
