//! Layers that occur several times are decoded once, and nothing but their bytes makes them the same.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use repro_build::{
    archive::{OpenOptions, Source},
    inspect::{Request, inspect},
    measure::Workers,
    observe::{Event, Observer},
    report::wire,
};

use super::support::{Doc, Image, ImageBuilder, Layer, Layout, Member, Packing, run};

/// Counts layers that need not be decoded.
#[derive(Default)]
struct Spared(AtomicUsize);

impl Observer for Spared {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::Known { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is reported of an archive, and how many of its layers were known.
fn inspected(archive: &[u8], workers: &Workers, request: &Request) -> (String, usize) {
    let source = Source::from_bytes("image.tar", archive.to_vec(), &OpenOptions::default()).unwrap();
    let spared = Spared::default();
    let report = inspect(&source, request, workers, &spared, |inspected| {
        format!("{}\n{:#?}", serde_json::to_string_pretty(&wire::Input::of(inspected)).unwrap(), {
            let mut layers: Vec<_> = inspected.facts.blobs.iter().collect();
            layers.sort_by_key(|(id, _)| **id);
            layers
        })
    });
    (report.unwrap(), spared.0.into_inner())
}

fn base() -> Layer {
    Layer::new(&[Member::dir("bin/"), Member::file("bin/sh", vec![b'x'; 100_000]).mode(0o755)])
}

fn image(own: &str) -> ImageBuilder {
    ImageBuilder::good().layers(vec![base(), Layer::new(&[Member::file("srv/own", own)])])
}

#[test]
fn a_layer_of_many_archives_is_decoded_once() {
    let archives: Vec<Vec<u8>> =
        ["one", "two, which is longer", "three"].iter().map(|own| image(own).tar()).collect();
    let workers = Workers::new(1).unwrap().remembering();
    let mut spared = Vec::new();
    for archive in &archives {
        let (report, known) = inspected(archive, &workers, &Request::default());
        spared.push(known);
        let (alone, none) = inspected(archive, &Workers::new(1).unwrap(), &Request::default());
        assert_eq!((report, 0), (alone, none));
    }
    assert_eq!(spared, [0, 1, 1]);
    // Now both layers are known, but not what somebody wants to know who asks for more.
    let again = |request: &Request| inspected(&archives[0], &workers, request).1;
    assert_eq!(again(&Request::default()), 2);
    let mut more = Request::default();
    more.also.listing = true;
    assert_eq!(again(&more), 0);
    let mut stricter = Request::default();
    stricter.limits.max_unpacked = 1000;
    assert_eq!(again(&stricter), 0);
    assert_eq!(again(&Request::default()), 2);
}

#[test]
fn the_same_bytes_under_two_names_are_decoded_once() {
    let layers = || vec![base()];
    let by_two_algorithms = ImageBuilder::new(
        Layout::Oci,
        vec![
            Image::new(layers()).name("example.com/a:1"),
            Image::new(layers()).algorithm("sha512").name("example.com/b:1"),
        ],
    );
    // No digest is claimed of these anywhere.
    let pack = |bytes: &mut Vec<u8>| *bytes = Packing::Gzip.pack(bytes);
    let without_digest = ImageBuilder::good()
        .layout(Layout::Legacy)
        .layers(vec![base(), base()])
        .text(Doc::Layer(0, 0), pack)
        .text(Doc::Layer(0, 1), pack);
    for archive in [by_two_algorithms.tar(), without_digest.tar()] {
        let (alone, spared) = inspected(&archive, &Workers::new(1).unwrap(), &Request::default());
        assert_eq!(spared, 1);
        for threads in [2, 3, 8] {
            let (report, _) = inspected(&archive, &Workers::new(threads).unwrap(), &Request::default());
            assert_eq!(report, alone, "{threads} threads");
        }
    }
}

/// Archives of one base layer, of which one is damaged in place: its name, length and descriptor stay.
fn archives() -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for i in 0..12 {
        let image = image(&"x".repeat(i));
        let image = if i == 5 { image.stored(Doc::Layer(0, 0), |bytes| bytes[60] ^= 1) } else { image };
        files.push(folder.path().join(format!("{i:02}.tar")));
        fs::write(&files[i], image.tar()).unwrap();
    }
    (folder, files)
}

#[test]
fn a_damaged_copy_of_a_known_layer_is_found() {
    let (_folder, files) = archives();
    let one_by_one: Vec<Option<i32>> =
        files.iter().map(|file| run(["verify".as_ref(), file.as_os_str()]).code).collect();
    let mut expected = vec![Some(0); files.len()];
    expected[5] = Some(1);
    assert_eq!(one_by_one, expected);
    for first in [0, 5] {
        let mut files = files.clone();
        files.swap(0, first);
        for threads in ["1", "2", "8"] {
            let args = ["verify", "--format", "json", "-j", threads].map(PathBuf::from);
            let report = run(args.into_iter().chain(files.clone())).json();
            for (input, file) in report["inputs"].as_array().unwrap().iter().zip(&files) {
                let alone = run([PathBuf::from("verify"), "--format=json".into(), file.clone()]).json();
                let mut alone = alone["inputs"][0].clone();
                alone["position"] = input["position"].clone();
                assert_eq!(*input, alone, "{threads} threads");
            }
            assert_eq!(report["summary"]["failed"], 1);
        }
    }
}
