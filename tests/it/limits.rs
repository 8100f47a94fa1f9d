//! Limits, each hit: a finding or an error that quotes the limit, and never a pass.

use std::path::Path;
use std::process::Command;

use repro_build::archive::{EntryIndex, FaultKind, Found};
use repro_build::grade::Grade;
use repro_build::image::resolve;
use repro_build::limits::Limits;
use repro_build::location::Location;
use repro_build::tar::AnomalyKind;
use serde_json::{Value, json};

use crate::support::{Doc, ImageBuilder, Layer, Layout, Member, Packing, run, tar};

/// What `verify` says of an archive: its code and its words.
fn verify(archive: &[u8], args: &[&str]) -> (Option<i32>, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-build"));
    let output = command.arg("verify").arg(file.path()).args(args).output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&words).into_owned())
}

fn image(members: &[Member]) -> ImageBuilder {
    ImageBuilder::good().layout(Layout::Oci).layers(vec![Layer::of_tar(tar(members), Packing::Gzip)])
}

#[test]
fn what_is_as_much_as_a_limit_passes_and_what_is_one_more_is_found() {
    let good = ImageBuilder::good().build();
    let length =
        |doc| good.members().iter().find(|m| m.name == good.name(doc).as_bytes()).unwrap().data.len();
    let documents = [Doc::Index, Doc::Manifest(0), Doc::Config(0), Doc::DockerManifest];
    let longest = documents.map(length).into_iter().max().unwrap();
    // LENGTH, a space, `path=`, the name, a newline: 30 bytes.
    let extended = image(&[Member::file("a", "").pax("path", "b".repeat(21))]);
    let unpacked = tar(&[Member::file("a", "x")]).len();
    let compressed = Packing::Zstd.pack(&good.bytes);
    let cases: [(&str, usize, &[u8], i32, &str); 6] = [
        ("--max-json", longest, &good.bytes, 1, "json.too-large"),
        ("--max-extension", 30, &extended.tar(), 1, "tar.extension-too-large"),
        ("--max-members", 40, &image(&vec![Member::dir("d/"); 40]).tar(), 1, "tar.too-many-members"),
        ("--max-depth", 4, &image(&[]).nested(4).tar(), 1, "document.index-depth"),
        ("--max-unpacked", unpacked, &image(&[Member::file("a", "x")]).tar(), 1, "layer.unpacked-limit"),
        ("--max-unpacked", good.bytes.len(), &compressed, 2, "the archive unpacks to"),
    ];
    for (flag, limit, archive, code, word) in cases {
        let (passed, words) = verify(archive, &[flag, &limit.to_string()]);
        assert_eq!(passed, Some(0), "{flag} {limit}: {words}");
        let limit = (limit - 1).to_string();
        let (failed, words) = verify(archive, &[flag, &limit]);
        assert_eq!(failed, Some(code), "{flag} {limit}: {words}");
        assert!(
            words.contains(word) && words.contains(&limit) && !words.contains("PASS"),
            "{flag} {limit}: {words}"
        );
    }
}

/// 64^8 and 2^30 ways lead to the one manifest: whoever went them all would never come to an end.
#[test]
fn a_document_that_many_ways_lead_to_is_read_once() {
    for (depth, width) in [(8, 64), (30, 2)] {
        let wide = |builder: ImageBuilder, level| {
            builder.json(Doc::NestedIndex(level), move |index| {
                let manifests = vec![index["manifests"][0].clone(); width];
                index["manifests"] = manifests.into();
            })
        };
        let builder = (0..depth).fold(image(&[]).nested(depth), wide);
        let archive = builder.tar();
        let limits = Limits { max_depth: 64, ..Limits::default() };
        let index = EntryIndex::of_tar(&archive, &limits);
        let graph = resolve(&index, Location::new("image.tar"), &limits);
        // oci-layout, index.json, the nested ones, a manifest and a configuration.
        assert_eq!(graph.documents.len(), depth + 4);
        let (code, words) = verify(&archive, &[]);
        assert_eq!(code, Some(if depth < 16 { 0 } else { 1 }), "{words}");
        assert_eq!(words.contains("document.index-depth"), depth >= 16, "{words}");
    }
}

/// 25,000 entries of `index.json` name one index, which lists one manifest 25,000 times: 625 million ways to it. An
/// entry that says no name, or one that was said before, has nothing to add.
#[test]
fn an_index_that_many_entries_name_is_walked_once_for_each_name() {
    const NAME: &str = "org.opencontainers.image.ref.name";
    let many = |index: &mut Value| index["manifests"] = vec![index["manifests"][0].clone(); 25_000].into();
    let named = move |index: &mut Value| {
        index["manifests"][0]["annotations"] = json!({});
        many(index);
        for (at, name) in [(7, "b"), (9, "a"), (11, "b"), (20_000, "c")] {
            index["manifests"][at]["annotations"] = json!({NAME: name});
        }
    };
    let archive = image(&[]).nested(1).json(Doc::NestedIndex(0), many).json(Doc::Index, named).tar();
    let limits = Limits::default();
    let index = EntryIndex::of_tar(&archive, &limits);
    let graph = resolve(&index, Location::new("image.tar"), &limits);
    assert_eq!(graph.images.len(), 1);
    assert_eq!(graph.images[0].names, ["b", "a", "c"]);
    assert!(graph.faults.is_empty(), "{:?}", graph.faults);
}

