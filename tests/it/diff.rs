//! `diff`: one planted change at a time, pairs of real builds, and the laws it keeps.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use repro_build::archive::{OpenOptions, Source};
use repro_build::diff::{Cause, Diff, Input, LayerMatch, Options, Relation, Verdict, run};
use repro_build::ladder::Rung;
use repro_build::limits::Limits;
use repro_build::measure::Workers;
use repro_build::normalize::{self, normalize};
use repro_build::observe::Silent;
use repro_build::rules::Level;
use serde_json::json;

use crate::support::{
    Doc, Image, ImageBuilder, Layer, Layout, Member, Packing, fixtures, run as cli, tar, tool, write_sparse,
};

fn between(left: (&[u8], Option<&str>), right: (&[u8], Option<&str>), options: &Options) -> Diff {
    let open =
        |bytes: &[u8]| Source::from_bytes("image.tar", bytes.to_vec(), &OpenOptions::default()).unwrap();
    let (a, b) = (open(left.0), open(right.0));
    let (a, b) = (
        Input { source: &a, image: left.1.map(str::to_owned), platform: None },
        Input { source: &b, image: right.1.map(str::to_owned), platform: None },
    );
    run(&a, &b, options, &Limits::default(), &Workers::new(2).unwrap(), &Silent).unwrap()
}

fn diff(left: &[u8], right: &[u8]) -> Diff {
    between((left, None), (right, None), &Options::default())
}

/// Causes with what differs, less what is derived.
fn found(diff: &Diff) -> BTreeSet<(&'static str, String)> {
    let own = diff.changes().filter(|change| change.cause != Cause::Derived);
    own.map(|change| (change.cause.name(), change.field.to_string())).collect()
}

fn causes(diff: &Diff) -> BTreeSet<&'static str> {
    found(diff).into_iter().map(|(cause, _)| cause).collect()
}

fn pair(name: &str) -> Vec<u8> {
    std::fs::read(fixtures("pairs").join(name)).unwrap()
}

fn members() -> Vec<Member> {
    vec![
        Member::dir("etc/"),
        Member::file("etc/motd", "one\ntwo\nthree\n"),
        Member::file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n").xattr("user.note", "x"),
        Member::symlink("etc/mtab", "/proc/mounts"),
        Member::file("srv", "data"),
    ]
}

fn image(members: &[Member]) -> ImageBuilder {
    of_layer(Layer::new(members))
}

fn of_layer(layer: Layer) -> ImageBuilder {
    ImageBuilder::new(Layout::Oci, vec![Image::new(vec![layer]).name("example.com/lab/one:1")])
}

/// The image with one member changed.
fn with(position: usize, change: impl Fn(Member) -> Member) -> ImageBuilder {
    let mut members = members();
    members[position] = change(members[position].clone());
    image(&members)
}

