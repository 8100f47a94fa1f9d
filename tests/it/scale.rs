//! One run or many: shards and their merged reports say what a single run says.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::support::{Doc, ImageBuilder, Ran, program, run};

/// Images of which some are wrong and some are none at all.
pub(super) fn archive(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bad = ImageBuilder::good().stored(Doc::Config(0), |bytes| bytes.push(b' ')).tar();
    let good = ImageBuilder::good().tar();
    for i in 0..count {
        let content = match i % 5 {
            3 => bad.as_slice(),
            4 => b"nothing",
            _ => good.as_slice(),
        };
        fs::write(folder.path().join(format!("{i:03}.tar")), content).unwrap();
    }
    folder
}

/// Names within an archive: they, and so the shards, are the same in every run of the tests.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
    names.sort();
    names
}

fn verify(folder: &Path, args: &[&str], names: &[PathBuf]) -> Ran {
    Ran::of(program().arg("verify").args(args).args(names).current_dir(folder).output().unwrap())
}

fn merge(args: &[&str], files: &[PathBuf]) -> Ran {
    let args = ["merge"].iter().chain(args).map(PathBuf::from);
    run(args.chain(files.iter().cloned()))
}

/// Runs each of `count` shards and keeps their reports.
fn shards(archive: &Path, names: &[PathBuf], count: usize, folder: &Path) -> Vec<PathBuf> {
    let run = |number: usize| {
        let shard = format!("{number}/{count}");
        let ran = verify(archive, &["--format", "ndjson", "--archive-digests", "--shard", &shard], names);
        let file = folder.join(format!("{number}.ndjson"));
        fs::write(&file, ran.stdout).unwrap();
        file
    };
    (1..=count).map(run).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn merged_shards_are_one_run(inputs in 1_usize..14, count in 1_usize..6, turn in 0_usize..6) {
        let (archive, reports) = (archive(inputs), tempfile::tempdir().unwrap());
        let names = names(archive.path());
        let mut files = shards(archive.path(), &names, count, reports.path());
        files.rotate_left(turn % count);
        for format in repro_build::report::FORMATS {
            let args = ["--format", format.name];
            let whole = verify(archive.path(), &[&args[..], &["--archive-digests"]].concat(), &names);
            prop_assert_eq!(merge(&args, &files), whole, "{}", format.name);
        }
    }
}

#[test]
fn reports_that_do_not_fit_are_refused() {
    let (archive, folder) = (archive(9), tempfile::tempdir().unwrap());
    let names = names(archive.path());
    let mut files = shards(archive.path(), &names, 3, folder.path());
    // The one with most records is the one that is bent.
    files.sort_by_key(|file| std::cmp::Reverse(fs::metadata(file).unwrap().len()));
    let refused = |files: &[PathBuf], says: &str| {
        let ran = merge(&[], files);
        assert_eq!(ran.code, Some(2), "{says}");
        assert!(ran.stderr.contains(says) && ran.stdout.is_empty(), "{says}: {}", ran.stderr);
    };
    refused(&files[..2], "missing of 3 shards: ");
    refused(&[files.clone(), vec![files[0].clone()]].concat(), "the same shard as");
    let bent = |name: &str, bend: &dyn Fn(&str) -> String| {
        let file = folder.path().join(name);
        fs::write(&file, bend(&fs::read_to_string(&files[0]).unwrap())).unwrap();
        [vec![file], files[1..].to_vec()].concat()
    };
    let without = |text: &str, n: usize| {
        let lines: Vec<&str> = text.lines().collect();
        lines
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != n)
            .map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
    };
    let last = |text: &str| text.lines().count() - 1;
    refused(&bent("no-footer", &|text| without(text, last(text))), "unfinished");
    refused(&bent("no-header", &|text| without(text, 0)), "no header");
    refused(&bent("no-record", &|text| without(text, 1)), "unfinished");
    refused(
        &bent("other-footer", &|text| text.replacen("\"unreadable\":", "\"unreadable\":1", 1)),
        "its footer does not count its records",
    );
    refused(&bent("cut", &|text| text[..text.len() / 2].to_owned()), "unfinished");
    refused(&bent("more", &|text| format!("{text}{text}")), "goes on after the footer");
    refused(
        &bent("escape", &|text| text.replacen(".tar", "\\u001b[2J.tar", 1)),
        "not as this program writes it",
    );
    let below = |name: &str| {
        fs::create_dir(folder.path().join(name)).unwrap();
        folder.path().join(name)
    };
    let fewer = shards(archive.path(), &names, 2, &below("two"));
    refused(&[files[0].clone(), fewer[1].clone()], "another number of shards");
    let other = shards(archive.path(), &names[1..], 3, &below("other"));
    // Of the same number as the first of the others, so that only the list tells it from that.
    let number = files[0].file_name().unwrap();
    let stranger = other.iter().find(|file| file.file_name() == Some(number)).unwrap();
    refused(&[vec![stranger.clone()], files[1..].to_vec()].concat(), "a shard of another list");
    // A shard that passes for another one.
    let head = |file: &PathBuf| fs::read_to_string(file).unwrap().lines().next().unwrap().to_owned();
    let shard = |file: &PathBuf| {
        let header: serde_json::Value = serde_json::from_str(&head(file)).unwrap();
        format!("\"number\":{},", header["shard"]["number"])
    };
    let disguised = bent("disguised", &|text| text.replacen(&shard(&files[0]), &shard(&files[1]), 1));
    let overlapping = [vec![files[0].clone(), disguised[0].clone()], files[2..].to_vec()].concat();
    refused(&overlapping, "as another report has");
}

