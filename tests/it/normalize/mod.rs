//! `normalize`: what BuildKit does is the oracle, what tools wrote the input, what other readers see the proof.

mod attestations;
mod laws;
mod names;
mod refusals;
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use repro_build::archive::{OpenOptions, Source};
use repro_build::error::Result;
use repro_build::measure::Workers;
use repro_build::normalize::{Attestations, Base, Layout, Options, Outcome, normalize};
use repro_build::observe::Silent;
use repro_build::rules::Level;
use serde_json::Value;

use crate::support::{
    Doc, Expected, Image, ImageBuilder, Layer, Layout as Written, Member, Packing, digest, expected,
    fixtures, shared,
};

/// Normalises an archive in memory.
fn run(input: &[u8], options: &Options) -> Result<(Vec<u8>, Outcome)> {
    run_on(2, input, options)
}

fn run_on(threads: usize, input: &[u8], options: &Options) -> Result<(Vec<u8>, Outcome)> {
    let source = Source::from_bytes("in.tar", input.to_vec(), &OpenOptions::default())?;
    let mut out = Vec::new();
    let outcome = normalize(&source, options, &Workers::new(threads)?, &Silent, &mut out)?;
    Ok((out, outcome))
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

/// An archive's files by name, as another reader sees them.
fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            assert!(files.insert(name, bytes).is_none());
        }
    }
    files
}

fn blob<'f>(files: &'f BTreeMap<String, Vec<u8>>, digest: &Value) -> &'f [u8] {
    &files[&format!("blobs/{}", digest.as_str().unwrap().replace(':', "/"))]
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Manifest and configuration of the first image of an OCI layout.
fn first_image(files: &BTreeMap<String, Vec<u8>>) -> (Value, Vec<u8>) {
    let index = json(&files["index.json"]);
    let manifest = json(blob(files, &index["manifests"][0]["digest"]));
    let config = blob(files, &manifest["config"]["digest"]).to_vec();
    (manifest, config)
}

/// The rows of the tables of good archives and of pairs, of the fixtures and of the data beside the checkout.
fn rows(folder: &str) -> Vec<Expected> {
    let more = shared(&format!("corpus/{folder}")).map(|path| expected(&path)).unwrap_or_default();
    expected(&fixtures(folder)).into_iter().chain(more).collect()
}

fn good(file: &str) -> PathBuf {
    fixtures("good").join(file)
}

