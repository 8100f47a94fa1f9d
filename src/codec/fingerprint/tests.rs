//! Who made a blob, told of blobs whose maker is known.

use std::io::Write;
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::{Evidence, MAKERS, Maker, fingerprint};
use super::{Kind, blocks::Blocks};
use crate::codec::testing::{entries, generated, skipped, tarballs, text};
use crate::codec::{Compression, Crew, Recipe, sniff};

fn maker(blob: &[u8]) -> (Maker, Evidence) {
    let fingerprint = fingerprint(blob).unwrap();
    (fingerprint.maker, fingerprint.evidence)
}

fn flate2(content: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// What a program makes of `content`, if the program is there.
fn made_by(program: &str, arguments: &[&str], content: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        skipped(&format!("{program} is not there to make a blob"));
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let content = content.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&content));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}");
    Some(output.stdout)
}

/// 1024 zero bytes, the layer that a change of nothing leaves, as BuildKit (Go 1.26) wrote it.
const GO: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x62\x18\x05\xa3\x60\x14\x8c\x58\x00\x08\x00\x00\xff\xff\x2e\
    \xaf\xb5\xef\x00\x04\x00\x00";
/// The same as buildah wrote it.
const PGZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x09\x6e\x88\x00\xff\x62\x18\x05\xa3\x60\x14\x8c\x58\x00\x00\x00\x00\xff\xff\
    \x03\x00\x2e\xaf\xb5\xef\x00\x04\x00\x00";
/// A layer of one directory, as BuildKit compiled with Go 1.27 wrote it.
const GO_127: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xca\x48\xcd\xc9\xc9\xd7\x2b\xa9\x28\x61\xa0\x1d\x30\x30\
    \x30\x30\x30\x33\x31\x61\x30\x80\x00\x74\x1a\x24\x8b\xc4\x36\x30\x34\x30\x34\x31\x65\x50\x30\x80\x19\x40\x4b\x50\
    \x5a\x5c\x92\x58\xc4\x60\x40\xb1\x5d\x70\xc7\x43\x69\x98\xf8\x20\x07\xe0\xf8\xe7\x82\xf1\x46\xc1\x28\x18\x05\xa3\
    \x60\x14\x8c\x14\x00\x18\x00\x87\xa7\x8c\xb3\x00\x08\x00\x00";
/// The end of an eStargz layer, as BuildKit wrote it.
const ESTARGZ_FOOTER: &[u8] =
    b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\x000000000000000088STARGZ\x01\0\0\xff\xff\0\
    \0\0\0\0\0\0\0";

#[test]
fn small_layers_of_real_tools() {
    assert_eq!(maker(GO), (Maker::Go, Evidence::Structure));
    assert_eq!(maker(GO_127), (Maker::Go127, Evidence::Structure));
    assert_eq!(maker(PGZIP), (Maker::Pgzip, Evidence::Structure));
    assert_eq!(maker(&[GO, ESTARGZ_FOOTER].concat()), (Maker::Estargz, Evidence::Structure));
    assert_eq!(maker(&PGZIP[..20]), (Maker::Pgzip, Evidence::Header));
    assert_eq!(maker(&GO[..20]), (Maker::Unknown, Evidence::Nothing));
}

#[test]
fn header_fields_are_given() {
    let blob = b"\x1f\x8b\x08\x08\x04\x03\x02\x01\x02\x03\x1b[31m\0\x03\0\0\0\0\0\0\0\0\0";
    let found = fingerprint(blob).unwrap();
    assert_eq!((found.mtime, found.os, found.extra_flags, found.flags), (0x0102_0304, 3, 2, 8));
    assert_eq!(found.file_name.as_deref(), Some(&b"\x1b[31m"[..]));
    assert_eq!((found.maker, found.evidence), (Maker::Unknown, Evidence::Nothing));
    assert_eq!(fingerprint(b"\x28\xb5\x2f\xfd"), None);
    assert_eq!(fingerprint(b""), None);
}

#[test]
fn our_own_are_made_again() {
    for length in [0, 70_000, 1 << 20, 3 << 19] {
        let content = generated(length);
        for level in [1, 6, 9] {
            let recipe = Recipe::new(Compression::Gzip, Some(level)).unwrap();
            let mut encoder = recipe.encoder(&Crew::new(NonZeroUsize::MIN, 1).unwrap(), Vec::new()).unwrap();
            encoder.write_all(&content).unwrap();
            let blob = encoder.finish().unwrap();
            assert_eq!(maker(&blob), (Maker::Ours, Evidence::Reproduced), "{length} bytes, level {level}");
        }
    }
}

