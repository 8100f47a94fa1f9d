//! The identity ladder against digests that are made here, or that stand in the archive.

use std::collections::BTreeSet;

use repro_build::{
    archive::{OpenOptions, Source},
    inspect::{Request, inspect},
    ladder::Rung,
    observe::Silent,
};
use serde_json::json;

use crate::judge::WORKERS;
use crate::support::{Doc, Image, ImageBuilder, Layer, Layout, Member, Packing, digest, run, tar};

/// Every digest on each image's ladder, with the rung's name.
fn ladders(builder: &ImageBuilder) -> Vec<Vec<(Rung, String)>> {
    let source = Source::from_bytes("image.tar", builder.tar(), &OpenOptions::default()).unwrap();
    inspect(&source, &Request::default(), &WORKERS, &Silent, |inspected| {
        let rungs =
            |&image| inspected.ladder(image).rungs().map(|(rung, id)| (rung, id.to_string())).collect();
        inspected.images.iter().map(rungs).collect()
    })
    .unwrap()
}

/// The names of an archive's blobs, as digests, by the `tar` crate.
fn blobs(archive: &[u8]) -> BTreeSet<String> {
    let mut entries = tar::Archive::new(archive);
    let paths = entries.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned());
    let names = paths.map(|path| path.to_str().unwrap().to_owned());
    names
        .filter_map(|name| Some(name.strip_prefix("blobs/")?.replace('/', ":")))
        .filter(|name| name.len() > 64)
        .collect()
}

#[test]
fn every_blob_stands_on_the_ladder_by_the_name_it_has() {
    for algorithm in ["sha256", "sha384", "sha512"] {
        let builder =
            ImageBuilder::good().layout(Layout::Oci).map(|image| image.algorithm(algorithm)).nested(1);
        let ladder: BTreeSet<String> =
            ladders(&builder).concat().into_iter().map(|(_, digest)| digest).collect();
        let blobs = blobs(&builder.tar());
        assert_eq!(blobs.len(), 5);
        assert!(blobs.is_subset(&ladder), "{algorithm}: {blobs:?} not in {ladder:?}");
    }
}

#[test]
fn diff_ids_are_of_the_algorithm_that_the_images_own_configuration_names() {
    let contents = [tar(&[Member::file("a", "one\n")]), tar(&[Member::file("b", "two\n")])];
    let layers = || contents.iter().map(|tar| Layer::of_tar(tar.clone(), Packing::Gzip)).collect();
    let other = Image::new(layers()).name("example.com/lab/other:1");
    let ids = |algorithm| contents.each_ref().map(|tar| digest(algorithm, tar));
    let of = [ids("sha256"), ids("sha512")];
    let named = of[1].clone();
    let builder = ImageBuilder::good()
        .layout(Layout::Oci)
        .layers(layers())
        .image(other)
        .json(Doc::Config(1), move |config| config["rootfs"]["diff_ids"] = json!(named));
    for (ladder, of) in ladders(&builder).iter().zip(of) {
        let on = |rung| ladder.iter().filter(move |(on, _)| *on == rung).map(|(_, digest)| digest.clone());
        assert_eq!(on(Rung::DiffId).collect::<Vec<_>>(), of);
        let chain = digest("sha256", format!("{} {}", of[0], of[1]).as_bytes());
        assert_eq!(on(Rung::ChainId).collect::<Vec<_>>(), [chain]);
    }
}

#[test]
fn compressed_layers_of_a_docker_archive_have_digests() {
    let content = tar(&[Member::file("a", "one\n")]);
    let packed = Packing::Gzip.pack(&content);
    let builder = ImageBuilder::good()
        .layout(Layout::Docker)
        .layers(vec![Layer::of_tar(content.clone(), Packing::Plain)])
        .stored(Doc::Layer(0, 0), |bytes| *bytes = Packing::Gzip.pack(bytes));
    let ladder = ladders(&builder).concat();
    assert!(ladder.contains(&(Rung::Layer, digest("sha256", &packed))), "{ladder:?}");
    assert!(ladder.contains(&(Rung::DiffId, digest("sha256", &content))), "{ladder:?}");
}

/// What `digest` prints, or says in its place.
fn printed(file: &tempfile::NamedTempFile, args: &[&str]) -> Result<String, String> {
    let ran = run([&["digest"], args, &[file.path().to_str().unwrap()]].concat());
    if ran.code == Some(0) { Ok(ran.stdout.trim_end().to_owned()) } else { Err(ran.stderr) }
}

#[test]
fn a_tag_that_is_a_number_is_a_name() {
    let image = |content: &str| Image::new(vec![Layer::new(&[Member::file("a", content)])]);
    let tag = |i: usize, tag: &'static str| {
        move |index: &mut serde_json::Value| {
            index["manifests"][i]["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        }
    };
    let builder = ImageBuilder::new(Layout::Oci, vec![image("two"), image("one"), image("none")]);
    let built = builder.json(Doc::Index, tag(0, "2")).json(Doc::Index, tag(1, "1")).build();
    let file = built.file();
    let manifest = |i| Ok(built.digest(Doc::Manifest(i)).to_owned());
    assert_eq!(printed(&file, &["--image", "1"]), manifest(1));
    assert_eq!(printed(&file, &["--image", "2"]), manifest(0));
    // Nothing is called so.
    assert_eq!(printed(&file, &["--image", "3"]), manifest(2));
}

#[test]
fn a_rung_that_images_share_needs_no_choice() {
    let other = Image::new(vec![Layer::new(&[Member::file("b", "b")])]).platform("linux/arm64");
    let built = ImageBuilder::good().layout(Layout::Oci).image(other).nested(1).build();
    let (file, index) = (built.file(), Ok(built.digest(Doc::NestedIndex(0)).to_owned()));
    assert_eq!(printed(&file, &["--rung", "index"]), index);
    assert!(printed(&file, &["--rung", "manifest"]).unwrap_err().contains("--platform"));
    let none =
        ImageBuilder::good().layout(Layout::Oci).json(Doc::Index, |index| index["manifests"] = json!([]));
    let none = none.build().file();
    assert!(printed(&none, &["--rung", "manifest"]).unwrap_err().contains("names no image"));
}
