//! Gates: what was asked for by name decides, whatever else is said, and only what it names can open it.

use std::{collections::BTreeSet, io::Write as _};

use serde_json::{Value, json};

use crate::support::{Doc, Image, ImageBuilder, Layer, Layout, Member, Packing, digest, run};

const NONE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn oci() -> ImageBuilder {
    ImageBuilder::good().layout(Layout::Oci)
}

/// An image of another platform than the good one.
fn other() -> Image {
    Image::new(vec![Layer::new(&[Member::file("other", "other")])]).platform("linux/arm64")
}

#[test]
fn a_selection_leaves_no_gate_open() {
    let built = ImageBuilder::good().layers(vec![Layer::new(&[Member::file("late", "").mtime(2)])]).build();
    let file = built.file();
    let path = file.path().to_str().unwrap();
    let sums = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&sums, format!("{}  {path}\n", &NONE[7..])).unwrap();
    let gates: [&[&str]; 4] = [
        &["--expect", NONE, path],
        &["--require", "linux/s390x", path],
        &["--sde", "1", path],
        &["-c", sums.path().to_str().unwrap()],
    ];
    for gate in gates {
        for only in ["*", "archive.*"] {
            let args = [&["verify", "--only", only][..], gate].concat();
            assert_eq!(run(args.iter().copied()).code, Some(1), "{args:?}");
        }
        // Who leaves the gate out by name wants to do without.
        let skips = ["--skip", "expect.*", "--skip", "*.newer-than-epoch"];
        let args = [&["verify"][..], &skips, gate].concat();
        assert_eq!(run(args.iter().copied()).code, Some(0), "{args:?}");
    }
    let args = ["analyze", "--only", "archive.*", "--expected-image-digest", NONE, path];
    assert_eq!(run(args).code, Some(2));
}

#[test]
fn what_an_image_carries_is_not_the_image() {
    let wanted = ImageBuilder::good().build();
    let manifest = wanted.name(Doc::Manifest(0)).as_bytes().to_vec();
    let manifest = wanted.members().iter().find(|member| member.name == manifest).unwrap().data.clone();
    let expect = wanted.digest(Doc::Manifest(0)).to_owned();
    assert_eq!(digest("sha256", &manifest), expect);
    let evil = || oci().layers(vec![Layer::new(&[Member::file("evil", "")])]);
    let carrier = evil().image(Image::attestation(0).statement(manifest)).build().file();
    let path = carrier.path().to_str().unwrap();
    assert_eq!(run(["verify", path]).code, Some(0));
    assert_eq!(run(["verify", "--expect", &expect, path]).code, Some(1));

    // A checksum is the file's, not that of a layer which holds the file.
    let archive = wanted.bytes;
    let carrier = oci().layers(vec![Layer::of_tar(archive.clone(), Packing::Plain)]).build().file();
    let path = carrier.path().to_str().unwrap();
    assert_eq!(run(["verify", "--expect", &digest("sha256", &archive), path]).code, Some(0));
    let sums = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&sums, format!("{}  {path}\n", &digest("sha256", &archive)[7..])).unwrap();
    let ran = run(["verify", "-c", sums.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("expect.archive"), "{}", ran.stdout);
}

#[test]
fn a_match_is_told_only_of_what_was_verified() {
    let built = oci().image(other()).nested(1).build();
    let (file, index) = (built.file(), built.digest(Doc::NestedIndex(0)).to_owned());
    let path = file.path().to_str().unwrap();
    let said = |more: &[&str]| {
        let args = [&["analyze", "--expected-image-digest", &index][..], more, &[path]].concat();
        let ran = run(args);
        assert_eq!(ran.code, Some(0), "{}", ran.stdout);
        ran.stdout.lines().find(|line| line.contains("matches")).unwrap().to_owned()
    };
    assert!(said(&[]).starts_with("✅ "));
    assert!(said(&["--skip", "layer.ratio"]).starts_with("✅ "));
    for narrowed in [["--platform", "linux/amd64"], ["--skip", "blob.digest"]] {
        let line = said(&narrowed);
        assert!(!line.contains('✅') && line.contains("but "), "{line}");
    }
}

