//! Throughput of normalising one gzip layer, in bytes of decoded content, for each level; against a copy of the
//! archive, and against `gzip -6` and `pigz -6` compressing the same content, where these are installed.
#![allow(clippy::expect_used, reason = "a bench has no one to report to")]

use std::fs;
use std::io::Write;
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use repro_build::archive::{ArchiveWriter, OpenOptions, Source};
use repro_build::codec::{Compression, Crew, Recipe};
use repro_build::digest::{Algorithm, Digest};
use repro_build::measure::Workers;
use repro_build::normalize::{Options, normalize};
use repro_build::observe::Silent;
use repro_build::rules::Level;
use repro_build::tar::{self, Member, Timestamp};

/// A layer of files of a few kilobytes, in an order that sorting has to change, one of them later than the epoch.
fn layer(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut layer = Vec::with_capacity(length);
    while layer.len() < length {
        let mut data = Vec::new();
        for _ in 0..100 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            data.extend_from_slice(
                format!("usr/share/doc/package-{}/{:06x}\n", state >> 27, state).as_bytes(),
            );
        }
        let member = Member {
            name: format!("usr/share/{state:08x}").into_bytes(),
            mode: 0o644,
            size: data.len() as u64,
            mtime: Timestamp::from_secs(2_000_000_000),
            ..Member::default()
        };
        layer.extend(tar::encode(&member).expect("a plain member"));
        layer.extend(&data);
        layer.resize(layer.len() + tar::padding(data.len() as u64), 0);
    }
    layer.extend(tar::END);
    layer
}

fn sha256(data: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, data)
}

/// An OCI archive of one image with that layer.
fn archive(layer: &[u8]) -> Vec<u8> {
    let recipe = Recipe::new(Compression::Gzip, None).expect("it can be written");
    let crew = Crew::new(NonZeroUsize::MIN, 1).expect("no threads");
    let mut encoder = recipe.encoder(&crew, Vec::new()).expect("memory");
    encoder.write_all(layer).expect("memory");
    let blob = encoder.finish().expect("memory");
    let created = "2033-05-18T03:33:20Z";
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","created":"{created}","rootfs":{{"type":"layers","diff_ids":["{}"]}},"history":[{{"created":"{created}"}}]}}"#,
        sha256(layer)
    )
    .into_bytes();
    let descriptor = |kind: &str, bytes: &[u8]| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"{}","size":{}}}"#,
            sha256(bytes),
            bytes.len()
        )
    };
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
        descriptor("config.v1+json", &config),
        descriptor("layer.v1.tar+gzip", &blob)
    )
    .into_bytes();
    let index =
        format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor("manifest.v1+json", &manifest));
    let mut files: Vec<_> = [config, manifest, blob].map(|bytes| (sha256(&bytes).blob_path(), bytes)).into();
    files.sort();
    files.push(("index.json".into(), index.into_bytes()));
    files.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
    let mut writer = ArchiveWriter::new(Vec::new());
    for (path, bytes) in files {
        writer.file(path.as_bytes(), bytes.len() as u64).expect("memory");
        writer.data(&bytes).expect("memory");
    }
    writer.finish().expect("memory")
}

fn compress(program: &str, content: &std::path::Path) -> bool {
    let input = fs::File::open(content).expect("the file");
    let mut command = Command::new(program);
    command
        .args(["-6", "-c"])
        .stdin(input)
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn levels(c: &mut Criterion) {
    let layer = layer(32 << 20);
    let archive = archive(&layer);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = folder.path().join("layer.tar");
    fs::write(&plain, &layer).expect("space");
    let workers = Workers::new(0).expect("threads");
    let source =
        Source::from_bytes("bench.tar", archive.clone(), &OpenOptions::default()).expect("an archive");
    let mut group = c.benchmark_group("normalize");
    group.sample_size(10).throughput(Throughput::Bytes(layer.len() as u64));
    for level in Level::ALL {
        let options = Options::new(level, Some(0));
        group.bench_function(BenchmarkId::new("level", level.name()), |bench| {
            bench.iter(|| {
                normalize(&source, &options, &workers, &Silent, &mut std::io::sink()).expect("a good archive")
            });
        });
    }
    group.bench_function("copy", |bench| {
        bench.iter(|| fs::write(folder.path().join("copy.tar"), &archive).expect("space"));
    });
    for program in ["gzip", "pigz"].into_iter().filter(|program| compress(program, &plain)) {
        group.bench_function(BenchmarkId::new("program", program), |bench| {
            bench.iter(|| compress(program, &plain));
        });
    }
    group.finish();
}

criterion_group!(benches, levels);
criterion_main!(benches);
