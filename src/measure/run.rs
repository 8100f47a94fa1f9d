//! Works off a plan, the largest pieces first, on the threads of a pool.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    BlobFacts, Facts, Workers,
    blob::{self, Wanted, Watch},
    known::{Chance, Known, Question},
    plan::{Place, Subject, WorkItem, WorkPlan},
};
use crate::{
    archive::Source,
    codec::{self, Compression},
    digest::{Algorithm, Digest},
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
    let own = Known::default();
    let known = workers.known().unwrap_or(&own);
    let job = Job { plan, graph, source, limits, workers, known, observer };
    let mut measured = workers.map(&plan.items, |id, item| job.measure(id, item, true));
    let put_off: Vec<(usize, &WorkItem)> =
        plan.items.iter().enumerate().filter(|(id, _)| matches!(measured.get(*id), Some(None))).collect();
    let late = workers.map(&put_off, |_, (id, item)| job.measure(*id, item, false));
    for ((id, _), late) in put_off.iter().zip(late) {
        if let Some(slot) = measured.get_mut(*id) {
            *slot = late;
        }
    }
    if observer.cancelled() {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
    }
    source.unchanged()?;
    let mut facts = Facts::default();
    for (item, measured) in plan.items.iter().zip(measured) {
        match (item.subject, measured) {
            (Subject::Blob(id), Some(Measured::Blob(blob))) => drop(facts.blobs.insert(id, *blob)),
            (Subject::Unreferenced(entry), Some(Measured::Digest(digest))) => {
                facts.unreferenced.push((entry, digest))
            }
            (Subject::Archive, Some(Measured::Digest(digest))) => facts.archive = Some(digest),
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
    workers: &'j Workers,
    known: &'j Known,
    observer: &'j dyn Observer,
}

impl Job<'_, '_> {
    /// Measures one piece; `None` if it had better be put off, and may be.
    fn measure(&self, id: usize, item: &WorkItem, put_off: bool) -> Option<Measured> {
        let id = id as u64;
        let (bytes, place) = match item.subject {
            Subject::Archive => {
                let Some(file) = self.source.raw_file() else { return Some(Measured::Nothing) };
                let bytes = self.source.bytes(file);
                (bytes, Some(Place { file, range: 0..bytes.len() }))
            }
            Subject::Blob(blob) => (self.graph.content(blob), item.place.clone()),
            Subject::Unreferenced(entry) => (self.graph.index.bytes(entry), item.place.clone()),
        };
        let question = self.question(item, bytes);
        let chance = question.as_ref().map(|question| (question, self.known.chance(question)));
        if put_off && matches!(chance, Some((_, Chance::Soon))) {
            return None;
        }
        self.observer.event(Event::Begin { id, name: &item.name, bytes: bytes.len() as u64 });
        let piece = Piece { job: self, id, item, bytes, place };
        let facts = match chance {
            Some((question, chance)) => piece.layer(question, chance),
            None => piece.read(&item.algorithms, true, true).0,
        };
        self.observer.event(Event::End { id });
        Some(match item.subject {
            Subject::Blob(_) => Measured::Blob(Box::new(facts)),
            _ => facts.digests.first().map_or(Measured::Nothing, |digest| Measured::Digest(*digest)),
        })
    }

    /// What is to be known of a layer that has to be decoded. A plain one is hashed in any case and walked on the way.
    fn question(&self, item: &WorkItem, bytes: &[u8]) -> Option<Question> {
        let decoded = matches!(codec::sniff(bytes), Compression::Gzip | Compression::Zstd);
        let algorithms = item.layer.clone().filter(|_| decoded)?;
        let (needs, limits) = (self.plan.needs.clone(), self.limits.clone());
        Some(Question { size: bytes.len() as u64, algorithms, needs, limits })
    }
}

/// A piece of content that is being measured.
struct Piece<'p, 'j, 'a> {
    job: &'p Job<'j, 'a>,
    id: u64,
    item: &'p WorkItem,
    bytes: &'p [u8],
    place: Option<Place>,
}

impl Piece<'_, '_, '_> {
    /// Decodes the layer, unless hashing shows that its bytes are known.
    fn layer(&self, question: &Question, chance: Chance<'_>) -> BlobFacts {
        let Job { known, observer, .. } = self.job;
        let wanted = &self.item.algorithms;
        // The identity is always SHA-256, whatever descriptors use.
        let mut algorithms = wanted.clone();
        if !algorithms.contains(&Algorithm::Sha256) {
            algorithms.push(Algorithm::Sha256);
        }
        let (facts, running) = match chance {
            Chance::None(running) => (self.read(&algorithms, true, true), running),
            Chance::Soon | Chance::Now => {
                let (hashed, whole) = self.read(&algorithms, false, true);
                let identity = hashed.digest(Algorithm::Sha256).filter(|_| whole);
                if let Some(layer) = identity.and_then(|digest| known.facts(question, digest)) {
                    observer.event(Event::Known { id: self.id });
                    return BlobFacts { layer: Some(layer), ..hashed }.only(wanted);
                }
                let running = known.begin(question);
                let (decoded, whole) = self.read(&[], true, false);
                ((BlobFacts { layer: decoded.layer, ..hashed }, whole), running)
            }
        };
        let (facts, whole) = facts;
        // Bytes that changed meanwhile may be hashed as they were and decoded as they are.
        let unchanged =
            self.place.as_ref().is_none_or(|place| self.job.source.file_unchanged(place.file).is_ok());
        if let (Some(digest), Some(layer)) = (facts.digest(Algorithm::Sha256), &facts.layer)
            && whole
            && unchanged
        {
            running.answer(digest, layer);
        }
        facts.only(wanted)
    }

    /// Reads the bytes once, and tells whether to the end.
    fn read(&self, digests: &[Algorithm], layer: bool, tell: bool) -> (BlobFacts, bool) {
        let Job { plan, source, limits, workers, observer, .. } = self.job;
        let layer = self.item.layer.as_deref().filter(|_| layer);
        let wanted = Wanted { digests, layer, needs: &plan.needs, limits };
        let stopped = AtomicBool::new(false);
        let progress =
            Progress { id: self.id, place: self.place.as_ref(), source, observer: *observer, tell, stopped };
        let facts = blob::measure(self.bytes, &wanted, workers, &progress);
        (facts, !progress.stopped.into_inner())
    }
}

/// Tells the observer of a blob's progress, and the source of pages that are not needed any more.
struct Progress<'j> {
    id: u64,
    place: Option<&'j Place>,
    source: &'j Source,
    observer: &'j dyn Observer,
    /// Whether these bytes are read for the first time.
    tell: bool,
    /// The observer said stop.
    stopped: AtomicBool,
}

impl Watch for Progress<'_> {
    fn ahead(&self, at: usize, len: usize) {
        if let Some(Place { file, range }) = self.place {
            let start = range.start.saturating_add(at);
            self.source.populate(*file, start..start.saturating_add(len).min(range.end));
        }
    }

    fn taken(&self, _at: usize, len: usize) -> bool {
        if self.tell {
            self.observer.event(Event::Advance { id: self.id, bytes: len as u64 });
        }
        let stop = self.observer.cancelled();
        if stop {
            self.stopped.store(true, Ordering::Relaxed);
        }
        !stop
    }

    fn done(&self, at: usize, len: usize) {
        if let Some(Place { file, range }) = self.place {
            let start = range.start.saturating_add(at);
            self.source.release(*file, start..start.saturating_add(len));
        }
    }
}
