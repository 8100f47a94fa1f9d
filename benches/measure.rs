//! What measuring is made of, stage by stage, and the whole: each with its throughput.
#![allow(clippy::expect_used, reason = "a bench has no one to report to")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use repro_build::{
    archive::{EntryIndex, OpenOptions, Source},
    codec::Compression,
    digest::{Algorithm, Digest},
    image,
    inspect::{Request, inspect},
    limits::Limits,
    location::Location,
    measure::Workers,
    observe::Silent,
    tar::{Anomaly, Member, Sink, Walker},
};

mod support;

const MB: u64 = 1_000_000;

fn sha256(c: &mut Criterion) {
    let mut group = c.benchmark_group("sha256");
    for size in [64, 4 << 10, 256 << 10, 16 << 20] {
        let bytes = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &bytes, |bench, bytes| {
            bench.iter(|| Digest::of(Algorithm::Sha256, black_box(bytes)));
        });
    }
    group.finish();
}

/// Takes members and keeps none.
struct Members(u64);

impl Sink for Members {
    fn member(&mut self, member: Member) {
        self.0 += member.size;
    }

    fn anomaly(&mut self, _: Anomaly) {}
}

fn walk(c: &mut Criterion) {
    let tar = support::layer_tar(1, 32 * MB);
    let mut group = c.benchmark_group("walk");
    group.throughput(Throughput::Bytes(tar.len() as u64));
    group.bench_function("members", |bench| {
        bench.iter(|| Walker::walk(&Limits::default(), black_box(&tar), &mut Members(0)));
    });
    group.finish();
}

fn index(c: &mut Criterion) {
    const ENTRIES: usize = 100_000;
    let mut archive = Vec::new();
    support::crowd(ENTRIES, &mut archive).expect("memory takes everything");
    let mut group = c.benchmark_group("index");
    group.sample_size(20).throughput(Throughput::Elements(ENTRIES as u64));
    group.bench_function("entries", |bench| {
        bench.iter(|| EntryIndex::of_tar(black_box(&archive), &Limits::default()));
    });
    group.finish();
}

/// An image of three layers, as a source.
fn source(compression: Compression) -> Source {
    let content = support::Content::new();
    let layers =
        [(1, 12), (2, 6), (3, 2)].map(|(seed, size)| support::packed(&content, seed, size * MB, compression));
    let mut archive = Vec::new();
    support::image(&layers.each_ref(), &mut archive).expect("memory takes everything");
    Source::from_bytes("image.tar", archive, &OpenOptions::default()).expect("a plain archive")
}

fn graph(c: &mut Criterion) {
    let source = source(Compression::Gzip);
    let limits = Limits::default();
    let index = EntryIndex::of_source(&source, &limits);
    // All but the layers is documents, and small.
    let documents = index.entries.iter().map(|entry| entry.range.len() as u64).filter(|size| *size < 4096);
    let mut group = c.benchmark_group("graph");
    group.throughput(Throughput::Bytes(documents.sum()));
    group.bench_function("documents", |bench| {
        bench.iter(|| image::resolve(black_box(&index), Location::new("image.tar"), &limits));
    });
    group.finish();
}

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify");
    group.sample_size(10).throughput(Throughput::Bytes(20 * MB));
    for compression in [Compression::Plain, Compression::Gzip, Compression::Zstd] {
        let source = source(compression);
        for threads in [1, 2] {
            let workers = Workers::new(threads).expect("threads");
            let id = BenchmarkId::new(compression.name(), threads);
            group.bench_with_input(id, &source, |bench, source| {
                bench.iter(|| run(source, &Request::default(), &workers))
            });
        }
    }
    group.finish();
    let mut request = Request::default();
    request.also.listing = true;
    let (source, workers) = (source(Compression::Gzip), Workers::new(1).expect("threads"));
    let mut group = c.benchmark_group("list");
    group.sample_size(10).throughput(Throughput::Bytes(20 * MB));
    group.bench_function("members", |bench| bench.iter(|| run(&source, &request, &workers)));
    request.also.file_digests = true;
    group.bench_function("digests", |bench| bench.iter(|| run(&source, &request, &workers)));
    group.finish();
}

fn run(source: &Source, request: &Request, workers: &Workers) -> bool {
    inspect(source, request, workers, &Silent, |inspected| inspected.verdict.passed()).expect("an image")
}

criterion_group!(benches, sha256, walk, index, graph, whole);
criterion_main!(benches);
