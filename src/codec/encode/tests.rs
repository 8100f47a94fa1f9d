//! The encoders: one input, one output, whatever the chunking, the threads and the processor.

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::{Crew, ENCODERS, Recipe};
use crate::codec::Compression;
use crate::codec::testing::{decode, generated, skipped};
use crate::digest::{Algorithm, Digest};

fn encode(recipe: Recipe, threads: usize, chunks: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut encoder = recipe.encoder(&crew(threads), Vec::new()).unwrap();
    for chunk in chunks {
        encoder.write_all(chunk.as_ref()).unwrap();
        encoder.flush().unwrap();
    }
    encoder.finish().unwrap()
}

fn crew(threads: usize) -> Crew {
    Crew::new(NonZeroUsize::new(threads).unwrap(), 1).unwrap()
}

fn recipe(compression: Compression, level: u32) -> Recipe {
    Recipe::new(compression, Some(level)).unwrap()
}

fn sha256(data: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, data).hex()
}

/// These digests are the promise of `normalize`: whoever changes one makes every canonical image a different one,
/// and must give the encoder a new id.
const GOLDEN: [(Compression, u32, &str); 6] = [
    (Compression::Gzip, 1, "74a77401669271ea65c88e3c7e02cba6cc3eaf7281ab5b37b386bb53abe25a49"),
    (Compression::Gzip, 6, "0bc09643e810c495a755553d0dc5676ad6fcdbb91f7b2d2def4c48b8a02bf8b7"),
    (Compression::Gzip, 9, "3dcd0d55061283acaef62f3d49bfb6a3ab1dc5118b82891cfd2910fc4cf567d1"),
    (Compression::Zstd, 1, "e4a34ddbb6c85d2fd89e153affbf69120d6252b77708812403c09d60f76f291a"),
    (Compression::Zstd, 3, "84b430e836b67c28f34f771ebfc4e51a0bf97771baa0f9ba1259571ee5b153f4"),
    (Compression::Zstd, 9, "8506d8c0cc87ef5dca4017013cc4f4f675a40e6ac11f46d85feb46823ac1cb83"),
];

#[test]
fn golden() {
    let data = generated(5 << 19);
    assert_eq!(
        sha256(&data),
        "f0242611b30d04db5ab509b71d46998fbb58bfca1ed324e11dff39fa2fe57d2f",
        "the generator itself"
    );
    let actual = GOLDEN
        .map(|(compression, level, _)| sha256(&encode(recipe(compression, level), 2, data.chunks(100_003))));
    assert_eq!(actual, GOLDEN.map(|(_, _, expected)| expected));
}

/// What deflate finds must not depend on the vector instructions it finds it with.
#[test]
fn golden_on_other_processors() {
    let found = Command::new("qemu-x86_64").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return skipped("other processors are not tried, since there is no qemu-x86_64");
    }
    let this_program = std::env::current_exe().unwrap();
    for processor in ["qemu64", "Nehalem", "Haswell"] {
        let output = Command::new("qemu-x86_64")
            .args(["-cpu", processor])
            .arg(&this_program)
            .args(["--exact", "codec::encode::tests::golden"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{processor}: {said}");
    }
}

#[test]
fn threads_and_chunks_change_nothing() {
    let data = generated((7 << 19) + 12345);
    let sizes = generated(20 * 64);
    // libzstd cuts this into two jobs at level 1, and keeps it whole at level 3.
    for (compression, level) in [(Compression::Gzip, 6), (Compression::Zstd, 1), (Compression::Zstd, 3)] {
        let recipe = recipe(compression, level);
        let expected = encode(recipe, 1, std::iter::once(&data));
        for (round, sizes) in sizes.chunks(64).enumerate() {
            let mut rest = &data[..];
            let mut sizes = sizes.iter().cycle();
            let chunks = std::iter::from_fn(|| {
                let size = (1usize << (sizes.next()? % 21)) + usize::from(*sizes.next()?) - 1;
                let (chunk, after) = rest.split_at(size.min(rest.len()));
                rest = after;
                (!chunk.is_empty() || size == 0).then_some(chunk)
            });
            let blob = encode(recipe, round % 8 + 1, chunks);
            assert!(blob == expected, "{compression} round {round}");
        }
        assert!(decode(compression, &expected).unwrap() == data);
    }
}

#[test]
fn block_boundaries() {
    const BLOCK: usize = 1 << 20;
    for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK] {
        let data = generated(length);
        let blob = encode(recipe(Compression::Gzip, 6), 2, data.chunks(BLOCK));
        assert!(encode(recipe(Compression::Gzip, 6), 1, data.chunks(777)) == blob, "{length}");
        let mut reader = flate2::read::GzDecoder::new(&blob[..]);
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        assert!(content == data && reader.into_inner().is_empty(), "one member, {length} bytes");
    }
}

