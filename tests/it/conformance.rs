//! The program against archives of real tools and damaged ones, and against the reference's printed texts.
//!
//! Expectations are the tables beside the archives, which an independent reader made. The larger corpus may stand in
//! `shared` beside the checkout.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use repro_build::{
    archive::{OpenOptions, Source},
    error::Result,
    grade::Grade,
    image::ImageKind,
    inspect::{Request, inspect},
    measure::Workers,
    observe::Silent,
    verify::Verdict,
};

use crate::judge::{Fared, judge, told};
use crate::support::{
    Expect, Expected, ImageBuilder, Layer, Layout, Packing, expected, fixtures, shared, verdicts,
};

/// Warnings that good archives may raise, by a part of their file's name: what the tools that wrote them did.
const BY_DESIGN: [(&str, &str); 5] = [
    ("skopeo19-oci-uncompressed", "layer.media-type"),
    ("umoci047-gnu-dot", "tar.truncated-padding"),
    ("umoci047-nodot", "tar.truncated-padding"),
    ("umoci047-empty", "document.no-images"),
    ("umoci047-one", "tar.truncated-padding"),
];

/// What the table says of a good archive, read by this program.
fn read(row: &Expected) -> Result<(Expected, Verdict)> {
    let workers = Workers::new(0)?;
    let source = Source::open(&row.path, &OpenOptions::default())?;
    inspect(&source, &Request::default(), &workers, &Silent, |inspected| {
        let images = || inspected.images.iter().filter(|image| image.kind == ImageKind::Image);
        let facts = || {
            images()
                .flat_map(|image| &image.layers)
                .map(|layer| layer.blob.and_then(|blob| inspected.facts.blobs.get(&blob)?.layer.as_deref()))
        };
        let diff_id =
            |facts: &repro_build::measure::LayerFacts| Some(facts.diff_ids.first()?.0.hex()[..12].to_owned());
        let seen = Expected {
            path: row.path.clone(),
            file: row.file.clone(),
            layout: inspected.graph.layout().into(),
            image_digest: inspected.headline().map(|digest| digest.to_string()),
            configs: Vec::new(),
            layers: inspected.images.iter().map(|image| image.layers.len()).sum(),
            diff_ids: facts().map(|facts| facts.and_then(diff_id).unwrap_or_default()).collect(),
            entries: facts().map(|facts| facts.map(|facts| facts.counts.entries)).collect(),
        };
        (seen, inspected.verdict.clone())
    })
}

/// What differs from the table, in words.
fn compare_good(folder: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in expected(folder) {
        let (seen, verdict) = match read(&row) {
            Ok(read) => read,
            Err(error) => {
                wrong.push(format!("{}: {error}", row.file));
                continue;
            }
        };
        let entries =
            row.entries.iter().zip(&seen.entries).all(|(wanted, seen)| wanted.is_none() || wanted == seen);
        let attested = seen.layers >= seen.diff_ids.len() && seen.layers == row.layers;
        let same = row.layout == seen.layout
            && row.image_digest == seen.image_digest
            && row.diff_ids == seen.diff_ids
            && entries
            && attested;
        if !same {
            wrong.push(format!("{}: expected {row:?}\n  seen {seen:?}", row.file));
        }
        let by_design =
            |check: &str| BY_DESIGN.iter().any(|(file, id)| row.file.contains(file) && *id == check);
        let odd = verdict.findings.iter().filter(|f| f.grade > Grade::Note && !by_design(f.check));
        wrong.extend(odd.map(|finding| format!("{}: {finding}", row.file)));
    }
    wrong
}

/// What is met otherwise than the table wants, in words.
fn compare_bad(folder: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in verdicts(folder) {
        let (seen, has_findings, told) = judge_file(&row.path);
        let met = match row.expect {
            Expect::Accept => seen == Fared::Clean,
            Expect::Warn => seen != Fared::Refused && has_findings,
            Expect::Reject => seen == Fared::Refused,
        };
        if !met {
            wrong.push(format!("{}: {:?} ({}), but {seen:?}{told}", row.file, row.expect, row.what));
        }
    }
    wrong
}

