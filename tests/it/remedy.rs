//! What `diff` promises: its remedy makes two archives equal, and nothing it calls the same differs in what `normalize`
//! writes. `normalize` itself is the judge.

use std::slice::from_ref;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use repro_build::archive::{OpenOptions, Source};
use repro_build::diff::{Cause, Diff, Input, Options, Remedy, Verdict, run};
use repro_build::image::Platform;
use repro_build::limits::Limits;
use repro_build::measure::Workers;
use repro_build::normalize::{self, normalize};
use repro_build::observe::Silent;
use repro_build::rules::Level;
use serde_json::{Value, json};

use crate::remedied;
use crate::support::{Doc, Image, ImageBuilder, Layer, Layout, Member, Packing, fixtures, tar};

fn open(bytes: &[u8]) -> Source {
    Source::from_bytes("image.tar", bytes.to_vec(), &OpenOptions::default()).unwrap()
}

fn with(left: &[u8], right: &[u8], options: &Options, platform: Option<&str>) -> Diff {
    let (a, b) = (open(left), open(right));
    let platform = platform.and_then(Platform::parse);
    let [a, b] = [&a, &b].map(|source| Input { source, image: None, platform: platform.clone() });
    run(&a, &b, options, &Limits::default(), &Workers::new(2).unwrap(), &Silent).unwrap()
}

fn diff(left: &[u8], right: &[u8]) -> Diff {
    with(left, right, &Options::default(), None)
}

/// The causes, less what is derived, each once.
fn causes(diff: &Diff) -> Vec<&'static str> {
    let mut causes: Vec<&str> =
        diff.changes().map(|change| change.cause.name()).filter(|name| *name != "derived").collect();
    causes.sort_unstable();
    causes.dedup();
    causes
}

/// What `normalize` makes of an archive; `None` where it refuses.
fn apply(input: &[u8], remedy: &Remedy) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    normalize(&open(input), &remedied::options(remedy), &Workers::new(2).unwrap(), &Silent, &mut output)
        .ok()?;
    Some(output)
}

/// All that `normalize` can do.
fn most() -> Remedy {
    Remedy {
        level: Level::Sorted,
        epoch: Some(0),
        options: vec!["--drop-names", "--layout oci", "--attestations drop"],
    }
}

const A: i64 = 1_700_000_000;
const B: i64 = 1_700_000_100;
const NAME: &str = "example.com/lab/one:1";

fn file(time: i64) -> Member {
    Member::file("a", "hi").mtime(time)
}

fn of(members: &[Member]) -> ImageBuilder {
    ImageBuilder::new(Layout::Oci, vec![Image::new(vec![Layer::new(members)])])
}

fn line_end(doc: Doc, builder: ImageBuilder) -> ImageBuilder {
    builder.text(doc, |text| text.push(b'\n'))
}

fn indented(doc: Doc, width: usize, builder: ImageBuilder) -> ImageBuilder {
    builder.text(doc, move |text| {
        let value: Value = serde_json::from_slice(text).unwrap();
        let spaces = " ".repeat(width);
        let style = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
        text.clear();
        serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(text, style))
            .unwrap();
    })
}

fn layer(layer: Layer) -> ImageBuilder {
    ImageBuilder::new(Layout::Oci, vec![Image::new(vec![layer])])
}

fn zstd(time: i64) -> ImageBuilder {
    layer(Layer::new(&[file(time)]).pack(Packing::Zstd))
}

fn plain(time: i64) -> ImageBuilder {
    layer(Layer::new(&[file(time)]).pack(Packing::Plain))
}

/// A plain tar of which is said that it is compressed, as skopeo does it.
fn mislabelled(time: i64) -> ImageBuilder {
    layer(Layer::new(&[file(time)]).pack(Packing::Plain).media_type(Packing::Gzip.media_type()))
}

fn docker_labelled(time: i64) -> ImageBuilder {
    let media_type = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    layer(Layer::new(&[file(time)]).pack(Packing::Plain).media_type(media_type))
}

