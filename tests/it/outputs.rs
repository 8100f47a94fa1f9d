//! Where reports go: never over what is read, each to a file of its own, and finished whoever stops reading.

use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::process::Stdio;

use super::support::{Doc, ImageBuilder, Layout, Ran, program, run, tool};

fn bad() -> ImageBuilder {
    ImageBuilder::good().stored(Doc::Layer(0, 0), |bytes| bytes[20] ^= 1)
}

/// Runs in `folder`.
fn run_in(folder: &Path, args: &[&str], stdin: Option<&str>) -> Ran {
    let stdin = stdin.map_or_else(Stdio::null, |name| File::open(folder.join(name)).unwrap().into());
    Ran::of(program().args(args).current_dir(folder).stdin(stdin).output().unwrap())
}

#[test]
fn no_report_overwrites_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let image = ImageBuilder::good().tar();
    fs::write(at("x.tar"), &image).unwrap();
    fs::write(at("list"), "x.tar\n").unwrap();
    fs::write(at("policy"), "[layers]\nmax_count = 9\n").unwrap();
    fs::hard_link(at("x.tar"), at("hard")).unwrap();
    std::os::unix::fs::symlink("x.tar", at("soft")).unwrap();
    fs::rename(ImageBuilder::good().layout(Layout::Oci).build().folder().path(), at("layout")).unwrap();
    fs::create_dir(at("archive")).unwrap();
    fs::write(at("archive/y.tar"), &image).unwrap();
    fs::write(at("archive/repro-build.toml"), "[layers]\nmax_count = 9\n").unwrap();
    let ndjson = run_in(folder.path(), &["verify", "--format", "ndjson", "x.tar"], None).stdout;
    fs::write(at("r.ndjson"), &ndjson).unwrap();
    for args in [
        &["verify", "--report", "json=x.tar", "x.tar"][..],
        &["verify", "--report", "json=x.tar", "--shard", "1/99", "x.tar"],
        &["verify", "--report", "json=archive/../x.tar", "archive", "x.tar"],
        &["verify", "--report", "json=hard", "x.tar"],
        &["verify", "--report", "json=soft", "x.tar"],
        &["verify", "--report", "json=x.tar", "soft"],
        &["verify", "--report", "json=archive/y.tar", "archive"],
        &["verify", "--report", "json=layout/index.json", "layout"],
        &["verify", "--report", "json=layout/report.json", "layout"],
        &["verify", "--report", "json=list", "--from-file", "list"],
        &["verify", "--report", "json=policy", "--policy", "policy", "x.tar"],
        &["verify", "--report", "json=archive/repro-build.toml", "archive"],
        &["analyze", "--report", "json=archive/repro-build.toml", "archive/y.tar"],
        &["verify", "--report", "json=new", "--report", "sarif=x.tar", "x.tar"],
        &["verify", "--report", "json=x.tar", "-"],
        &["analyze", "--attestation", "x.tar", "x.tar"],
        &["merge", "--report", "junit=r.ndjson", "r.ndjson"],
        &["verify", "--report", "json=new", "--report", "sarif=./new", "x.tar"],
        &["verify", "--report", "json=new", "--attestation", "archive/../new", "x.tar"],
    ] {
        let ran = run_in(folder.path(), args, Some("x.tar"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.contains("overwrite an input") || ran.stderr.contains("two reports"), "{args:?}");
        assert!(!at("new").exists() && !at("layout/report.json").exists(), "{args:?}");
    }
    for name in ["x.tar", "archive/y.tar"] {
        assert!(fs::read(at(name)).unwrap() == image, "{name}");
    }
    assert_eq!(fs::read_to_string(at("r.ndjson")).unwrap(), ndjson);
    assert_eq!(fs::read_to_string(at("list")).unwrap(), "x.tar\n");
    assert!(fs::read_to_string(at("archive/repro-build.toml")).unwrap().starts_with("[layers]"));
    // Beside the inputs there is room, and an earlier report may be written anew.
    for _ in 0..2 {
        let ran = run_in(folder.path(), &["verify", "--report", "json=archive/r.json", "archive"], None);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[test]
fn a_closed_pipe_ends_no_report_that_goes_to_a_file() {
    let (folder, image) = (tempfile::tempdir().unwrap(), bad().build().file());
    for (args, code) in [
        (&["verify"][..], 1),
        (&["verify", "--format", "json"], 1),
        (&["analyze"], 1),
        (&["analyze", "--files"], 1),
        (&["analyze", "--format", "html"], 1),
    ] {
        let report = folder.path().join("junit.xml");
        let named = format!("--report=junit={}", report.display());
        let closed = |more: &[&str]| {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut command = program();
            command.args(args).args(more).arg(image.path()).stdout(writer).stderr(Stdio::piped());
            Ran::of(command.spawn().unwrap().wait_with_output().unwrap())
        };
        let ran = closed(&[&named]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{args:?}");
        let written = fs::read(&report).unwrap();
        let all = run([args, &[&named, image.path().to_str().unwrap()]].concat());
        assert_eq!(all.code, Some(code));
        assert!(!written.is_empty() && written == fs::read(&report).unwrap(), "{args:?}");
        assert_eq!(closed(&[]).code, Some(0), "{args:?}");
    }
}

#[test]
fn names_are_bytes() {
    let Some(sha256sum) = tool("sha256sum") else { return };
    let folder = tempfile::tempdir().unwrap();
    // Two names that are one if what is not UTF-8 is lost, and what coreutils escape.
    for name in [&b"a\xff.tar"[..], b"a\xfe.tar", b"back\\slash\n.tar"] {
        let name = std::ffi::OsString::from_vec(name.to_vec());
        fs::write(folder.path().join(name), ImageBuilder::good().tar()).unwrap();
    }
    let verify = |format: &str| {
        program().args(["verify", "--format", format, "."]).current_dir(folder.path()).output().unwrap()
    };
    let sums = folder.path().join("SUMS");
    fs::write(&sums, verify("sha256sum").stdout).unwrap();
    let check = sha256sum.command().args(["--check", "--strict", "SUMS"]).current_dir(folder.path()).output();
    let check = check.unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    assert_eq!(check.stdout.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b": OK")).count(), 3);
    let report = Ran::of(verify("json")).json();
    let names: Vec<&str> =
        report["inputs"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["./a\\xfe.tar", "./a\\xff.tar", "./back\\\\slash\\n.tar"]);
    let gone = std::ffi::OsString::from_vec(b"\xff".to_vec());
    for command in ["verify", "analyze"] {
        let ran = run([command.as_ref(), "--format=json".as_ref(), gone.as_os_str()]);
        assert_eq!(ran.json()["inputs"][0]["name"], "\\xff", "{command}");
    }
}

#[test]
fn who_wants_less_gets_what_is_wrong() {
    let (good, bad) = (ImageBuilder::good().build().file(), bad().build().file());
    let [good, bad] = [&good, &bad].map(|file| file.path().to_str().unwrap());
    let ran = run(["verify", "-q", good, bad, "/nowhere"]);
    assert_eq!(ran.code, Some(2));
    assert!(!ran.stdout.contains("PASS") && !ran.stdout.contains("inputs:"), "{}", ran.stdout);
    assert!(ran.stdout.starts_with(&format!("FAIL {bad}\n")), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("error[blob.digest]") && ran.stdout.contains("ERROR /nowhere"),
        "{}",
        ran.stdout
    );
    // What the Python script prints stays.
    let [loud, quiet] = ["-v", "-q"].map(|flag| run(["analyze", flag, good]));
    assert_eq!(quiet.code, Some(0));
    assert!(quiet.stdout.contains("Image digest: ") && !quiet.stdout.contains("PASS"), "{}", quiet.stdout);
    assert!(loud.stdout.starts_with(&quiet.stdout) && loud.stdout.contains("PASS"), "{}", loud.stdout);
    let ran = run(["analyze", "-q", bad]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("FAIL  ") && ran.stdout.contains("error[blob.digest]"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("note["), "{}", ran.stdout);
}
