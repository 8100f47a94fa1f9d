//! What is refused, what is left behind, what the program says.

use std::process::{Command, Output};

use repro_build::error::ErrorKind;
use tempfile::TempDir;

use super::*;
use crate::support::{Expect, verdicts};

fn program(args: &[&str], folder: &TempDir) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-build"));
    command.current_dir(folder).env_remove("SOURCE_DATE_EPOCH").arg("normalize").args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// A folder with `in.tar`, in which something changes.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::copy(fixtures("pairs").join("docker-small-plain.tar"), folder.path().join("in.tar")).unwrap();
    folder
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_does_not_verify_is_refused() {
    let mut count = 0;
    for row in verdicts(&fixtures("bad")).into_iter().filter(|row| row.expect == Expect::Reject) {
        let Ok(source) = Source::open(&row.path, &OpenOptions::default()) else { continue };
        let workers = Workers::new(1).unwrap();
        let options = Options::new(Level::Canonical, Some(0));
        let result = normalize(&source, &options, &workers, &Silent, &mut std::io::sink());
        let kind = result.unwrap_err().kind;
        assert!(matches!(kind, ErrorKind::Refused | ErrorKind::NotAnImage), "{}: {kind:?}", row.file);
        count += 1;
    }
    assert!(count > 10, "only {count} archives");
}

#[test]
fn force_takes_it_and_says_so() {
    let input = read(&fixtures("bad").join("06a-size-layer-plus1.tar"));
    let options = Options { force: true, ..Options::new(Level::Archive, None) };
    let (_, outcome) = run(&input, &options).unwrap();
    assert!(outcome.notes.iter().any(|note| note.contains("does not verify")), "{:?}", outcome.notes);
}

#[test]
fn sparse_files_are_refused_or_pass() {
    // Old GNU sparse: one segment of 512 bytes at 1024, 1536 bytes in all.
    let sparse = Member::of_kind(b'S', "sparse", [7; 512])
        .patch(257, *b"ustar  \0")
        .patch(386, *b"00000002000\x0000000001000\0")
        .patch(483, *b"00000003000\0");
    let input = ImageBuilder::good().layers(vec![Layer::new(&[sparse])]).tar();
    let mut options = Options::new(Level::Canonical, Some(0));
    let refused = run(&input, &options).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Refused);
    assert!(refused.to_string().contains("sparse"), "{refused}");
    options.allow_passthrough = true;
    let (out, outcome) = run(&input, &options).unwrap();
    let layer = |archive: &[u8]| first_image(&files(archive)).0["layers"][0]["digest"].clone();
    assert_eq!(layer(&out), layer(&input));
    assert!(outcome.notes.iter().any(|note| note.contains("passes as it is")), "{:?}", outcome.notes);
}

#[test]
fn sorting_refuses_where_the_order_means_something() {
    let twice = Layer::new(&[Member::file("a", "1"), Member::file("./a", "2")]);
    let input = ImageBuilder::good().layers(vec![twice]).tar();
    assert!(run(&input, &Options::new(Level::Canonical, Some(0))).is_ok());
    let refused = run(&input, &Options::new(Level::Sorted, Some(0))).unwrap_err();
    assert!(refused.to_string().contains("stands twice"), "{refused}");
}

#[test]
fn a_wrong_epoch_is_an_error() {
    let folder = folder();
    for sde in ["-1", "", "soon", "1e9", "99999999999999999999", "999999999999999"] {
        let output = program(&["in.tar", "-o", "out.tar", "--sde", sde], &folder);
        assert_eq!(output.status.code(), Some(2), "{sde:?}: {}", said(&output));
    }
    let output = program(&["in.tar", "-o", "out.tar"], &folder);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--sde"));
    assert_eq!(names(&folder), ["in.tar"]);
    assert_eq!(program(&["in.tar", "-o", "out.tar", "--level", "archive"], &folder).status.code(), Some(0));
}

#[test]
fn the_input_is_never_overwritten() {
    let folder = folder();
    let before = read(&folder.path().join("in.tar"));
    std::os::unix::fs::symlink("in.tar", folder.path().join("link.tar")).unwrap();
    fs::hard_link(folder.path().join("in.tar"), folder.path().join("hard.tar")).unwrap();
    for out in ["in.tar", "./in.tar", "link.tar", "hard.tar"] {
        let output = program(&["in.tar", "-o", out, "--sde", "0"], &folder);
        assert_eq!(output.status.code(), Some(2), "{out}: {}", said(&output));
    }
    assert!(read(&folder.path().join("in.tar")) == before);
    assert_eq!(names(&folder), ["hard.tar", "in.tar", "link.tar"]);
}

#[test]
fn a_failure_leaves_the_output_as_it_was() {
    let folder = folder();
    let out = folder.path().join("out.tar");
    fs::write(&out, "precious").unwrap();
    fs::copy(fixtures("bad").join("06a-size-layer-plus1.tar"), folder.path().join("bad.tar")).unwrap();
    assert_eq!(program(&["bad.tar", "-o", "out.tar", "--sde", "0"], &folder).status.code(), Some(2));
    assert_eq!(read(&out), b"precious");
    assert_eq!(names(&folder), ["bad.tar", "in.tar", "out.tar"]);
    assert_eq!(program(&["in.tar", "-o", "out.tar", "--sde", "0"], &folder).status.code(), Some(0));
    assert_ne!(read(&out), b"precious");
}