/// A docker-archive whose image has no name: `null` stands for the list of them.
fn untagged() -> ImageBuilder {
    ImageBuilder::new(Layout::Docker, vec![Image::new(vec![Layer::new(&[file(A)])])])
}

fn tagged(names: Value) -> ImageBuilder {
    untagged().json(Doc::DockerManifest, move |list| list[0]["RepoTags"] = names.clone())
}

/// A layer whose first file is followed by padding that is not zero.
fn padded(time: i64) -> ImageBuilder {
    let mut stream = tar(&[file(time)]);
    stream[512 + 2] = b'x';
    ImageBuilder::new(Layout::Oci, vec![Image::new(vec![Layer::of_tar(stream, Packing::Gzip)])])
}

#[test]
fn a_difference_is_seen_beside_another() {
    let comment = |text: &str| Member::pax_global(&[("comment", text)]);
    let created = |builder: ImageBuilder| {
        builder.json(Doc::Config(0), |config| config["created"] = json!("2024-01-02T00:00:00Z"))
    };
    const CREATED: &[&str] = &["config.created", "encoding"];
    type Row = (&'static str, ImageBuilder, ImageBuilder, &'static [&'static str], Option<Level>);
    let canonical = Some(Level::Canonical);
    let read = |time: i64| of(&[file(A).pax("atime", time.to_string())]);
    let changed = |time: i64| of(&[file(A).pax("ctime", time.to_string())]);
    let rows: Vec<Row> = vec![
        ("a time", of(&[file(A)]), of(&[file(B)]), &["layer.mtime"], Some(Level::Clamp)),
        ("an access time", read(A), read(B), &["layer.atime"], Some(Level::Clamp)),
        ("a change time", changed(A), changed(B), &["layer.ctime"], Some(Level::Clamp)),
        ("an access time there and none here", of(&[file(A)]), read(B), &["layer.access-times"], canonical),
        (
            "a record that repeats a field",
            of(&[file(A)]),
            of(&[file(B).pax("path", "a")]),
            &["layer.dialect", "layer.mtime"],
            canonical,
        ),
        (
            "such a record of another member",
            of(&[file(A), Member::file("b", "").pax("uid", "0")]),
            of(&[file(B), Member::file("b", "")]),
            &["layer.dialect", "layer.mtime"],
            canonical,
        ),
        (
            "a global header",
            of(&[file(A)]),
            of(&[comment("x"), file(A)]),
            &["layer.global-headers"],
            canonical,
        ),
        (
            "a global header and a time",
            of(&[file(A)]),
            of(&[comment("x"), file(B)]),
            &["layer.global-headers", "layer.mtime"],
            canonical,
        ),
        (
            "another global header and a time",
            of(&[comment("x"), file(A)]),
            of(&[comment("y"), file(B)]),
            &["layer.global-headers", "layer.mtime"],
            canonical,
        ),
        ("no names", untagged(), tagged(json!([])), &["archive.documents"], Some(Level::Archive)),
        ("a name", untagged(), tagged(json!([NAME])), &["archive.names"], Some(Level::Archive)),
        ("a label that is not the layer's", mislabelled(A), zstd(A), &["layer.encoding"], canonical),
        (
            "a label that is not the layer's, of another family",
            docker_labelled(A),
            zstd(A),
            &["layer.encoding"],
            canonical,
        ),
        ("one layer and two labels", mislabelled(A), plain(A), &["layer.encoding"], canonical),
        ("padding", of(&[file(A)]), padded(A), &["layer.framing"], canonical),
        ("padding and a time", of(&[file(A)]), padded(B), &["layer.framing", "layer.mtime"], canonical),
        (
            "a configuration's line end and its time",
            of(&[file(A)]),
            line_end(Doc::Config(0), created(of(&[file(A)]))),
            CREATED,
            None,
        ),
        (
            "a configuration's white space and its time",
            indented(Doc::Config(0), 2, of(&[file(A)])),
            indented(Doc::Config(0), 4, created(of(&[file(A)]))),
            CREATED,
            None,
        ),
        (
            "a manifest's line end and a time",
            of(&[file(A)]),
            line_end(Doc::Manifest(0), of(&[file(B)])),
            &["layer.mtime", "manifest.form"],
            canonical,
        ),
        (
            "a manifest's white space and a time",
            indented(Doc::Manifest(0), 2, of(&[file(A)])),
            indented(Doc::Manifest(0), 4, of(&[file(B)])),
            &["layer.mtime", "manifest.form"],
            canonical,
        ),
        (
            "an index's line end and a time",
            of(&[file(A)]),
            line_end(Doc::Index, of(&[file(B)])),
            &["layer.mtime", "manifest.form"],
            canonical,
        ),
        (
            "empty annotations",
            of(&[file(A)]),
            of(&[file(A)]).json(Doc::Manifest(0), |manifest| manifest["annotations"] = json!({})),
            &["manifest.form"],
            canonical,
        ),
        (
            "an order that whiteouts make matter",
            of(&[Member::dir("d/"), Member::file("d/x", ""), Member::whiteout("d/x"), Member::file("e", "")]),
            of(&[Member::file("e", ""), Member::dir("d/"), Member::file("d/x", ""), Member::whiteout("d/x")]),
            &["order"],
            None,
        ),
        (
            "an order below a link",
            of(&[Member::symlink("l", "d"), Member::file("l/x", ""), Member::file("e", "")]),
            of(&[Member::file("e", ""), Member::symlink("l", "d"), Member::file("l/x", "")]),
            &["order"],
            None,
        ),
        (
            "layers in another order",
            ImageBuilder::new(Layout::Oci, vec![Image::new(vec![Layer::new(&[file(A)]), lower()])]),
            ImageBuilder::new(Layout::Oci, vec![Image::new(vec![lower(), Layer::new(&[file(A)])])]),
            &["order"],
            None,
        ),
    ];
    for (what, left, right, expected, level) in rows {
        let (left, right) = (left.tar(), right.tar());
        let diff = diff(&left, &right);
        assert_eq!(causes(&diff), expected, "{what}: {:#?}", diff.changes().collect::<Vec<_>>());
        assert_eq!(diff.remedy.as_ref().map(|remedy| remedy.level), level, "{what}");
        match &diff.remedy {
            Some(remedy) => {
                let made = apply(&left, remedy);
                assert!(made.is_some() && made == apply(&right, remedy), "{what}: {remedy:?}");
            }
            None => {
                let made = apply(&left, &most());
                assert!(made.is_none() || made != apply(&right, &most()), "{what} is not told of");
            }
        }
    }
}

#[test]
fn what_does_not_count_at_a_level_is_equal_behind_normalize_at_it() {
    let link = |target: &[u8]| of(&[Member::symlink("l", target)]);
    let unknown = |kind| of(&[Member::of_kind(kind, "a", "")]);
    let labelled = |media_type: &str, created: &'static str| {
        let layer = Layer::new(&[file(A)]).media_type(media_type);
        ImageBuilder::new(Layout::Oci, vec![Image::new(vec![layer])])
            .json(Doc::Config(0), move |config| config["created"] = json!(created))
    };
    let mut rows = vec![
        ("a target that is not UTF-8 and its escape", link(b"caf\xe9"), link(br"caf\xe9")),
        ("two types that nobody knows", unknown(b'X'), unknown(b'Y')),
    ];
    for media_type in [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
        "application/vnd.oci.image.layer.v1.tar+gzip; a=b",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ] {
        let gzip = labelled(Packing::Gzip.media_type(), "2024-01-01T00:00:00Z");
        rows.push((media_type, gzip, labelled(media_type, "2024-01-02T00:00:00Z")));
    }
    for (what, left, right) in rows {
        let (left, right) = (left.tar(), right.tar());
        for level in Level::ALL {
            let options = Options { level: Some(level), epoch: Some(0), ..Options::default() };
            if with(&left, &right, &options, None).same() {
                let made = |input| apply(input, &Remedy { level, epoch: Some(0), options: Vec::new() });
                let made_left = made(&left);
                assert!(made_left.is_some() && made_left == made(&right), "{what}: {}", level.name());
            }
        }
    }
}

#[test]
fn what_normalize_makes_equal_at_a_level_does_not_count_at_it() {
    let long = |time| {
        let mut stream = tar(&[file(time)]);
        stream.extend([0; 8192]);
        layer(Layer::of_tar(stream, Packing::Gzip))
    };
    let read = |time: i64| of(&[file(A).pax("atime", time.to_string())]);
    // The epoch comes before the times, or behind them.
    for (what, left, right, epoch, expected) in [
        ("access times", read(A), read(B), A - 1, true),
        ("access times that stay", read(A), read(B), B, false),
        ("an end", of(&[file(A)]), long(A), A - 1, true),
        ("an end that stays", of(&[file(A)]), long(A), A, false),
        ("an end and a time", of(&[file(A)]), long(B), A - 1, true),
        ("padding", of(&[file(A)]), padded(A), A - 1, true),
        ("labels", mislabelled(A), mislabelled(B), A - 1, true),
        ("a label", plain(A), mislabelled(B), A - 1, true),
        ("a label that stays", plain(A), mislabelled(A), A, false),
        ("two compressions", of(&[file(A)]), zstd(B), A - 1, false),
        ("one that stays as another packed it", of(&[file(B)]), of(&[file(A)]), A, false),
    ] {
        let (left, right) = (left.tar(), right.tar());
        let clamp = Remedy { level: Level::Clamp, epoch: Some(epoch), options: Vec::new() };
        let made = apply(&left, &clamp);
        assert_eq!(made.is_some() && made == apply(&right, &clamp), expected, "{what}");
        let options = Options { level: Some(Level::Clamp), epoch: Some(epoch), ..Options::default() };
        let found = with(&left, &right, &options, None);
        assert_eq!(found.same(), expected, "{what}: {:#?}", found.changes().collect::<Vec<_>>());
    }
}

#[test]
fn what_was_normalized_is_the_same_at_its_level() {
    for (what, input) in [("gzip", of(&[file(B)])), ("zstd", zstd(B)), ("plain", plain(B))] {
        let input = input.tar();
        for level in [Level::Clamp, Level::Canonical] {
            let output = apply(&input, &Remedy { level, epoch: Some(A), options: Vec::new() }).unwrap();
            let options = Options { level: Some(level), epoch: Some(A), ..Options::default() };
            let found = with(&input, &output, &options, None);
            assert!(found.same(), "{what}: {:#?}", found.changes().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_label_that_normalize_sets_right_is_what_diff_sees() {
    let input = mislabelled(A).tar();
    let mut output = Vec::new();
    let options = normalize::Options::new(Level::Clamp, Some(A - 1));
    let outcome =
        normalize(&open(&input), &options, &Workers::new(2).unwrap(), &Silent, &mut output).unwrap();
    let did: Vec<&str> = outcome.changes.iter().map(|change| change.rule).collect();
    let seen = causes(&diff(&input, &output));
    assert!(did.contains(&"layer.encoding") && seen.contains(&"layer.encoding"), "{did:?} {seen:?}");
}

#[test]
fn a_global_header_that_normalize_leaves_out_is_what_diff_sees() {
    let archive = Remedy { level: Level::Archive, epoch: None, options: Vec::new() };
    let input = of(&[Member::pax_global(&[("comment", "x")]), file(A)]).tar();
    let input = apply(&input, &archive).unwrap();
    for level in Level::ALL {
        let mut output = Vec::new();
        let options = normalize::Options::new(level, Some(0));
        let outcome =
            normalize(&open(&input), &options, &Workers::new(2).unwrap(), &Silent, &mut output).unwrap();
        let mut did: Vec<&str> = outcome.changes.iter().map(|change| change.rule).collect();
        let diff = diff(&input, &output);
        // That a layer with another content is compressed anew goes without saying.
        did.retain(|rule| *rule != "layer.encoding");
        did.sort_unstable();
        did.dedup();
        assert_eq!(causes(&diff), did, "{}", level.name());
    }
}

fn lower() -> Layer {
    Layer::new(&[Member::file("lower", "").mtime(A)])
}

/// Two platforms, as `docker buildx` and others lay them out.
fn platforms(names: [&str; 2], arm: i64) -> ImageBuilder {
    let image = |platform, time, name: &str| {
        let image = Image::new(vec![Layer::new(&[file(time)])]).platform(platform);
        if name.is_empty() { image } else { image.name(name) }
    };
    ImageBuilder::new(
        Layout::Oci,
        vec![image("linux/amd64", A, names[0]), image("linux/arm64", arm, names[1])],
    )
}

/// Turns round what an index lists.
fn reversed(doc: Doc, builder: ImageBuilder) -> ImageBuilder {
    builder.json(doc, |index| index["manifests"].as_array_mut().unwrap().reverse())
}

#[test]
fn an_index_below_the_first_is_part_of_the_image() {
    let nested = || platforms(["", ""], A).nested(1);
    let noted = nested().json(Doc::NestedIndex(0), |index| index["annotations"] = json!({"note": "x"}));
    for (what, other) in [("an annotation", noted), ("the order", reversed(Doc::NestedIndex(0), nested()))] {
        let (left, right) = (nested().tar(), other.tar());
        for level in [None].into_iter().chain(Level::ALL.map(Some)) {
            let diff = with(&left, &right, &Options { level, ..Options::default() }, None);
            assert!(!diff.same() && diff.remedy.is_none(), "{what}");
            assert_eq!(diff.verdict, Verdict::Different, "{what}");
        }
        assert!(apply(&left, &most()).is_some_and(|made| Some(made) != apply(&right, &most())), "{what}");
    }
}

#[test]
fn nothing_reorders_index_json() {
    for names in [["", ""], ["example.com/lab/one:1", "example.com/lab/two:1"]] {
        let (left, right) = (platforms(names, A).tar(), reversed(Doc::Index, platforms(names, A)).tar());
        let diff = diff(&left, &right);
        assert_eq!(causes(&diff), ["order"]);
        assert!(diff.verdict == Verdict::IdenticalImage && diff.remedy.is_none());
        assert!(apply(&left, &most()).is_some_and(|made| Some(made) != apply(&right, &most())));
    }
}

#[test]
fn images_without_names_are_known_by_their_digests() {
    let image = |text: &str| Image::new(vec![Layer::new(&[Member::file("a", text)])]);
    for layout in [Layout::Oci, Layout::Docker] {
        let of = |texts: &[&str]| {
            let images = texts.iter().map(|text| image(text)).collect();
            ImageBuilder::new(layout, images).tar()
        };
        let diff = diff(&of(&["one", "two", "three"]), &of(&["two", "three"]));
        assert_eq!(causes(&diff), ["removed"], "{layout:?}");
        let alone: Vec<bool> = diff.images.iter().map(|image| image.right.is_none()).collect();
        assert_eq!(alone, [true, false, false], "{layout:?}");
    }
}

#[test]
fn a_platform_can_be_compared_alone() {
    let (left, right) = (platforms(["", ""], A).tar(), platforms(["", ""], B).tar());
    assert!(!diff(&left, &right).same());
    let of = |platform| with(&left, &right, &Options::default(), Some(platform));
    assert!(of("linux/amd64").same() && !of("linux/arm64").same());
}

/// An image and its provenance, which names the image's manifest and the time of the build.
fn attested(time: i64, built: &'static str) -> Vec<u8> {
    let image = Image::new(vec![Layer::new(&[file(time)])]);
    let plain = ImageBuilder::new(Layout::Oci, vec![image.clone()]).build();
    let hex = plain.digest(Doc::Manifest(0)).trim_start_matches("sha256:");
    let subject = json!([{"name": "_", "digest": {"sha256": hex}}]);
    let statement = json!({"_type": "https://in-toto.io/Statement/v0.1", "subject": subject, "built": built});
    let attestation = Image::attestation(0).statement(statement.to_string());
    ImageBuilder::new(Layout::Oci, vec![image, attestation]).nested(1).tar()
}

#[test]
fn provenance_of_what_changes_can_be_left_out() {
    let left = attested(A, "now");
    for (right, causes_of) in [
        (attested(B, "now"), &["layer.mtime"][..]),
        (attested(B, "then"), &["archive.attestations", "layer.mtime"]),
    ] {
        let diff = diff(&left, &right);
        assert_eq!(causes(&diff), causes_of, "{:#?}", diff.changes().collect::<Vec<_>>());
        let remedy = diff.remedy.unwrap();
        assert_eq!((remedy.level, remedy.options.as_slice()), (Level::Clamp, &["--attestations drop"][..]));
        let made = apply(&left, &remedy);
        assert!(made.is_some() && made == apply(&right, &remedy));
    }
    // The image is the same: nothing makes the attestation go.
    let diff = diff(&left, &attested(A, "then"));
    assert_eq!((causes(&diff), diff.verdict), (vec!["content"], Verdict::Different));
    assert!(diff.remedy.is_none());
}

#[test]
fn archives_of_all_tools_have_true_remedies() {
    let files = [
        "tiny-docker20-save.tar",
        "tiny-docker20-save-2tags.tar",
        "tiny-docker26-save.tar",
        "tiny-podman43-save-docker-archive.tar",
        "tiny-skopeo19-docker-archive.tar",
        "tiny-skopeo19-oci-archive.tar",
        "tiny-bk-docker-rw0.tar",
    ];
    let read = |name: &&str| std::fs::read(fixtures("good").join(name)).unwrap();
    let archives: Vec<Vec<u8>> = files.iter().map(read).collect();
    for (i, left) in archives.iter().enumerate() {
        for (j, right) in archives.iter().enumerate().skip(i + 1) {
            let Some(remedy) = diff(left, right).remedy else { continue };
            let made = apply(left, &remedy);
            let equal = made.is_some() && made == apply(right, &remedy);
            assert!(equal, "{} {}: {remedy:?}", files[i], files[j]);
        }
    }
}

#[test]
fn where_no_time_differs_none_is_changed() {
    let (left, right) = (of(&[file(A)]).tar(), of(&[file(A).owner_names("root", "")]).tar());
    let remedy = diff(&left, &right).remedy.unwrap();
    let made = apply(&left, &remedy).unwrap();
    assert!(Some(&made) == apply(&right, &remedy).as_ref());
    let diff = diff(&left, &made);
    let is_time = |cause: Cause| cause.rule().is_some_and(|rule| rule.level == Some(Level::Clamp));
    assert!(remedy.epoch >= Some(A) && !diff.changes().any(|change| is_time(change.cause)), "{remedy:?}");
}

/// Go reads an hour of one digit, and every second of the year 9999.
#[test]
fn times_that_few_read_are_not_changed_either() {
    for (created, seconds) in
        [("2033-05-18T3:33:20Z", 2_000_000_000), ("9999-12-31T23:59:59Z", 253_402_300_799)]
    {
        let at = |builder: ImageBuilder| {
            builder.json(Doc::Config(0), move |config| config["created"] = json!(created)).tar()
        };
        let diff = diff(&at(of(&[file(A)])), &at(of(&[file(A).owner_names("root", "")])));
        assert_eq!(diff.remedy.unwrap().epoch, Some(seconds), "{created}");
    }
}

/// An image whose manifest embeds its configuration, of which `created` is a part.
fn embedding(time: i64, created: &'static str) -> ImageBuilder {
    let builder =
        move || of(&[file(time)]).json(Doc::Config(0), move |config| config["created"] = json!(created));
    let built = builder().build();
    let config = built.members().iter().find(|member| member.name == built.name(Doc::Config(0)).as_bytes());
    let data = STANDARD.encode(&config.unwrap().data);
    builder().json(Doc::Manifest(0), move |manifest| manifest["config"]["data"] = json!(data))
}

#[test]
fn what_is_embedded_becomes_a_file_too() {
    const THEN: &str = "2024-01-01T00:00:00Z";
    for (created, level) in [(THEN, Level::Archive), ("2024-01-02T00:00:00Z", Level::Clamp)] {
        let (left, right) = (embedding(A, THEN).tar(), embedding(A, created).missing(Doc::Config(0)).tar());
        let remedy = diff(&left, &right).remedy.unwrap();
        assert_eq!(remedy.level, level);
        let made = apply(&left, &remedy);
        assert!(made.is_some() && made == apply(&right, &remedy), "{remedy:?}");
    }
    // A manifest.json names the configuration by its file.
    let right = embedding(A, THEN).missing(Doc::Config(0)).tar();
    let mut options = normalize::Options::new(Level::Archive, None);
    options.layout = Some(normalize::Layout::Docker);
    let mut output = Vec::new();
    let outcome =
        normalize(&open(&right), &options, &Workers::new(1).unwrap(), &Silent, &mut output).unwrap();
    assert!(outcome.changes.iter().any(|change| change.rule == "archive.form"));
    let diff = diff(&embedding(A, THEN).layout(Layout::Both).tar(), &output);
    assert!(!diff.changes().any(|change| change.cause.name() == "removed"), "{:?}", diff.verdict);
}

#[test]
fn what_only_one_side_embeds_is_told_of_beside_another_difference() {
    const THEN: &str = "2024-01-01T00:00:00Z";
    let plain = of(&[file(B)]).json(Doc::Config(0), |config| config["created"] = json!(THEN));
    let (left, right) = (embedding(A, THEN).tar(), plain.tar());
    let diff = diff(&left, &right);
    assert_eq!((causes(&diff), &diff.remedy), (vec!["layer.mtime", "removed"], &None));
    assert!(apply(&left, &most()).is_some_and(|made| Some(made) != apply(&right, &most())));
}

#[test]
fn merged_file_systems_do_not_see_which_name_of_a_file_came_first() {
    let merged = Options { merged: true, ..Options::default() };
    let between = |left: &[Member], right: &[Member]| with(&of(left).tar(), &of(right).tar(), &merged, None);
    let (a, b) = (Member::file("a", "hi"), Member::file("b", "hi"));
    let there = [a.clone(), Member::hardlink("b", "a")];
    let back = [b.clone(), Member::hardlink("a", "b")];
    assert_eq!(between(&there, &back).verdict, Verdict::SameFileSystem);
    let copied = between(&there, &[a, b]);
    let fields: Vec<_> = copied.images[0].merged.iter().flatten().flat_map(|entry| &entry.changes).collect();
    assert_eq!(fields.len(), 1);
    assert_eq!((fields[0].field.as_ref(), fields[0].left.as_deref()), ("hard links", Some("a = b")));
}

#[test]
fn merged_file_systems_do_not_see_that_a_mode_repeats_the_type() {
    let merged = Options { merged: true, ..Options::default() };
    let with_mode = |mode| of(&[file(A).mode(mode)]).tar();
    let plain = with_mode(0o644);
    assert_eq!(with(&plain, &with_mode(0o100_644), &merged, None).verdict, Verdict::SameFileSystem);
    for other in [0o644 | 0o4000, 0o100_755] {
        assert_eq!(causes(&with(&plain, &with_mode(other), &merged, None)), ["mode"], "{other:o}");
    }
}

#[test]
fn merged_file_systems_do_not_see_a_squash() {
    let merged = Options { merged: true, ..Options::default() };
    let image = |layers: &[&[Member]]| {
        let layers = layers.iter().map(|members| Layer::new(members)).collect();
        ImageBuilder::new(Layout::Oci, vec![Image::new(layers)]).tar()
    };
    let (a, b) = (Member::file("a", "1"), Member::file("b", "2"));
    let (split, squashed) = (image(&[from_ref(&a), from_ref(&b)]), image(&[&[a.clone(), b.clone()]]));
    let diff = with(&split, &squashed, &merged, None);
    assert_eq!((causes(&diff), diff.verdict), (vec![], Verdict::SameFileSystem));
}