/// 10,000 names of 10,000 images are 100 million: more than the archive has bytes, many times over.
#[test]
fn names_that_many_images_share_are_limited() {
    let many = |index: &mut Value| index["manifests"] = vec![index["manifests"][0].clone(); 10_000].into();
    let named = move |index: &mut Value| {
        many(index);
        for (at, entry) in index["manifests"].as_array_mut().unwrap().iter_mut().enumerate() {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": at.to_string()});
        }
    };
    let archive = image(&[]).nested(1).json(Doc::NestedIndex(0), many).json(Doc::Index, named).tar();
    let (code, words) = verify(&archive, &[]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("document.many-names") && words.contains("limit 33554432 bytes"), "{words}");
}

/// Indexes that are each listed by `index.json` and by one another, the innermost first: each is read where it is not
/// deep, and yet they are nested as deep as ever.
#[test]
fn indexes_are_as_deep_as_the_longest_way_to_them() {
    let nested = image(&[]).nested(5);
    let built = nested.build();
    let inner: Vec<Value> = (0..4)
        .rev()
        .map(|level| {
            let name = built.name(Doc::NestedIndex(level)).as_bytes();
            let member = built.members().iter().find(|member| member.name == name).unwrap();
            serde_json::from_slice::<Value>(&member.data).unwrap()["manifests"][0].clone()
        })
        .collect();
    let listed = nested.json(Doc::Index, move |index| {
        let outermost = index["manifests"][0].clone();
        index["manifests"] = [inner.clone(), vec![outermost]].concat().into();
    });
    let depth = |limit| {
        let (code, words) = verify(&listed.tar(), &["--max-depth", limit]);
        (code, words.contains("document.index-depth"))
    };
    assert_eq!(depth("5"), (Some(0), false));
    assert_eq!(depth("4"), (Some(1), true));
}

#[test]
fn an_outer_archive_has_a_limit_of_its_own() {
    let archive = tar(&[Member::dir("a/"), Member::dir("b/"), Member::dir("c/")]);
    let told = |max_entries| {
        let index = EntryIndex::of_tar(&archive, &Limits { max_entries, ..Limits::default() });
        index.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::TooManyMembers)
    };
    assert!(!told(3) && told(2));
}

#[test]
fn names_and_links_that_no_system_takes_are_neither_kept_nor_found() {
    // PATH_MAX of Linux is 4096 bytes; `./` does not count for who cleans the name first.
    let long = format!("{}a", "./".repeat(1 << 18));
    let named: Vec<Member> = (0..100).map(|i| Member::file(format!("{long}{i}"), "")).collect();
    let linked = [
        Member::file("a", ""),
        Member::symlink("s", &long),
        Member::hardlink("h", &long),
        Member::symlink("short", "./a"),
    ];
    let archive = tar(&[named, linked.to_vec()].concat());
    let index = EntryIndex::of_tar(&archive, &Limits::default());
    let kept: usize = index.entries.iter().map(|entry| entry.name.len() + entry.link.len()).sum();
    assert!(kept < 110 * 4100, "{kept} bytes");
    let told: usize = index.faults.iter().map(|fault| fault.name.len() + fault.detail.len()).sum();
    assert!(told < 40 * 4200, "{told} bytes");
    let of = |kind| index.faults.iter().filter(move |fault| fault.kind == kind);
    assert!(of(FaultKind::UnsafeName).all(|fault| fault.kind.grade() == Grade::Error));
    assert!(of(FaultKind::UnsafeName).next_back().unwrap().detail.contains("100 in all"));
    assert_eq!(index.find(b"a1"), Found::Missing);
    assert_eq!(index.find(&index.entries[1].name), Found::Broken(FaultKind::UnsafeName));
    assert_eq!(index.find(b"s"), Found::Broken(FaultKind::LinkLoop));
    assert_eq!(index.find(b"h"), Found::Broken(FaultKind::HardlinkMissing));
    assert_eq!(index.find(b"short"), index.find(b"a"));
}

#[test]
fn files_of_a_folder_are_judged_by_their_names_too() {
    let folder = image(&[]).build().folder();
    std::fs::write(folder.path().join("blobs\\evil"), "").unwrap();
    let ran = run([Path::new("verify"), folder.path()]);
    assert!(ran.stdout.contains("archive.odd-name"), "{}", ran.stdout);
}