#[test]
fn what_a_killed_run_left_goes_with_the_next() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path(".out.tar.abc123.repro-build.tmp"), "left").unwrap();
    fs::write(path(".other.tar.abc123.repro-build.tmp"), "of another output").unwrap();
    let held = fs::File::create(path(".out.tar.def456.repro-build.tmp")).unwrap();
    held.lock().unwrap();
    assert_eq!(program(&["in.tar", "-o", "out.tar", "--sde", "0"], &folder).status.code(), Some(0));
    let left = [".other.tar.abc123.repro-build.tmp", ".out.tar.def456.repro-build.tmp", "in.tar", "out.tar"];
    assert_eq!(names(&folder), left);
}

#[test]
fn check_writes_nothing_and_tells_by_its_code() {
    let folder = folder();
    assert_eq!(program(&["in.tar", "--check", "--sde", "0"], &folder).status.code(), Some(1));
    assert_eq!(names(&folder), ["in.tar"]);
    assert_eq!(program(&["in.tar", "-o", "out.tar", "--sde", "0"], &folder).status.code(), Some(0));
    let output = program(&["out.tar", "--check", "--sde", "0"], &folder);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn the_report_names_rules_digests_and_encoder() {
    let folder = folder();
    let output = program(&["in.tar", "-o", "out.tar", "--sde", "0", "--format", "json"], &folder);
    let report = json(&output.stdout);
    let rules: Vec<&str> =
        report["changes"].as_array().unwrap().iter().map(|change| change["rule"].as_str().unwrap()).collect();
    for rule in ["layer.mtime", "config.created", "config.history", "manifest.created"] {
        assert!(rules.contains(&rule), "{rules:?}");
    }
    assert!(!rules.contains(&"archive.form"), "the input has the outer form already");
    assert_eq!(report["encoders"][0], "gzip/zlib-rs-0.6.8/blocks-1MiB/level-6");
    let archive = digest("sha256", &read(&folder.path().join("out.tar")));
    assert_eq!(report["archive"], archive.as_str());
    let moved = report["digests"].as_array().unwrap();
    for rung in ["archive", "manifest", "config", "layer", "diff-id"] {
        assert!(moved.iter().any(|moved| moved["rung"] == rung), "{rung}");
    }
    assert!(
        report["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("signatures"))
    );
    let listed = said(&program(&["--list-rules"], &folder));
    assert!(repro_build::rules::RULES.iter().all(|rule| listed.contains(rule.id)));
}

#[test]
fn a_base_image_can_be_a_tarball() {
    let folder = TempDir::new().unwrap();
    let base = Layer::new(&[Member::dir("etc/").mtime(50), Member::file("etc/a", "a").mtime(5000)]);
    fs::write(folder.path().join("base.tar"), ImageBuilder::good().layers(vec![base]).tar()).unwrap();
    fs::write(folder.path().join("in.tar"), two_layers().tar()).unwrap();
    let layers = |archive: &str| {
        let (manifest, _) = first_image(&files(&read(&folder.path().join(archive))));
        [0, 1].map(|i| manifest["layers"][i]["digest"].clone())
    };
    let before = layers("in.tar");
    for (more, base_changes) in [(&["--base", "base.tar"][..], false), (&[], true)] {
        let args = [&["in.tar", "-o", "out.tar", "--sde", "1000"], more].concat();
        let output = program(&args, &folder);
        assert!(output.status.success(), "{}", said(&output));
        let after = layers("out.tar");
        assert_eq!([before[0] != after[0], before[1] != after[1]], [base_changes, true], "{more:?}");
    }
}

/// A layer whose content and whose blob are each larger than all the memory that the program may allocate.
#[test]
#[cfg(target_os = "linux")]
fn no_layer_is_ever_held_as_a_whole() {
    const MIB: usize = 1 << 20;
    let mut noise = Vec::with_capacity(96 * MIB);
    let mut state = 1_u64;
    while noise.len() < 96 * MIB {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise.extend_from_slice(&state.to_be_bytes()[..4]);
    }
    let folder = TempDir::new().unwrap();
    let layer = Layer::new(&[
        Member::file("noise", noise).mtime(5000),
        Member::file("zeros", vec![0; 64 * MIB]).mtime(5000),
    ]);
    fs::write(folder.path().join("in.tar"), ImageBuilder::good().layers(vec![layer]).tar()).unwrap();
    let limited = |program: &str, args: &[&str]| {
        let mut command = Command::new("sh");
        command.current_dir(&folder).args(["-c", "ulimit -d 65536 && exec \"$@\"", "sh", program]);
        command.args(args).output().unwrap()
    };
    let program = env!("CARGO_BIN_EXE_repro-build");
    let output = limited(program, &["-j2", "normalize", "in.tar", "-o", "out.tar", "--sde", "1000"]);
    assert!(output.status.success(), "{}", said(&output));
    let held = limited("dd", &["if=/dev/zero", "of=/dev/null", "bs=128M", "count=1"]);
    assert!(!held.status.success(), "the limit limits nothing");
}
