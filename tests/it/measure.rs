//! Measuring: what is found does not depend on threads, every byte is told of once, and stopping stops.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use repro_build::{
    archive::{OpenOptions, Source},
    error::ErrorKind,
    inspect::with_graph,
    limits::Limits,
    measure::{self, Facts, LayerFault, Needs, Workers},
    observe::{Event, Observer, Silent},
};

use crate::support::{Image, ImageBuilder, Layer, Layout, Member, Packing, expected, fixtures};

const THREADS: [usize; 4] = [1, 2, 3, 8];

fn everything() -> Needs {
    Needs {
        archive: true,
        listing: true,
        file_digests: true,
        source_date_epoch: Some(0),
        ..Needs::verification()
    }
}

fn facts(source: &Source, limits: &Limits, threads: usize, observer: &dyn Observer) -> Facts {
    measured(source, limits, threads, observer).unwrap()
}

fn measured(
    source: &Source,
    limits: &Limits,
    threads: usize,
    observer: &dyn Observer,
) -> repro_build::error::Result<Facts> {
    let workers = Workers::new(threads).unwrap();
    with_graph(source, limits, |graph| {
        let images: Vec<_> = graph.images.iter().collect();
        let plan = measure::plan(graph, &images, everything());
        measure::run(&plan, graph, source, limits, &workers, observer)
    })
    .unwrap()
}

/// All that was found, as text; the map's order aside.
fn text(facts: &Facts) -> String {
    let blobs: BTreeMap<_, _> = facts.blobs.iter().collect();
    format!("{:?}\n{blobs:#?}\n{:?}", facts.archive, facts.unreferenced)
}

fn source(bytes: Vec<u8>) -> Source {
    Source::from_bytes("image.tar", bytes, &OpenOptions::default()).unwrap()
}

/// Members of `megabytes` in files of uneven sizes, some of many windows; every tenth block does not compress.
fn members(megabytes: usize) -> Vec<Member> {
    let (mut members, mut state, mut left) = (vec![Member::dir("data/")], 1_u32, megabytes << 20);
    while left > 0 {
        let size = left.min(1 << (8 + members.len() % 14));
        let body = (0..size).map(|i| {
            if i % 5120 < 512 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            }
            (state >> 24) as u8
        });
        let body: Vec<u8> = body.collect();
        members.push(Member::file(format!("data/{}", members.len()), body));
        left -= size;
    }
    members
}

/// An image of one layer of each packing and a few small ones.
fn image() -> ImageBuilder {
    let mut layers: Vec<Layer> = Packing::ALL
        .iter()
        .zip([5, 3, 4])
        .map(|(packing, size)| Layer::new(&members(size)).pack(*packing))
        .collect();
    layers.extend((1..6).map(|i| Layer::new(&[Member::file(format!("small/{i}"), vec![b'x'; i * 1000])])));
    ImageBuilder::new(Layout::Both, vec![Image::new(layers).name("example.com/lab/large:1")])
}

fn same_for_all_thread_counts(source: &Source, limits: &Limits) -> Facts {
    let first = facts(source, limits, 1, &Silent);
    for threads in THREADS {
        let again = facts(source, limits, threads, &Silent);
        assert!(text(&again) == text(&first), "{} differs with {threads} threads", source.location());
    }
    first
}

#[test]
fn the_same_for_every_number_of_threads() {
    for row in expected(&fixtures("good")) {
        let source = Source::open(&row.path, &OpenOptions::default()).unwrap();
        same_for_all_thread_counts(&source, &Limits::default());
    }
    let built = image().build();
    let facts = same_for_all_thread_counts(&source(built.bytes.clone()), &Limits::default());
    let found: Vec<String> = facts
        .blobs
        .values()
        .filter_map(|blob| blob.layer.as_ref())
        .flat_map(|layer| &layer.diff_ids)
        .map(ToString::to_string)
        .collect();
    for layer in 0..8 {
        assert!(found.iter().any(|id| id == built.diff_id(0, layer)), "diff_id of layer {layer}");
    }
}

