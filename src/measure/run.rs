//! Works off a plan, the largest pieces first, on the threads of a pool.

use super::{
    BlobFacts, Facts, Workers,
    blob::{self, Wanted, Watch},
    plan::{Place, Subject, WorkItem, WorkPlan},
};
use crate::{
    archive::Source,
    digest::Digest,
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
    let job = Job { plan, graph, source, limits, workers, observer };
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
    workers: &'j Workers,
    observer: &'j dyn Observer,
}

impl Job<'_, '_> {
    fn measure(&self, id: usize, item: &WorkItem) -> Measured {
        let id = id as u64;
        let (bytes, place) = match item.subject {
            Subject::Archive => {
                let Some(file) = self.source.raw_file() else { return Measured::Nothing };
                let bytes = self.source.bytes(file);
                (bytes, Some(Place { file, range: 0..bytes.len() }))
            }
            Subject::Blob(blob) => (self.graph.content(blob), item.place.clone()),
            Subject::Unreferenced(entry) => (self.graph.index.bytes(entry), item.place.clone()),
        };
        self.observer.event(Event::Begin { id, name: &item.name, bytes: bytes.len() as u64 });
        let (needs, limits) = (&self.plan.needs, self.limits);
        let wanted = Wanted { digests: &item.algorithms, layer: item.layer.as_deref(), needs, limits };
        let progress = Progress { id, place, source: self.source, observer: self.observer };
        let facts = blob::measure(bytes, &wanted, self.workers, &progress);
        self.observer.event(Event::End { id });
        match item.subject {
            Subject::Blob(_) => Measured::Blob(Box::new(facts)),
            _ => facts.digests.first().map_or(Measured::Nothing, |digest| Measured::Digest(*digest)),
        }
    }
}

/// Tells the observer of a blob's progress, and the source of pages that are not needed any more.
struct Progress<'j> {
    id: u64,
    place: Option<Place>,
    source: &'j Source,
    observer: &'j dyn Observer,
}

impl Watch for Progress<'_> {
    fn taken(&self, _at: usize, len: usize) -> bool {
        self.observer.event(Event::Advance { id: self.id, bytes: len as u64 });
        !self.observer.cancelled()
    }

    fn done(&self, at: usize, len: usize) {
        if let Some(Place { file, range }) = &self.place {
            let start = range.start.saturating_add(at);
            self.source.release(*file, start..start.saturating_add(len));
        }
    }
}