/// The table beside the pairs has the digests that an independent reader computed of BuildKit's own rewrite.
#[test]
fn plain_builds_become_what_buildkit_rewrites() {
    let rows = rows("pairs");
    let pairs = [
        ("docker-awkward-plain.tar", "docker-awkward-rw0.tar"),
        ("docker-dup-plain.tar", "docker-dup-rw0.tar"),
        ("docker-small-plain.tar", "docker-small-rw0.tar"),
        ("tiny-plain-1.tar", "tiny-rw0-named.tar"),
        ("tiny-plain-2.tar", "tiny-rw0-named.tar"),
    ];
    for (plain, rewritten) in pairs {
        let row = |file: &str| rows.iter().find(|row| row.file == file).unwrap();
        let (out, _) = run(&read(&row(plain).path), &Options::new(Level::Clamp, Some(0))).unwrap();
        let (_, config) = first_image(&files(&out));
        let row = row(rewritten);
        let diff_ids: Vec<String> = json(&config)["rootfs"]["diff_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap()["sha256:".len()..][..12].to_owned())
            .collect();
        assert_eq!(diff_ids, row.diff_ids, "{plain}");
        // The same digest means: the same bytes, diff_ids, times and all.
        assert_eq!(digest("sha256", &config)["sha256:".len()..][..12], row.configs[0], "{plain}");
    }
}

#[test]
fn what_buildkit_rewrote_stays_byte_for_byte() {
    let mut count = 0;
    for row in rows("good").into_iter().chain(rows("pairs")) {
        let of_buildkit =
            row.file.starts_with("bk31") || row.file.starts_with("tiny-bk") || row.file.contains("rw0");
        if !of_buildkit || row.file.contains("plain") || row.file.contains("estargz") {
            continue;
        }
        let input = read(&row.path);
        for level in [Level::Archive, Level::Clamp] {
            let (out, outcome) = run(&input, &Options::new(level, Some(0))).unwrap();
            assert!(out == input, "{} at {level:?}: {:?}", row.file, outcome.changes);
            assert!(!outcome.changed && outcome.changes.is_empty() && outcome.digests.is_empty());
        }
        count += 1;
    }
    assert!(count >= 14, "only {count} archives");
}

#[test]
fn two_builds_at_different_times_become_one() {
    for level in [Level::Clamp, Level::Canonical, Level::Sorted] {
        let options = Options::new(level, Some(0));
        let of = |file| run(&read(&fixtures("pairs").join(file)), &options).unwrap().0;
        assert!(of("tiny-plain-1.tar") == of("tiny-plain-2.tar"), "{level:?}");
    }
}

#[test]
fn one_image_saved_by_many_tools_becomes_one() {
    let mut options = Options::new(Level::Canonical, Some(0));
    options.layout = Some(Layout::Oci);
    options.active.add("archive.names").unwrap();
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in expected(&fixtures("good")) {
        if row.file.starts_with("tiny-") && row.configs == ["0d12b6846fe3"] && row.layers == 3 {
            let (_, outcome) = run(&read(&row.path), &options).unwrap();
            seen.entry(outcome.archive.to_string()).or_default().push(row.file);
        }
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let tools: Vec<&str> = seen.values().flatten().map(|file| file.split('-').nth(1).unwrap()).collect();
    for tool in ["bk", "docker20", "docker26", "docker26c", "podman43", "skopeo19"] {
        assert!(tools.contains(&tool), "{tool} is missing from {tools:?}");
    }
}

/// Times of members, later and earlier than the epoch; the one that is earlier stays.
fn two_layers() -> ImageBuilder {
    let base = Layer::new(&[Member::dir("etc/").mtime(50), Member::file("etc/a", "a").mtime(5000)]);
    let top = Layer::new(&[Member::file("b", "b").mtime(6000)]);
    ImageBuilder::good().layers(vec![base, top])
}

#[test]
fn a_base_image_is_left_alone() {
    let late = |config: &mut Value| {
        config["created"] = "2020-01-01T00:00:00Z".into();
        for step in config["history"].as_array_mut().unwrap() {
            step["created"] = "2020-01-01T00:00:00Z".into();
        }
    };
    let input = two_layers().json(Doc::Config(0), late).tar();
    let before = files(&input);
    let (manifest, config) = first_image(&before);
    let by_diff_id = json(&config)["rootfs"]["diff_ids"][0].as_str().unwrap().to_owned();
    let by_digest = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
    for base in [by_diff_id, by_digest] {
        let options =
            Options { base: Base::parse(&base).unwrap(), ..Options::new(Level::Canonical, Some(1000)) };
        let after = files(&run(&input, &options).unwrap().0);
        let (new_manifest, new_config) = first_image(&after);
        assert_eq!(new_manifest["layers"][0], manifest["layers"][0]);
        assert_ne!(new_manifest["layers"][1], manifest["layers"][1]);
        let history = &json(&new_config)["history"];
        assert_eq!(
            (&history[0]["created"], &history[1]["created"]),
            (&"2020-01-01T00:00:00Z".into(), &"1970-01-01T00:16:40Z".into())
        );
    }
}

/// Names of members as they stand in the first layer, global headers among them.
fn raw_names(archive: &[u8]) -> Vec<String> {
    let files = files(archive);
    let layer = blob(&files, &first_image(&files).0["layers"][0]["digest"]);
    let mut layer = tar::Archive::new(flate2::read::MultiGzDecoder::new(layer));
    let entries = layer.entries().unwrap().raw(true);
    entries.map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap()).collect()
}

#[test]
fn global_headers_that_stay_are_sorted_with_the_member_behind_them() {
    let comment = |of: &str| Member::pax_global(&[("comment", of)]);
    let (a, b) = (Member::file("a", "1"), Member::file("b", "2"));
    let mut options = Options::new(Level::Sorted, Some(0));
    options.active.remove("layer.global-headers").unwrap();
    for members in [[b.clone(), comment("a"), a.clone(), comment("")], [comment("a"), a, b, comment("")]] {
        let input = ImageBuilder::good().layers(vec![Layer::new(&members)]).tar();
        let (output, _) = run(&input, &options).unwrap();
        assert_eq!(raw_names(&output), ["pax_global_header", "a", "b", "pax_global_header"]);
    }
}

#[test]
fn attestations_fail_stay_or_go() {
    let input = two_layers().image(Image::attestation(0)).tar();
    let before = files(&input);
    let with = |attestations| Options { attestations, ..Options::new(Level::Clamp, Some(1000)) };
    assert!(run(&input, &with(Attestations::Fail)).unwrap_err().to_string().contains("--attestations"));

    let (kept, outcome) = run(&input, &with(Attestations::Keep)).unwrap();
    let after = files(&kept);
    let manifests = &json(&after["index.json"])["manifests"];
    assert_eq!(manifests[1]["annotations"]["vnd.docker.reference.digest"], manifests[0]["digest"]);
    assert_ne!(manifests[0]["digest"], json(&before["index.json"])["manifests"][0]["digest"]);
    assert_eq!(manifests[1]["digest"], json(&before["index.json"])["manifests"][1]["digest"]);
    assert!(outcome.notes.iter().any(|note| note.contains("attestations were kept")));

    let after = files(&run(&input, &with(Attestations::Drop)).unwrap().0);
    assert_eq!(json(&after["index.json"])["manifests"].as_array().unwrap().len(), 1);
    // Attestations of what does not change are nobody's concern.
    let untouched = Options::new(Level::Clamp, Some(10_000));
    assert_eq!(json(&files(&run(&input, &untouched).unwrap().0)["index.json"]), json(&before["index.json"]));
}

#[test]
fn layouts_turn_into_each_other() {
    let to = |input: &[u8], layout| {
        let options = Options { layout: Some(layout), ..Options::new(Level::Archive, None) };
        run(input, &options).unwrap().0
    };
    let oci = read(&good("tiny-bk-oci-rw0.tar"));
    // BuildKit's own type=docker of the same image is the oracle.
    assert!(to(&oci, Layout::Docker) == read(&good("tiny-bk-docker-rw0.tar")));
    assert!(to(&read(&good("tiny-bk-docker-rw0.tar")), Layout::Oci) == oci);

    let docker = read(&good("tiny-docker20-save.tar"));
    let config = "0d12b6846fe3b821f74f3d8bdfab2e658e9eb56b54e95026971abdb8cbe8a750";
    for layout in [Layout::Oci, Layout::Docker] {
        let out = to(&docker, layout);
        let after = files(&out);
        assert_eq!(digest("sha256", &first_image(&after).1), format!("sha256:{config}"));
        let names = &json(&after["index.json"])["manifests"][0]["annotations"];
        assert_eq!(names["io.containerd.image.name"], "docker.io/lab/tiny:1");
        assert!(to(&out, layout) == out);
    }
    let (kept, outcome) = run(&docker, &Options::new(Level::Archive, None)).unwrap();
    assert_eq!(outcome.layout, "docker");
    assert_eq!(files(&kept).keys().filter(|name| name.ends_with(".tar")).count(), 3);
    assert_eq!(digest("sha256", &files(&kept)[&format!("{config}.json")]), format!("sha256:{config}"));
}

/// dockerd counts: `manifest.json` must name as many layers as the configuration.
#[test]
fn a_foreign_layer_that_is_not_here_keeps_its_place() {
    let [base, top] = ["a", "b"].map(|name| Layer::new(&[Member::file(name, name)]));
    let foreign = base.media_type("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    let builder = ImageBuilder::good().layout(Written::Oci).layers(vec![foreign, top]);
    let built = builder.missing(Doc::Layer(0, 0)).build();
    let options = Options { layout: Some(Layout::Docker), ..Options::new(Level::Archive, None) };
    let (out, _) = run(&built.bytes, &options).unwrap();
    let layers = [0, 1].map(|layer| built.digest(Doc::Layer(0, layer)).replace("sha256:", "blobs/sha256/"));
    assert_eq!(json(&files(&out)["manifest.json"])[0]["Layers"], serde_json::json!(layers));
    assert!(run(&out, &Options::new(Level::Archive, None)).is_ok());
}

#[test]
fn a_change_is_told_where_another_layer_has_that_form_already() {
    let late = || Layer::new(&[Member::file("a", "a").mtime(5000)]);
    let options = Options::new(Level::Clamp, Some(1000));
    let (out, _) = run(&ImageBuilder::good().layers(vec![late()]).tar(), &options).unwrap();
    let after = files(&out);
    let normal = blob(&after, &first_image(&after).0["layers"][0]["digest"]).to_vec();
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(&normal[..]).read_to_end(&mut tar).unwrap();
    let early = Layer::of_tar(tar, Packing::Gzip).blob(|blob| *blob = normal);
    for layers in [vec![early.clone(), late()], vec![late(), early]] {
        let (_, outcome) = run(&ImageBuilder::good().layers(layers).tar(), &options).unwrap();
        let told =
            |change: &&repro_build::normalize::Change| change.rule == "layer.mtime" && change.count == 1;
        assert_eq!(outcome.changes.iter().filter(told).count(), 1, "{:?}", outcome.changes);
    }
}

#[test]
fn what_goes_is_not_changed_first() {
    let late = Member::file("a", "a").pax("atime", "5000.5").pax("ctime", "6000");
    let input = ImageBuilder::good().layers(vec![Layer::new(&[late])]).tar();
    let rules = |level| {
        let (_, outcome) = run(&input, &Options::new(level, Some(1000))).unwrap();
        let layers = outcome.changes.into_iter().filter(|change| change.rule.starts_with("layer."));
        layers.map(|change| change.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(Level::Clamp), ["layer.atime", "layer.ctime"]);
    assert_eq!(rules(Level::Canonical), ["layer.access-times"]);
}

#[test]
fn what_tools_noted_of_a_blob_goes_with_the_blob() {
    let input = read(&good("bk31-oci-small-estargz.tar"));
    let (out, outcome) = run(&input, &Options::new(Level::Clamp, Some(0))).unwrap();
    let (manifest, _) = first_image(&files(&out));
    assert!(manifest["layers"].as_array().unwrap().iter().all(|layer| layer.get("annotations").is_none()));
    assert!(
        outcome.changes.iter().any(|change| change.rule == "manifest.encoding-notes" && change.count == 4)
    );
}
