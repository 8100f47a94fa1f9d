//! Throughput of the decoders and encoders, in bytes of content.
#![allow(clippy::expect_used, reason = "a bench has no one to report to")]

use std::hint::black_box;
use std::io::Write;
use std::num::NonZeroUsize;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use repro_build::codec::{Compression, Crew, Recipe, decoder, fingerprint};
use repro_build::limits::Limits;

/// About as compressible as a layer: names that share their beginnings, and numbers that do not repeat.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut content = Vec::with_capacity(length + 64);
    while content.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (package, hash) = (state >> 27, state % 0x00ff_ffff);
        content
            .extend_from_slice(format!("usr/share/doc/package-{package}/copyright {hash:06x}\n").as_bytes());
    }
    content.truncate(length);
    content
}

fn encode(recipe: Recipe, threads: usize, content: &[u8]) -> Vec<u8> {
    let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
    let crew = Crew::new(threads, 1).expect("threads");
    let mut encoder = recipe.encoder(&crew, Vec::new()).expect("memory");
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

fn codec(c: &mut Criterion) {
    let content = content(16 << 20);
    let mut group = c.benchmark_group("codec");
    group.sample_size(10).throughput(Throughput::Bytes(content.len() as u64));
    for compression in [Compression::Gzip, Compression::Zstd] {
        let recipe = Recipe::new(compression, None).expect("it can be written");
        let blob = encode(recipe, 1, &content);
        group.bench_with_input(BenchmarkId::new("decode", compression), &blob, |bench, blob| {
            let mut buffer = vec![0; 256 << 10];
            bench.iter(|| {
                let mut decoder = decoder(compression, blob, &Limits::default());
                while decoder.fill(&mut buffer).expect("a right blob") > 0 {
                    black_box(&buffer);
                }
            });
        });
        for threads in [1, 2] {
            let id = BenchmarkId::new(format!("encode/{compression}"), threads);
            group.bench_with_input(id, &content, |bench, content| {
                bench.iter(|| encode(recipe, threads, content));
            });
        }
    }
    let blob = encode(Recipe::new(Compression::Gzip, None).expect("it can be written"), 1, &content);
    group.throughput(Throughput::Elements(1));
    group.bench_function("fingerprint", |bench| bench.iter(|| fingerprint(black_box(&blob))));
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