/// Noise does not fit the room of a block unless that is larger than the block.
#[test]
fn incompressible_blocks_fit() {
    let mut state = 1u64;
    let noise: Vec<u8> = (0..(3 << 19))
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        })
        .collect();
    for level in 1..=9 {
        let blob = encode(recipe(Compression::Gzip, level), 1, std::iter::once(&noise));
        assert!(decode(Compression::Gzip, &blob).unwrap() == noise, "level {level}");
    }
}

#[test]
fn other_programs_read_it() {
    let data = generated(5 << 19);
    let python = "import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";
    let programs: [(Compression, &str, &[&str]); 5] = [
        (Compression::Gzip, "gzip", &["-dc"]),
        (Compression::Gzip, "pigz", &["-dc"]),
        (Compression::Gzip, "igzip", &["-dc"]),
        (Compression::Gzip, "python3", &["-c", python]),
        (Compression::Zstd, "zstd", &["-dc"]),
    ];
    for (compression, program, arguments) in programs {
        let blob = encode(Recipe::new(compression, None).unwrap(), 2, std::iter::once(&data));
        let child =
            Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            skipped(&format!("{program} is not there to read what we wrote"));
            continue;
        };
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&blob));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success() && output.stdout == data, "{program}");
    }
}

#[test]
fn ids_name_the_libraries_that_the_golden_digests_are_of() {
    assert_eq!(recipe(Compression::Zstd, 3).id(), "zstd/libzstd-1.5.7/workers/level-3");
    let lock = include_str!("../../../Cargo.lock");
    let (_, after) = lock.split_once("name = \"zlib-rs\"\nversion = \"").unwrap();
    let (version, _) = after.split_once('"').unwrap();
    assert_eq!(recipe(Compression::Gzip, 6).id(), format!("gzip/zlib-rs-{version}/blocks-1MiB/level-6"));
    assert_eq!(Recipe::new(Compression::Plain, None).unwrap().id(), "plain");
}

#[test]
fn recipes_are_checked() {
    for row in ENCODERS {
        let (low, high) = (*row.levels.start(), *row.levels.end());
        assert_eq!(Recipe::new(row.compression, None).unwrap().level(), row.default_level);
        assert!(
            Recipe::new(row.compression, Some(low)).is_ok()
                && Recipe::new(row.compression, Some(high)).is_ok()
        );
        assert!(Recipe::new(row.compression, Some(high + 1)).is_err());
    }
    assert!(Recipe::new(Compression::Xz, None).is_err());
    assert!(Recipe::new(Compression::Bzip2, None).is_err());
}

/// Encoders of one crew use each other's blocks, and wait for each other.
#[test]
fn one_crew_serves_many_encoders() {
    let data = generated(6 << 20);
    // Of other lengths, so that ends of streams, half full blocks and full ones meet.
    let contents: Vec<&[u8]> = (0..12).map(|number| &data[number * 1000..][..number * 450_000]).collect();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let recipe = Recipe::new(compression, None).unwrap();
        let alone = contents.iter().map(|content| encode(recipe, 1, [content].into_iter()));
        let alone: Vec<Vec<u8>> = alone.collect();
        let crew = crew(2);
        let together: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let threads = contents.chunks(3).map(|contents| {
                scope.spawn(|| {
                    let encode = |content: &&[u8]| {
                        let mut encoder = recipe.encoder(&crew, Vec::new()).unwrap();
                        encoder.write_all(content).unwrap();
                        encoder.finish().unwrap()
                    };
                    contents.iter().map(encode).collect::<Vec<_>>()
                })
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(together == alone, "{compression}");
    }
}

/// An output that takes `room` bytes and then fails, as a full disk does.
struct Full {
    room: usize,
}

impl Write for Full {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.room = self.room.checked_sub(data.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_output_is_an_error_not_a_hang() {
    let data = generated(4 << 20);
    for compression in [Compression::Gzip, Compression::Zstd, Compression::Plain] {
        for threads in [1, 2, 8] {
            let out = Full { room: 100_000 };
            let mut encoder = Recipe::new(compression, None).unwrap().encoder(&crew(threads), out).unwrap();
            let error = match encoder.write_all(&data) {
                Ok(()) => encoder.finish().err().expect("the output is full"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{compression}, {threads} threads");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn round_trips(
        pieces in prop::collection::vec((0usize..400_000, 0usize..400_000), 0..5),
        level in 1u32..=9,
        threads in 1usize..4,
    ) {
        let source = generated(800_000);
        let chunks: Vec<&[u8]> = pieces.iter().map(|(start, length)| &source[*start..start + length]).collect();
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Plain] {
            let level = if compression == Compression::Plain { 0 } else { level };
            let blob = encode(recipe(compression, level), threads, chunks.iter());
            prop_assert!(decode(compression, &blob).unwrap() == chunks.concat());
        }
    }
}
