//! Every small change of a small image is reported.
//!
//! Of one image in each layout: every bit, every length and every byte of every blob that a digest names, every length
//! of the archive; and bits anywhere else, which are reported or change nothing. Bits outside of blobs are sampled, one
//! of [`STRIDE`]; `REPRO_EXHAUSTIVE=1` takes them all.

use repro_build::grade::Grade;

use crate::judge::{Fared, WORKERS, judge, ladders};
use crate::support::{Built, Doc, Image, ImageBuilder, Layer, Layout, Member, tar};

/// Of so many bits outside of blobs one is tried; a prime, so that all bits of a byte have their turn.
const STRIDE: usize = 13;

fn exhaustive() -> bool {
    std::env::var_os("REPRO_EXHAUSTIVE").is_some_and(|value| value == "1")
}

/// The smallest image there is to all four layouts.
fn small(layout: Layout) -> Built {
    let layer = Layer::new(&[Member::file("a", "one\n")]);
    ImageBuilder::new(layout, vec![Image::new(vec![layer]).name("example.com/lab/small:1")]).build()
}

/// What digests name in a layout.
fn blobs(layout: Layout) -> &'static [Doc] {
    match layout {
        Layout::Oci | Layout::Both => &[Doc::Manifest(0), Doc::Config(0), Doc::Layer(0, 0)],
        Layout::Docker | Layout::Legacy => &[Doc::Config(0), Doc::Layer(0, 0)],
    }
}

/// Where in the archive a blob's content stands.
fn place(built: &Built, doc: Doc) -> std::ops::Range<usize> {
    let mut at = 0;
    for member in built.members() {
        let bytes = member.bytes();
        if member.name == built.name(doc).as_bytes() {
            return at + 512..at + 512 + member.data.len();
        }
        at += bytes.len();
    }
    panic!("{doc:?} is not there");
}