fn gzip(level: u32, data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn one_planted_change_is_all_that_is_named() {
    let config = |pointer: &'static str, value: serde_json::Value| {
        image(&members())
            .json(Doc::Config(0), move |json| *json.pointer_mut(pointer).unwrap() = value.clone())
    };
    let mut more = members();
    more.push(Member::file("new", "x"));
    let mut swapped = members();
    swapped.swap(1, 2);
    let long = tar(&members()).into_iter().chain([0; 1024]).collect();
    let text = "some text that compresses, some text that compresses, some text that does not".repeat(40);
    let rich = [Member::file("text", text)];
    type Row = (&'static str, ImageBuilder, ImageBuilder, &'static str, &'static str);
    let rows: Vec<Row> = vec![
        (
            "content",
            image(&members()),
            with(1, |_| Member::file("etc/motd", "one\n2\nthree\n")),
            "content",
            "data",
        ),
        ("mode", image(&members()), with(1, |m| m.mode(0o4755)), "mode", "mode"),
        ("owner", image(&members()), with(1, |m| m.owner(7, 0)), "ownership", "uid"),
        ("group", image(&members()), with(1, |m| m.owner(0, 7)), "ownership", "gid"),
        ("xattr", image(&members()), with(1, |m| m.xattr("user.x", "1")), "xattr", "xattr user.x"),
        ("added", image(&members()), image(&more), "added", "entry"),
        ("removed", image(&more), image(&members()), "removed", "entry"),
        ("target", image(&members()), with(3, |_| Member::symlink("etc/mtab", "/else")), "content", "target"),
        ("time", image(&members()), with(1, |m| m.mtime(5)), "layer.mtime", "mtime"),
        ("fraction", image(&members()), with(1, |m| m.pax("mtime", "0.5")), "layer.mtime", "mtime"),
        ("uname", image(&members()), with(1, |m| m.owner_names("root", "")), "layer.owner-names", "uname"),
        ("type bits", image(&members()), with(1, |m| m.mode(0o100_644)), "layer.mode-type", "mode"),
        ("access time", image(&members()), with(1, |m| m.pax("atime", "1")), "layer.access-times", "atime"),
        ("dialect", image(&members()), with(1, |m| m.patch(257, *b"ustar  \0")), "layer.dialect", "dialect"),
        (
            "device of a file",
            image(&members()),
            with(1, |m| m.patch(329, *b"0000007\0")),
            "layer.unused-fields",
            "unused fields",
        ),
        ("record", image(&members()), with(1, |m| m.pax("comment", "x")), "layer.dialect", "pax comment"),
        ("order", image(&members()), image(&swapped), "layer.order", "order, 1 entry elsewhere"),
        (
            "end",
            image(&members()),
            of_layer(Layer::of_tar(long, Packing::Gzip)),
            "layer.framing",
            "end of the tar",
        ),
        ("env", image(&members()), config("/config/Env/1", json!("LAB=2")), "content", "/config/Env/1"),
        (
            "entrypoint",
            image(&members()),
            config("/config/Entrypoint/0", json!("/x")),
            "content",
            "/config/Entrypoint/0",
        ),
        (
            "label",
            image(&members()),
            config("/config/Labels/lab", json!("2")),
            "content",
            "/config/Labels/lab",
        ),
        (
            "history",
            image(&members()),
            config("/history/0/created_by", json!("RUN x")),
            "content",
            "/history/0/created_by",
        ),
        (
            "created",
            image(&members()),
            config("/created", json!("1970-01-01T00:00:09Z")),
            "config.created",
            "/created",
        ),
        (
            "step's time",
            image(&members()),
            config("/history/0/created", json!("1970-01-01T00:00:09Z")),
            "config.history",
            "/history/0/created",
        ),
        (
            "name",
            image(&members()),
            image(&members()).json(Doc::Index, |json| {
                json["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = json!("2");
            }),
            "archive.names",
            "/manifests/0/annotations/org.opencontainers.image.ref.name",
        ),
        (
            "annotation",
            image(&members()),
            image(&members()).json(Doc::Manifest(0), |json| {
                json["layers"][0]["annotations"] = json!({"buildkit/rewritten-timestamp": "0"});
            }),
            "manifest.encoding-notes",
            "/layers/0/annotations/buildkit~1rewritten-timestamp",
        ),
        (
            "gzip level",
            image(&rich),
            of_layer(Layer::new(&rich).blob(|blob| *blob = gzip(1, &tar(&rich)))),
            "layer.encoding",
            "gzip XFL",
        ),
        (
            "gzip time",
            image(&members()),
            of_layer(Layer::new(&members()).blob(|blob| blob[4] = 1)),
            "layer.encoding",
            "gzip MTIME",
        ),
        (
            "compression",
            image(&members()),
            of_layer(Layer::new(&members()).pack(Packing::Zstd)),
            "layer.encoding",
            "compression",
        ),
    ];
    for (what, left, right, cause, field) in rows {
        let (left, right) = (left.tar(), right.tar());
        let there = diff(&left, &right);
        let mut expected = BTreeSet::from([(cause, field.to_owned())]);
        let mut seen = found(&there);
        if cause == "layer.encoding" {
            // The encoder behind the header's field may be told too.
            expected.retain(|row| seen.contains(row));
            seen.retain(|(_, field)| field != "made by");
        }
        assert_eq!(seen, expected, "{what}");
        let verdict = match cause.split_once('.') {
            Some(("archive", _)) => Verdict::IdenticalImage,
            Some(_) => Verdict::Equalizable,
            None => Verdict::Different,
        };
        assert_eq!(there.verdict, verdict, "{what}");
        let mirrored = |diff: &Diff| -> BTreeSet<_> {
            let changes = diff.changes();
            changes.map(|c| (c.field.to_string(), c.left.clone(), c.right.clone())).collect()
        };
        let back = diff(&right, &left);
        let turned: BTreeSet<_> = mirrored(&back).into_iter().map(|(field, l, r)| (field, r, l)).collect();
        if what != "order" {
            assert_eq!(mirrored(&there), turned, "{what} is not symmetric");
        }
    }
}

#[test]
fn nothing_differs_from_itself() {
    for folder in ["good", "pairs"] {
        for entry in std::fs::read_dir(fixtures(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() || path.extension().is_some_and(|ext| ext == "tsv") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let diff = diff(&bytes, &bytes);
            assert_eq!(
                (diff.verdict, found(&diff).len()),
                (Verdict::IdenticalBytes, 0),
                "{}",
                path.display()
            );
            assert!(diff.same() && diff.remedy.is_none());
        }
    }
}

#[test]
fn buildkits_rewrite_differs_by_times_and_its_note() {
    let times =
        ["manifest.created", "config.created", "config.history", "layer.mtime", "manifest.encoding-notes"];
    let names = ["archive.names"];
    for (plain, rewritten, names) in [
        ("docker-small-plain.tar", "docker-small-rw0.tar", &names[..0]),
        ("docker-dup-plain.tar", "docker-dup-rw0.tar", &names[..0]),
        ("docker-awkward-plain.tar", "docker-awkward-rw0.tar", &names[..0]),
        ("tiny-plain-1.tar", "tiny-rw0-named.tar", &names[..]),
    ] {
        let diff = diff(&pair(plain), &pair(rewritten));
        let expected: BTreeSet<&str> = times.into_iter().chain(names.iter().copied()).collect();
        assert_eq!(causes(&diff), expected, "{plain}");
        assert_eq!(diff.verdict, Verdict::Equalizable);
        let remedy = diff.remedy.unwrap();
        assert_eq!((remedy.level, remedy.epoch), (Level::Canonical, Some(0)));
        assert_eq!(remedy.options.contains(&"--drop-names"), !names.is_empty());
    }
}

#[test]
fn two_builds_of_one_source_differ_by_times_only() {
    let diff = diff(&pair("tiny-plain-1.tar"), &pair("tiny-plain-2.tar"));
    let times = ["manifest.created", "config.created", "config.history", "layer.mtime"];
    assert_eq!(causes(&diff), times.into());
    let remedy = diff.remedy.unwrap();
    // The second before 2026-11-23T01:11:14Z, the first build's; expect.py says that the first layer is one.
    assert_eq!((remedy.level, remedy.epoch), (Level::Clamp, Some(1_795_396_273)));
    assert_eq!(diff.images[0].layers[0].relation, Relation::Same);
    assert_eq!(diff.images[0].layers[0].counts, (None, None), "a layer that both have is not opened");
}

#[test]
fn another_go_differs_by_compression_only() {
    for name in ["docker-small-rw0", "docker-awkward-rw0"] {
        let diff = diff(&pair(&format!("{name}.tar")), &pair(&format!("{name}-go127.tar")));
        assert_eq!(causes(&diff), ["layer.encoding"].into(), "{name}");
        let image = &diff.images[0];
        assert_eq!(image.parts_at(), Some(Rung::Layer));
        let (left, right) = (&image.left.as_ref().unwrap().ladder, &image.right.as_ref().unwrap().ladder);
        assert_eq!((&left.diff_ids, left.config), (&right.diff_ids, right.config));
        assert!(
            image.layers.iter().all(|layer| layer.relation == Relation::Repacked && layer.counts.0.is_none())
        );
    }
}

#[test]
fn the_same_image_from_other_tools_is_the_same_image() {
    let file = |name: &str| std::fs::read(fixtures("good").join(name)).unwrap();
    let docker20 = file("tiny-docker20-save.tar");
    for other in [
        "tiny-podman43-save-docker-archive.tar",
        "tiny-skopeo19-docker-archive.tar",
        "tiny-bk-docker-rw0.tar",
        "tiny-skopeo19-oci-archive.tar",
    ] {
        let diff = diff(&docker20, &file(other));
        assert_eq!(diff.verdict, Verdict::IdenticalImage, "{other}");
        let images = Options { level: Some(Level::Archive), ..Options::default() };
        assert!(between((&docker20, None), (&file(other), None), &images).same(), "{other}");
        assert!(
            causes(&diff).iter().all(|cause| {
                // The manifest is compared with the one that a docker-archive would be given.
                let of_archive = cause.starts_with("archive.") || cause.starts_with("manifest.");
                of_archive || *cause == "layer.encoding"
            }),
            "{other}: {:?}",
            causes(&diff)
        );
    }
}

#[test]
fn a_layer_in_the_middle_leaves_the_others_paired() {
    let layer = |name: &str, time| {
        Layer::new(&[
            Member::dir("d/"),
            Member::file(format!("d/{name}"), name).mtime(time),
            Member::file(format!("d/{name}2"), "2"),
        ])
    };
    let left =
        ImageBuilder::new(Layout::Oci, vec![Image::new(vec![layer("a", 1), layer("b", 1), layer("c", 1)])])
            .tar();
    let right = ImageBuilder::new(
        Layout::Oci,
        vec![Image::new(vec![layer("a", 1), layer("x", 1), layer("b", 2), layer("c", 2)])],
    )
    .tar();
    let diff = diff(&left, &right);
    let pairs: Vec<_> = diff.images[0].layers.iter().map(|layer| (layer.left, layer.right)).collect();
    assert_eq!(pairs, [(Some(0), Some(0)), (None, Some(1)), (Some(1), Some(2)), (Some(2), Some(3))]);
    let expected = [("added", "layer"), ("added", "/history/3"), ("layer.mtime", "mtime")];
    let expected = expected.map(|(cause, field)| (cause, field.to_owned()));
    assert_eq!(found(&diff), expected.into());
    let by_position = Options { layer_match: LayerMatch::Position, ..Options::default() };
    let diff = between((&left, None), (&right, None), &by_position);
    assert_eq!(diff.images[0].layers[1].right, Some(1));
}

#[test]
fn merged_file_systems_do_not_see_how_layers_are_split() {
    let file = |name: &str| Member::file(name, "x");
    let builder = |layers: Vec<Vec<Member>>| {
        ImageBuilder::new(
            Layout::Oci,
            vec![Image::new(layers.iter().map(|members| Layer::new(members)).collect())],
        )
        .json(Doc::Config(0), |json| json["history"] = json!([{"created_by": "all"}]))
        .tar()
    };
    let opaque = Member::file("d/.wh..wh..opq", []);
    let base = vec![Member::dir("d/"), file("d/old"), file("e")];
    let by_path = builder(vec![base.clone(), vec![Member::whiteout("d/old"), file("d/new")]]);
    let by_opaque = builder(vec![base.clone(), vec![Member::dir("d/"), opaque, file("d/new")]]);
    let squashed = builder(vec![vec![Member::dir("d/"), file("d/new"), file("e")]]);
    let options = Options { merged: true, ..Options::default() };
    for other in [&by_opaque, &squashed] {
        let diff = between((&by_path, None), (other, None), &options);
        assert_eq!((diff.verdict, found(&diff)), (Verdict::SameFileSystem, BTreeSet::new()));
    }
    let kept = builder(vec![base, vec![file("d/new")]]);
    let diff = between((&by_path, None), (&kept, None), &options);
    assert_eq!(found(&diff), [("added", "entry".to_owned())].into());
    assert_eq!(diff.images[0].merged.as_ref().unwrap()[0].path, b"d/old");
}

#[test]
fn one_platform_of_several_is_compared_with_another() {
    let multi = std::fs::read(fixtures("good").join("bk31-oci-multi-rw0.tar")).unwrap();
    let diff = between((&multi, Some("linux/amd64")), (&multi, Some("linux/arm64")), &Options::default());
    assert_eq!((diff.images.len(), diff.verdict), (1, Verdict::Different));
    let architecture = ("content", "/architecture".to_owned());
    assert!(found(&diff).contains(&architecture));
    let same = between((&multi, Some("linux/amd64")), (&multi, Some("linux/amd64")), &Options::default());
    assert_eq!(same.verdict, Verdict::IdenticalImage);
}

#[test]
fn what_is_asked_not_to_count_does_not() {
    let mut options = Options::default();
    options.causes.ignore("*time*").unwrap();
    options.causes.ignore("mode").unwrap();
    options.causes.ignore("encoding").unwrap();
    let (left, right) = (image(&members()).tar(), with(1, |m| m.mode(0o600)).tar());
    let diff = between((&left, None), (&right, None), &options);
    assert_eq!((diff.verdict, diff.same()), (Verdict::Ignored, true));
    let options = Options { level: Some(Level::Clamp), ..Options::default() };
    let (left, right) = (pair("tiny-plain-1.tar"), pair("tiny-plain-2.tar"));
    assert!(between((&left, None), (&right, None), &options).same());
    assert!(!between((&left, None), (&pair("tiny-rw0-named.tar"), None), &options).same());
}

#[test]
fn changed_text_is_shown_and_known_culprits_named() {
    let shadow = |day: &str| image(&[Member::file("etc/shadow", format!("root:*:0\nlab:!:{day}:0\n"))]).tar();
    let diff = diff(&shadow("19000"), &shadow("20000"));
    let entry = &diff.images[0].layers[0].entries[0];
    assert!(entry.culprit.unwrap().why.contains("password"));
    let lines = &entry.content.as_ref().unwrap().lines;
    let signs: String = lines.iter().map(|line| line.sign.character()).collect();
    assert_eq!((signs.as_str(), entry.content.as_ref().unwrap().first_difference), ("@ -+", Some(15)));
}

/// Where the content of the first entry that differs begins to.
fn first_difference(left: &[u8], right: &[u8]) -> Option<u64> {
    let packed = |layer: &[u8]| of_layer(Layer::of_tar(layer.to_vec(), Packing::Gzip)).tar();
    let diff = diff(&packed(left), &packed(right));
    diff.images[0].layers[0].entries[0].content.as_ref().unwrap().first_difference
}

/// GNU tar leaves the holes out, in all its formats; the offset is one in the file.
#[test]
fn sparse_files_are_compared_with_their_holes() {
    let Some(tar) = tool("tar") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut content = vec![0; 1 << 20];
    content[1 << 16..(1 << 16) + 4096].fill(b'x');
    for format in [&["gnu"][..], &["posix", "0.0"], &["posix", "0.1"], &["posix", "1.0"]] {
        let layer = |content: &[u8]| {
            write_sparse(&folder.path().join("file"), content);
            let mut command = tar.command();
            command.args(["--hole-detection=raw", "-cS", &format!("--format={}", format[0])]);
            command.args(format.get(1).map(|version| format!("--sparse-version={version}")));
            let output = command.arg("-C").arg(folder.path()).args(["file", "-f", "-"]).output().unwrap();
            assert!(output.status.success() && output.stdout.len() < 1 << 18, "the holes are stored");
            output.stdout
        };
        let mut other = content.clone();
        other[(1 << 16) + 5] = b'y';
        assert_eq!(first_difference(&layer(&content), &layer(&other)), Some((1 << 16) + 5), "{format:?}");
    }
}

#[test]
fn a_hole_without_end_costs_nothing() {
    let sparse = |byte: u8| {
        let stored = Member::file("file", vec![byte; 512]).pax("GNU.sparse.map", "4096,512");
        let stored = stored.pax("GNU.sparse.numblocks", "1").pax("GNU.sparse.major", "0");
        tar(&[stored.pax("GNU.sparse.minor", "1").pax("GNU.sparse.size", (1_u64 << 60).to_string())])
    };
    assert_eq!(first_difference(&sparse(b'x'), &sparse(b'y')), Some(4096));
}

#[test]
fn inputs_whose_names_are_not_utf_8_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &'static [u8]| folder.path().join(OsStr::from_bytes(name));
    let (left, right) = (at(b"caf\xe9.tar"), at(b"caf\xe8.tar"));
    std::fs::write(&left, ImageBuilder::good().tar()).unwrap();
    std::fs::write(&right, ImageBuilder::good().layout(Layout::Oci).tar()).unwrap();
    for format in ["text", "json", "html"] {
        let format = format!("--format={format}");
        let ran = cli(["diff".as_ref(), "-v".as_ref(), format.as_ref(), left.as_os_str(), right.as_os_str()]);
        let text = ran.stdout.replace(r"\\", r"\");
        assert!(text.contains(r"caf\xe9.tar") && text.contains(r"caf\xe8.tar"), "{text}");
    }
}

#[test]
fn claims_are_not_believed() {
    let good = image(&members());
    // Other bytes under the same digest and diff_id.
    let evil = Packing::Gzip.pack(&tar(&[Member::file("etc/motd", "evil\n")]));
    let bent = image(&members()).stored(Doc::Layer(0, 0), move |bytes| *bytes = evil.clone());
    let diff = diff(&good.tar(), &bent.tar());
    assert!(causes(&diff).contains("content"), "{:?}", found(&diff));
    assert!(diff.left.errors.is_empty() && !diff.right.errors.is_empty());
    assert_eq!(diff.verdict, Verdict::Different);
}

#[test]
fn what_normalize_did_is_what_diff_sees() {
    let inputs = [
        "pairs/docker-small-plain.tar",
        "pairs/docker-awkward-plain.tar",
        "pairs/tiny-plain-1.tar",
        "pairs/tiny-rw0-named.tar",
        "good/tiny-podman43-save-oci-archive.tar",
        "good/tiny-docker26-save.tar",
        "good/tiny-skopeo19-oci-archive.tar",
    ];
    for name in inputs {
        for level in Level::ALL {
            let input = std::fs::read(fixtures(Path::new(name).to_str().unwrap())).unwrap();
            let source = Source::from_bytes("in.tar", input.clone(), &OpenOptions::default()).unwrap();
            let mut output = Vec::new();
            let options = normalize::Options::new(level, Some(0));
            let outcome =
                normalize(&source, &options, &Workers::new(2).unwrap(), &Silent, &mut output).unwrap();
            let mut did: BTreeSet<&str> = outcome.changes.iter().map(|change| change.rule).collect();
            let diff = diff(&input, &output);
            let mut seen = causes(&diff);
            // That a layer with another content is compressed anew goes without saying.
            if diff
                .images
                .iter()
                .flat_map(|image| &image.layers)
                .any(|layer| layer.relation == Relation::Differs)
            {
                did.remove("layer.encoding");
                seen.remove("layer.encoding");
            }
            assert_eq!(seen, did, "{name} {}: {:#?}", level.name(), found(&diff));
            assert!(diff.same() || diff.remedy.is_some(), "{name}");
        }
    }
}

#[test]
fn the_remedy_does_what_it_says() {
    for (left, right) in [
        ("tiny-plain-1.tar", "tiny-plain-2.tar"),
        ("tiny-plain-1.tar", "tiny-rw0-named.tar"),
        ("docker-small-plain.tar", "docker-small-rw0.tar"),
        ("docker-awkward-plain.tar", "docker-awkward-rw0-go127.tar"),
        ("docker-small-rw0.tar", "docker-small-rw0-go127.tar"),
    ] {
        let (left, right) = (pair(left), pair(right));
        let remedy = diff(&left, &right).remedy.unwrap();
        let apply = |bytes: &[u8]| {
            let source = Source::from_bytes("in.tar", bytes.to_vec(), &OpenOptions::default()).unwrap();
            let mut options = normalize::Options::new(remedy.level, Some(remedy.epoch.unwrap_or_default()));
            if remedy.options.contains(&"--drop-names") {
                options.active.add("archive.names").unwrap();
            }
            let mut output = Vec::new();
            normalize(&source, &options, &Workers::new(2).unwrap(), &Silent, &mut output).unwrap();
            output
        };
        assert!(apply(&left) == apply(&right), "{remedy:?}");
    }
}