#[test]
fn digests_that_were_not_measured_are_not_made_up() {
    let (archive, folder) = (archive(4), tempfile::tempdir().unwrap());
    let names = names(archive.path());
    let (with, without) = (folder.path().join("1.ndjson"), folder.path().join("2.ndjson"));
    let shard = |number: &'static str, more: &[&'static str]| {
        verify(archive.path(), &[&["--format", "ndjson", "--shard", number], more].concat(), &names).stdout
    };
    fs::write(&with, shard("1/2", &["--archive-digests"])).unwrap();
    fs::write(&without, shard("2/2", &[])).unwrap();
    let mixed = merge(&[], &[with, without.clone()]);
    assert!(mixed.code == Some(2) && mixed.stderr.contains("--archive-digests"), "{}", mixed.stderr);
    fs::write(&without, verify(archive.path(), &["--format", "ndjson"], &names).stdout).unwrap();
    let ran = merge(&["--format", "sha256sum"], &[without]);
    assert!(ran.code == Some(2) && ran.stderr.contains("--archive-digests"), "{}", ran.stderr);
}

#[test]
fn the_engine_says_which_shard() {
    let archive = archive(8);
    let names = names(archive.path());
    let output = program()
        .args(["verify", "--format", "ndjson", "--shard-from-env", "--shard-total", "3"])
        .args(&names)
        .current_dir(archive.path())
        .env("JOB_COMPLETION_INDEX", "1")
        .output()
        .unwrap();
    let asked = verify(archive.path(), &["--format", "ndjson", "--shard", "2/3"], &names);
    assert_eq!(Ran::of(output), asked);
    assert_eq!(verify(archive.path(), &["--shard", "4/3"], &names).code, Some(2));
    assert_eq!(verify(archive.path(), &["--shard", "0/3"], &names).code, Some(2));
}

#[test]
fn one_more_input_moves_no_other() {
    let archive = archive(12);
    let names = names(archive.path());
    let of = |names: &[PathBuf]| -> Vec<String> {
        let report = verify(archive.path(), &["--format", "json", "--shard", "1/3"], names).json();
        let inputs = report["inputs"].as_array().unwrap().clone();
        inputs.iter().map(|input| input["name"].as_str().unwrap().to_owned()).collect()
    };
    let (before, after) = (of(&names[1..]), of(&names));
    let gone: Vec<&String> = before.iter().filter(|name| !after.contains(name)).collect();
    assert!(!before.is_empty() && gone.is_empty() && after.len() <= before.len() + 1, "{before:?} {after:?}");
}

#[test]
fn a_shard_without_inputs_passes() {
    let archive = archive(1);
    let names = names(archive.path());
    let codes: Vec<_> =
        (1..=4).map(|k| verify(archive.path(), &["--shard", &format!("{k}/4")], &names).code).collect();
    assert_eq!(codes, [Some(0); 4]);
}