/// The archive with a blob's content replaced, headers and all.
fn with(built: &Built, doc: Doc, data: Vec<u8>) -> Vec<u8> {
    let mut members = built.members().to_vec();
    let member = members.iter_mut().find(|member| member.name == built.name(doc).as_bytes()).unwrap();
    member.data = data;
    tar(&members)
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// Tries every case and returns those that fared better than `least`.
fn missed(count: usize, least: Fared, case: impl Fn(usize) -> Vec<u8> + Sync) -> Vec<usize> {
    let cases: Vec<usize> = (0..count).collect();
    let met = WORKERS.map(&cases, |_, i| Fared::of(&judge(case(*i))) >= least);
    cases.into_iter().zip(met).filter(|(_, met)| !met).map(|(i, _)| i).collect()
}

#[test]
fn every_change_of_a_referenced_blob_is_refused() {
    let inserted: &[u8] = if exhaustive() { &[0, b' ', b'0', 0xff] } else { b"0" };
    let (mut tried, mut all_missed) = (0, Vec::new());
    let mut run = |what: String, least: Fared, count: usize, case: &(dyn Fn(usize) -> Vec<u8> + Sync)| {
        tried += count;
        all_missed.extend(missed(count, least, case).into_iter().map(|i| format!("{what} {i}")));
    };
    for layout in Layout::ALL {
        let built = small(layout);
        assert_eq!(Fared::of(&judge(built.bytes.clone())), Fared::Clean);
        for doc in blobs(layout) {
            let content = &built.bytes[place(&built, *doc)];
            let len = content.len();
            let start = place(&built, *doc).start;
            run(format!("{layout:?} {doc:?} bit"), Fared::Refused, len * 8, &|bit| {
                flipped(&built.bytes, start * 8 + bit)
            });
            run(format!("{layout:?} {doc:?} cut to"), Fared::Refused, len, &|end| {
                with(&built, *doc, content[..end].to_vec())
            });
            run(format!("{layout:?} {doc:?} without byte"), Fared::Refused, len, &|at| {
                with(&built, *doc, [&content[..at], &content[at + 1..]].concat())
            });
            for &byte in inserted {
                run(format!("{layout:?} {doc:?} with {byte:#x} before"), Fared::Refused, len + 1, &|at| {
                    with(&built, *doc, [&content[..at], &[byte], &content[at..]].concat())
                });
            }
        }
        // Cut behind the last blob, it may be an image that only lacks `oci-layout` or an end marker.
        run(format!("{layout:?} archive cut to"), Fared::Warned, built.bytes.len(), &|end| {
            built.bytes[..end].to_vec()
        });
    }
    eprintln!("mutation of referenced blobs and lengths: {tried} tried, {} missed", all_missed.len());
    assert!(all_missed.is_empty(), "{all_missed:#?}");
}

#[test]
fn other_bits_are_reported_or_change_nothing() {
    let stride =
        if std::env::var_os("REPRO_EXHAUSTIVE").is_some_and(|value| value == "1") { 1 } else { STRIDE };
    let (mut tried, mut reported, mut missed) = (0, 0, Vec::new());
    for layout in Layout::ALL {
        let built = small(layout);
        let good = ladders(built.bytes.clone()).unwrap();
        // What the root documents say is theirs to say: nothing names their digests.
        let documents = [Doc::Index, Doc::OciLayout, Doc::DockerManifest, Doc::Repositories];
        let here = |doc: &Doc| {
            built.members().iter().any(|m| built.has(*doc) && m.name == built.name(*doc).as_bytes())
        };
        let skipped: Vec<_> = documents
            .iter()
            .chain(blobs(layout))
            .filter(|doc| here(doc))
            .map(|doc| place(&built, *doc))
            .collect();
        let bits: Vec<usize> = (0..built.bytes.len() * 8)
            .filter(|bit| bit % stride == 0 && !skipped.iter().any(|range| range.contains(&(bit / 8))))
            .collect();
        let outcomes = WORKERS.map(&bits, |_, bit| {
            let bytes = flipped(&built.bytes, *bit);
            let told =
                judge(bytes.clone()).is_err() || judge(bytes.clone()).is_ok_and(|v| !v.findings.is_empty());
            (told, told || ladders(bytes).is_ok_and(|ladders| ladders == good))
        });
        tried += bits.len();
        reported += outcomes.iter().filter(|(told, _)| *told).count();
        let wrong = bits.iter().zip(&outcomes).filter(|(_, (_, harmless))| !harmless);
        missed.extend(wrong.map(|(bit, _)| format!("{layout:?} byte {:#x} bit {}", bit / 8, bit % 8)));
    }
    eprintln!(
        "bits of headers, padding and end marker, one of {stride}: {tried} tried, {reported} reported, {} missed",
        missed.len()
    );
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn root_documents_are_refused_or_still_name_verified_content() {
    let stride =
        if std::env::var_os("REPRO_EXHAUSTIVE").is_some_and(|value| value == "1") { 1 } else { STRIDE };
    let (mut tried, mut refused) = (0, 0);
    for layout in Layout::ALL {
        let built = small(layout);
        let good = ladders(built.bytes.clone()).unwrap();
        for doc in [Doc::Index, Doc::DockerManifest].into_iter().filter(|doc| built.has(*doc)) {
            let range = place(&built, doc);
            let bits: Vec<usize> = (range.start * 8..range.end * 8).step_by(stride).collect();
            let outcomes = WORKERS.map(&bits, |_, bit| {
                let bytes = flipped(&built.bytes, *bit);
                match judge(bytes.clone()) {
                    Ok(verdict) if verdict.count(Grade::Error) == 0 => Some(ladders(bytes).unwrap()),
                    _ => None,
                }
            });
            tried += bits.len();
            refused += outcomes.iter().filter(|outcome| outcome.is_none()).count();
            // Whatever passes has the digests it had: a bit of a root document cannot make another image pass.
            for (bit, ladders) in bits.iter().zip(outcomes).filter_map(|(bit, ladders)| Some((bit, ladders?)))
            {
                let known =
                    ladders.iter().all(|(_, rungs)| rungs.iter().all(|rung| good[0].1.contains(rung)));
                assert!(known, "{layout:?} {doc:?} byte {:#x} bit {}: {ladders:?}", bit / 8, bit % 8);
            }
        }
    }
    eprintln!("bits of root documents, one of {stride}: {tried} tried, {refused} refused");
}