#[test]
fn statements_are_about_each_image_that_was_verified() {
    let built = oci().image(other()).nested(1).build();
    let file = built.file();
    let path = file.path().to_str().unwrap();
    let statements = |more: &[&str]| -> Vec<Value> {
        let args = [&["verify", "--format", "in-toto"][..], more, &[path]].concat();
        run(args).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let subject =
        |statement: &Value| statement["subject"][0]["digest"]["sha256"].as_str().unwrap().to_owned();
    let hex = |doc| built.digest(doc)[7..].to_owned();
    let all = [hex(Doc::NestedIndex(0)), hex(Doc::Manifest(0)), hex(Doc::Manifest(1))];
    assert_eq!(statements(&[]).iter().map(subject).collect::<Vec<_>>(), all);
    let narrowed = statements(&["--platform", "linux/arm64"]);
    assert_eq!(narrowed.iter().map(subject).collect::<Vec<_>>(), all[2..]);
    let policy = |statement: &Value| statement["predicate"]["policy"].clone();
    let partial = policy(&statements(&["--only", "archive.*"])[0]);
    assert_ne!(partial["name"], json!("built-in checks"));
    let mut rules = tempfile::NamedTempFile::new().unwrap();
    rules.write_all(b"require = ['all']\n").unwrap();
    let ruled = policy(&statements(&["--policy", rules.path().to_str().unwrap()])[0]);
    assert_eq!(ruled["digest"]["sha256"], json!(digest("sha256", b"require = ['all']\n")[7..]));
    // Who reads only the URI must not take one for another.
    let uris = [policy(&statements(&[])[0]), partial, ruled].map(|policy| policy["uri"].to_string());
    assert_eq!(BTreeSet::from(uris).len(), 3);
    let file = oci().build().file();
    let statement = run(["verify", "--format", "in-toto", file.path().to_str().unwrap()]).json();
    let hex = subject(&statement);
    let uri = format!("pkg:oci/good@sha256%3A{hex}?repository_url=example.com/lab/good&tag=1");
    assert_eq!(statement["predicate"]["resourceUri"], json!(uri));
}

#[test]
fn what_is_missing_is_told_beside_what_there_is() {
    let told = |images: &ImageBuilder, gate: &[&str]| {
        let file = images.build().file();
        let args = [&["verify", file.path().to_str().unwrap()][..], gate].concat();
        run(args).stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let require = ["--require", "linux/s390x"];
    let two = oci().image(other());
    let said = told(&two, &require);
    assert!(said.contains("linux/s390x, there is linux/amd64, linux/arm64 at"), "{said}");
    let said = told(&two.missing(Doc::Layer(1, 0)), &require);
    assert!(said.contains("there is linux/amd64, linux/arm64 (not complete) at"), "{said}");
    // Each once, ten of them by name.
    let many = (0..25)
        .fold(oci(), |images, number| images.image(other().platform(&format!("linux/riscv{}", number / 2))));
    let said = told(&many, &require);
    assert!(said.contains("there is linux/amd64, linux/riscv0, linux/riscv1, "), "{said}");
    assert!(said.contains(", linux/riscv8 and 4 more at"), "{said}");

    let built = oci().image(other()).build();
    let said = told(&oci().image(other()), &["--expect", NONE]);
    let [first, second] = [0, 1].map(|image| built.digest(Doc::Manifest(image)));
    assert!(said.contains(&format!("expected {NONE}, there is {first}, {second} at")), "{said}");
    // A docker-archive's image is known by its configuration.
    let docker = ImageBuilder::good().layout(Layout::Docker);
    let id = docker.build().digest(Doc::Config(0)).to_owned();
    let said = told(&docker, &["--expect", NONE]);
    assert!(said.contains(&format!("expected {NONE}, there is {id} at")), "{said}");
}

#[test]
fn no_line_of_a_rung_is_left_out() {
    let lines = |images: ImageBuilder, rung: &str| {
        let file = images.build().file();
        let ran = run(["digest", "--rung", rung, file.path().to_str().unwrap()]);
        (ran.code, ran.stdout.lines().count(), ran.stderr)
    };
    for rung in ["layer", "diff-id"] {
        assert_eq!(lines(oci(), rung), (Some(0), 2, String::new()));
        let (code, count, said) = lines(oci().missing(Doc::Layer(0, 0)), rung);
        assert_eq!((code, count), (Some(2), 0), "{said}");
        assert!(said.contains(&format!("layer 1 has no {rung} digest")), "{said}");
    }
    // What is stored is there, whatever it holds.
    let damaged = || oci().text(Doc::Layer(0, 1), |bytes| bytes.truncate(40));
    assert_eq!(lines(damaged(), "layer").0, Some(0));
    let (code, count, said) = lines(damaged(), "diff-id");
    assert!(code == Some(2) && count == 0 && said.contains("layer 2 has no diff-id digest"), "{said}");
}