#[test]
fn damage_is_found_at_the_same_place_for_every_number_of_threads() {
    let middle = |bytes: &mut Vec<u8>| {
        let at = bytes.len() / 2;
        bytes[at..at + 64].iter_mut().for_each(|byte| *byte ^= 0x5a);
    };
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() * 2 / 3);
    let end = |bytes: &mut Vec<u8>| bytes.extend_from_slice(b"not padding");
    let damages: [fn(&mut Vec<u8>); 3] = [middle, cut, end];
    for packing in [Packing::Gzip, Packing::Zstd] {
        // A zstd frame without a checksum may decode to something else: its diff_id tells, not its decoder.
        let first = usize::from(packing == Packing::Zstd);
        for (number, damage) in damages.into_iter().enumerate().skip(first) {
            let layer = Layer::new(&members(4)).pack(packing).blob(damage);
            let source = source(ImageBuilder::good().layers(vec![layer]).tar());
            let facts = same_for_all_thread_counts(&source, &Limits::default());
            let mut layers = facts.blobs.values().filter_map(|blob| blob.layer.as_ref());
            let layer = layers
                .find(|layer| matches!(layer.fault, Some(LayerFault::Decode(_))))
                .unwrap_or_else(|| panic!("damage {number} of {packing:?} is no fault"));
            assert!(layer.diff_ids.is_empty());
        }
    }
}

#[test]
fn blobs_that_cannot_be_decoded_keep_their_own_digest() {
    let layer = Layer::new(&members(2)).blob(|bytes| bytes.truncate(bytes.len() / 3));
    let source = source(ImageBuilder::good().layers(vec![layer]).tar());
    with_graph(&source, &Limits::default(), |graph| {
        let facts = facts(&source, &Limits::default(), 2, &Silent);
        for (id, blob) in &facts.blobs {
            for claim in &graph.blob(*id).claims {
                assert_eq!(
                    blob.digest(claim.digest.algorithm()),
                    Some(claim.digest),
                    "{}",
                    graph.blob(*id).at
                );
            }
        }
    })
    .unwrap();
}

#[test]
fn the_limit_on_decoded_bytes_holds() {
    let limits = Limits { max_unpacked: 1 << 20, ..Limits::default() };
    let facts = same_for_all_thread_counts(&source(image().tar()), &limits);
    let over = |blob: &&measure::BlobFacts| {
        let layer = blob.layer.as_ref();
        layer.is_some_and(
            |layer| matches!(layer.fault, Some(LayerFault::Unpacked { limit }) if limit == 1 << 20),
        )
    };
    // The gzip and the zstd layer; the plain one is not decoded.
    assert_eq!(facts.blobs.values().filter(over).count(), 2);
}

/// Counts bytes by blob; says stop after some events.
#[derive(Default)]
struct Count {
    sizes: Mutex<BTreeMap<u64, (u64, u64)>>,
    events: AtomicU64,
    stop_after: u64,
}

impl Observer for Count {
    fn event(&self, event: Event<'_>) {
        self.events.fetch_add(1, Ordering::Relaxed);
        let mut sizes = self.sizes.lock().unwrap();
        match event {
            Event::Begin { id, bytes, .. } => drop(sizes.insert(id, (bytes, 0))),
            Event::Advance { id, bytes } => sizes.entry(id).or_default().1 += bytes,
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.stop_after > 0 && self.events.load(Ordering::Relaxed) >= self.stop_after
    }
}

#[test]
fn every_byte_is_told_of_once() {
    let source = source(image().tar());
    for threads in THREADS {
        let count = Count::default();
        facts(&source, &Limits::default(), threads, &count);
        let sizes = count.sizes.into_inner().unwrap();
        assert!(sizes.len() > 8);
        for (id, (size, told)) in sizes {
            assert_eq!(size, told, "blob {id} with {threads} threads");
        }
    }
}

#[test]
fn stopping_is_an_error_and_never_a_result() {
    let source = source(image().tar());
    for threads in THREADS {
        for stop_after in [1, 5, 20] {
            let count = Count { stop_after, ..Count::default() };
            let error = measured(&source, &Limits::default(), threads, &count).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Interrupted);
        }
    }
}