#[test]
fn large_layers_of_tools_that_are_here() {
    let content = text(60_000);
    let python = "import sys,zlib; c=zlib.compressobj(6,wbits=31); sys.stdout.buffer.write(c.compress(sys.stdin.buffer.read())+c.flush())";
    let programs: [(&str, &[&str], Maker); 7] = [
        ("gzip", &["-1"], Maker::GnuGzip),
        ("gzip", &["-6"], Maker::GnuGzip),
        ("gzip", &["-9"], Maker::GnuGzip),
        ("pigz", &["-6"], Maker::Pigz),
        ("pigz", &["-6", "-i"], Maker::Pigz),
        ("igzip", &["-2", "-c"], Maker::Igzip),
        ("python3", &["-c", python], Maker::Zlib),
    ];
    for (program, arguments, expected) in programs {
        if let Some(blob) = made_by(program, arguments, &content) {
            assert_eq!(maker(&blob), (expected, Evidence::Structure), "{program} {arguments:?}");
        }
    }
    for level in [1, 6, 9] {
        let mut blob = flate2(&content, level);
        // Another system than ours writes, so that only the stream can tell.
        blob[9] = 3;
        assert_eq!(maker(&blob), (Maker::ZlibNg, Evidence::Reproduced), "level {level}");
    }
}

#[test]
fn layers_of_the_corpus() {
    for path in tarballs("corpus/good").into_iter().chain(tarballs("corpus/pairs")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        for blob in entries(&path).iter().filter(|entry| sniff(entry) == Compression::Gzip) {
            let (found, evidence) = maker(blob);
            assert_eq!(evidence, Evidence::Structure, "{name}");
            // skopeo and umoci pass on the layers that others compressed.
            match name {
                _ if name.contains("estargz") => assert_eq!(found, Maker::Estargz, "{name}"),
                _ if name.contains("go127") => assert_eq!(found, Maker::Go127, "{name}"),
                _ if name.contains("podman") || name.contains("buildah") => {
                    assert_eq!(found, Maker::Pgzip, "{name}")
                }
                _ => assert!(matches!(found, Maker::Go | Maker::Pgzip), "{name}: {found}"),
            }
        }
    }
}

#[test]
fn each_maker_has_a_row() {
    for row in &MAKERS {
        assert_eq!(row.maker.name(), row.name);
        assert_eq!(row.maker.to_string(), row.title);
    }
}

#[test]
fn fixed_and_stored_blocks_are_walked() {
    // By hand after RFC 1951: an empty fixed block, a stored block of "ab", a last fixed block of "a" and EOB.
    let stream = [0b0000_0010, 0b0000_0000, 2, 0, 0xfd, 0xff, b'a', b'b', 0x4b, 0x04, 0x00];
    let blocks: Vec<_> =
        Blocks::new(&stream).map(|block| (block.kind, block.last, block.symbols, block.decoded)).collect();
    let expected = [(Kind::Fixed, false, 0, 0), (Kind::Stored, false, 0, 2), (Kind::Fixed, true, 1, 1)];
    assert_eq!(blocks, expected);
}

proptest! {
    /// The walk finds as much content as there is, whatever the level.
    #[test]
    fn walks_to_the_end(length in 0usize..200_000, level in 0u32..10) {
        let blob = flate2(&generated(length), level);
        let blocks: Vec<_> = Blocks::new(&blob[10..]).collect();
        prop_assert!(blocks.iter().rev().skip(1).all(|block| !block.last));
        let last = blocks.last().unwrap();
        prop_assert!(last.last);
        prop_assert_eq!(last.decoded_end, length as u64);
        prop_assert_eq!(blocks.iter().map(|block| block.decoded).sum::<u64>(), length as u64);
    }

    /// Damage and noise are no reason to panic.
    #[test]
    fn survives_anything(noise in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..9000, bare: bool) {
        let head: &[u8] = if bare { b"\x1f\x8b\x08\0\0\0\0\0\0\xff" } else { b"\x1f\x8b\x08\0\0\0\0\0\0\x03" };
        prop_assert!(fingerprint(&[head, &noise].concat()).is_some());
        let mut blob = flate2(&generated(40_000), 6);
        let at = 10 + at % (blob.len() - 10);
        blob.splice(at.., noise);
        prop_assert!(fingerprint(&blob).is_some());
    }
}