fn judge_file(path: &Path) -> (Fared, bool, String) {
    let verdict = judge(fs::read(path).unwrap());
    (Fared::of(&verdict), verdict.as_ref().is_ok_and(|v| !v.findings.is_empty()), told(&verdict))
}

#[test]
fn good_fixtures_verify_with_the_digests_of_their_tables() {
    let wrong = [compare_good(&fixtures("good")), compare_good(&fixtures("pairs"))].concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn damaged_fixtures_are_met_as_their_table_says() {
    let wrong = compare_bad(&fixtures("bad"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_shared_corpus_is_met_as_its_tables_say() {
    let Some(corpus) = shared("corpus") else { return };
    let mut wrong = compare_good(&corpus.join("good"));
    wrong.extend(compare_good(&corpus.join("pairs")));
    wrong.extend(compare_bad(&corpus.join("bad")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Hostile archives whose expectation another one contradicts; refused then, unless a real tool writes such files.
const DISAGREEING: [(&str, Fared, &str); 4] = [
    ("short-511.tar", Fared::Refused, "Go refuses it, and no tool writes it"),
    ("type-53.tar", Fared::Refused, "Go refuses its data: a sparse file without map that has data"),
    ("dup-nfc-nfd.tar", Fared::Warned, "both names are the same bytes, so it is a true duplicate"),
    ("unreferenced.tar", Fared::Refused, "it also holds an entry ../../evil"),
];

#[test]
fn the_shared_hostile_archives_are_met_as_their_table_says() {
    let Some(root) = shared("hostile") else { return };
    let table = fs::read_to_string(root.join("EXPECT-synth.tsv")).unwrap();
    let mut wrong = Vec::new();
    for row in table.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let (file, expect, must) = (fields[0], fields[2], fields[3]);
        let mut archive = fs::read(root.join(file)).unwrap();
        if file.contains("/layers/") {
            let layer = Layer::of_tar(archive, Packing::Plain);
            archive = ImageBuilder::good().layout(Layout::Oci).layers(vec![layer]).tar();
        }
        let verdict = judge(archive);
        let seen = Fared::of(&verdict);
        let disagreeing = DISAGREEING.iter().find(|(name, ..)| file.ends_with(name));
        let met = match (disagreeing, expect) {
            (Some((_, wanted, _)), _) => seen == *wanted,
            (None, "ok") => seen == Fared::Clean,
            (None, "warn") => {
                seen != Fared::Refused && verdict.as_ref().is_ok_and(|v| !v.findings.is_empty())
            }
            _ => seen == Fared::Refused,
        };
        if !met {
            wrong.push(format!("{file}: {expect} ({must}), but {seen:?}{}", told(&verdict)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares `analyze` with the texts in `reference`, of the archives in `good`.
fn compare_reference(reference: &Path, good: &Path) -> usize {
    let mut compared = 0;
    let names: BTreeSet<String> = fs::read_dir(reference)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in names {
        let full = name.strip_suffix(".full.txt");
        let archive = good.join(full.or(name.strip_suffix(".txt")).unwrap());
        let mut analyze = Command::new(env!("CARGO_BIN_EXE_repro-build"));
        analyze.arg("analyze").args(full.map(|_| "--show-contents")).arg(archive);
        let output = analyze.output().unwrap();
        let wanted = fs::read(reference.join(&name)).unwrap();
        assert!(output.status.success() && output.stdout.starts_with(&wanted), "{name}");
        compared += 1;
    }
    compared
}

#[test]
fn analyze_begins_with_the_text_of_the_reference() {
    assert!(compare_reference(&fixtures("reference"), &fixtures("good")) > 20);
    if let (Some(reference), Some(good)) = (shared("reference"), shared("corpus/good")) {
        compare_reference(&reference, &good);
    }
}
