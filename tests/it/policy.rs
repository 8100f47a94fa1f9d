//! Policy files: each key does what it says, and a file that merely lies there cannot weaken anything.

use std::fs;
use std::path::PathBuf;

use super::support::{Doc, Image, ImageBuilder, Layer, Member, Packing, Ran, run};

/// An image and the policy beside it.
struct Gate {
    folder: tempfile::TempDir,
    image: PathBuf,
}

impl Gate {
    fn new(image: ImageBuilder, policy: &str) -> Gate {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image.tar");
        fs::write(&file, image.tar()).unwrap();
        fs::write(folder.path().join("repro-build.toml"), policy).unwrap();
        Gate { folder, image: file }
    }

    fn run(&self, args: &[&str]) -> Ran {
        run(["verify"].iter().chain(args).copied().chain([self.image.to_str().unwrap()]))
    }

    /// The ids of the checks that found an error.
    fn errors(&self, args: &[&str]) -> Vec<String> {
        let report = self.run(&[args, &["--format", "json"]].concat()).json();
        let findings = report["inputs"][0]["findings"].as_array().unwrap().clone();
        let errors = findings.iter().filter(|finding| finding["grade"] == "error");
        errors.map(|finding| finding["check"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn each_key_asks_for_more() {
    let good = ImageBuilder::good;
    let secret = |path: &str| {
        let layer = Layer::new(&[Member::file(path, "-----BEGIN")]);
        ImageBuilder::good().layers(vec![layer])
    };
    let zeros = Layer::new(&[Member::file("zeros", vec![0; 1 << 20])]);
    for (image, policy, error) in [
        (secret("etc/key.pem"), "[files]\nforbid = ['*.pem']", "content.forbidden"),
        (secret("srv/.git/config"), "[files]\nforbid = ['**/.git']", "content.forbidden"),
        (secret("etc/key.pem"), "[files]\nforbid = ['/etc/key.pem']", "content.forbidden"),
        (secret("etc/key.pem"), "[files]\nforbid = ['./etc/key.pem']", "content.forbidden"),
        (secret("etc/key.pem"), "[files]\nforbid = ['etc/']", "content.forbidden"),
        (good(), "[layers]\nmax_count = 1", "content.layer-count"),
        (good(), "[layers]\nmax_stored = 100", "content.layer-size"),
        (good(), "[layers]\nmax_unpacked = 1000", "content.layer-size"),
        (good(), "require = ['linux/arm64']", "expect.platform"),
        (good().layers(vec![zeros.clone()]), "[checks]\n'layer.ratio' = 'error'", "layer.ratio"),
        (good().layers(vec![zeros]), "[limits]\nmax_unpacked = 1000", "layer.unpacked-limit"),
        (
            good().layers(vec![Layer::new(&[Member::file("new", "").mtime(2_000_000_000)])]),
            "source_date_epoch = 1000000000",
            "layer.newer-than-epoch",
        ),
    ] {
        let gate = Gate::new(image, policy);
        assert_eq!(gate.errors(&["--no-policy"]), Vec::<String>::new(), "{policy}");
        let errors = gate.errors(&[]);
        assert!(errors.iter().any(|found| found == error), "{policy}: {errors:?}");
        assert_eq!(gate.run(&[]).code, Some(1), "{policy}");
    }
}

#[test]
fn a_removal_is_no_forbidden_file() {
    let layers = vec![Layer::new(&[Member::whiteout("etc/key.pem")])];
    let gate = Gate::new(ImageBuilder::good().layers(layers), "[files]\nforbid = ['*.pem']");
    assert_eq!(gate.errors(&[]), Vec::<String>::new());
}

#[test]
fn what_lies_beside_an_input_cannot_ask_for_less() {
    let bad = || ImageBuilder::good().stored(Doc::Layer(0, 0), |bytes| bytes[20] ^= 1);
    for policy in
        ["[checks]\n'*' = 'off'", "[checks]\n'blob.digest' = 'note'", "[limits]\nmax_json = 1000000000"]
    {
        let gate = Gate::new(bad(), policy);
        let ran = gate.run(&[]);
        assert_eq!(ran.code, Some(2), "{policy}: {}", ran.stdout);
        assert!(ran.stdout.contains("--policy"), "{}", ran.stdout);
    }
    let gate = Gate::new(bad(), "[checks]\n'*' = 'note'");
    let policy = gate.folder.path().join("repro-build.toml");
    assert_eq!(gate.run(&["--policy", policy.to_str().unwrap()]).code, Some(0));
}

#[test]
fn flags_beat_the_policy() {
    let gate = Gate::new(ImageBuilder::good(), "[layers]\nmax_count = 1");
    assert_eq!(gate.run(&[]).code, Some(1));
    assert_eq!(gate.run(&["--skip", "content.*"]).code, Some(0));
}

#[test]
fn the_report_names_the_policy() {
    let gate = Gate::new(ImageBuilder::good(), "[layers]\nmax_count = 9");
    let report = gate.run(&["--format", "json"]).json();
    assert!(report["inputs"][0]["policy"].as_str().unwrap().ends_with("repro-build.toml"));
}

#[test]
fn a_policy_that_is_none_is_no_pass() {
    let image = Image::new(vec![Layer::new(&[Member::file("a", "")]).pack(Packing::Plain)]);
    let gate = Gate::new(ImageBuilder::good().image(image.name("example.com/b:1")), "forbid = ['*.pem']");
    let ran = gate.run(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.contains("line 1: unknown field `forbid`"), "{}", ran.stdout);
    // No member can ever have such a path.
    for pattern in ["", "opt//app", "../etc", "/./etc"] {
        let ran = Gate::new(ImageBuilder::good(), &format!("[files]\nforbid = ['{pattern}']")).run(&[]);
        assert_eq!(ran.code, Some(2), "{pattern}");
        assert!(ran.stdout.contains("no valid pattern"), "{}", ran.stdout);
    }
}

/// The example in the documentation is a policy, and has every key there is.
#[test]
fn every_key_is_documented() {
    let page = include_str!("../../docs/policy.md");
    let example = page.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let gate = Gate::new(ImageBuilder::good(), example);
    let ran = gate.run(&["--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    for table in ["", "[limits]", "[files]", "[layers]"] {
        let ran = Gate::new(ImageBuilder::good(), &format!("{table}\nnone = 1")).run(&[]);
        // The parser lists what it knows: "expected one of `a`, `b`" or "expected `a`".
        let (_, known) = ran.stdout.split_once("expected ").unwrap();
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        assert!(!known.is_empty());
        for key in known {
            let written = [format!("\n{key} = "), format!("\n[{key}]")];
            assert!(written.iter().any(|text| example.contains(text)), "{key}");
        }
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_not_passed_over() {
    let gate = Gate::new(ImageBuilder::good(), "");
    let file = gate.folder.path().join("repro-build.toml");
    assert_eq!(gate.run(&[]).code, Some(0));
    fs::remove_file(&file).unwrap();
    assert_eq!(gate.run(&[]).code, Some(0), "there is none");
    std::os::unix::fs::symlink("nowhere/strict.toml", &file).unwrap();
    let dangling = gate.run(&[]);
    fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    let pipe = gate.run(&[]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for ran in [dangling, pipe, gate.run(&[])] {
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("repro-build.toml: "), "{}", ran.stderr);
    }
}
