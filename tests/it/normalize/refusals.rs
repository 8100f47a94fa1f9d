//! What is refused, what is left behind, what the program says.

use std::process::{Command, Output};

use repro_build::error::ErrorKind;
use tempfile::TempDir;

use super::*;
use crate::support::{Expect, verdicts};

fn program(args: &[&str], folder: &TempDir) -> Output {
    program_with(&[], args, folder)
}

fn program_with(variables: &[(&str, &str)], args: &[&str], folder: &TempDir) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-build"));
    for name in ["SOURCE_DATE_EPOCH", "REPRO_SOURCE_DATE_EPOCH", "REPRO_DATETIME"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).current_dir(folder);
    command.arg("normalize").args(args).output().unwrap()
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

/// DESIGN: flags beat REPRO_* variables, which beat SOURCE_DATE_EPOCH; a wrong value is an error, where it counts.
#[test]
fn the_epoch_is_looked_for_as_build_does() {
    let folder = folder();
    let (repro, general) = ("REPRO_SOURCE_DATE_EPOCH", "SOURCE_DATE_EPOCH");
    let check = ["in.tar", "--check", "--format", "json"];
    for (variables, more, epoch) in [
        (&[(general, "7")][..], &[][..], 7),
        (&[(general, "abc"), (repro, "5")], &[], 5),
        (&[("REPRO_DATETIME", "1970-01-02"), (general, "7")], &[], 86400),
        (&[(general, ""), (repro, "abc")], &["--sde", "9"], 9),
    ] {
        let output = program_with(variables, &[&check, more].concat(), &folder);
        assert_eq!(output.status.code(), Some(1), "{variables:?}: {}", said(&output));
        assert_eq!(json(&output.stdout)["source_date_epoch"], epoch, "{variables:?}");
    }
    for (variables, name) in [
        (&[(general, "")][..], "SOURCE_DATE_EPOCH: "),
        (&[(general, "-1")], "SOURCE_DATE_EPOCH: "),
        (&[(repro, "abc"), (general, "7")], "REPRO_SOURCE_DATE_EPOCH: "),
        (&[("REPRO_DATETIME", "soon")], "REPRO_DATETIME: "),
    ] {
        let output = program_with(variables, &check, &folder);
        assert_eq!(output.status.code(), Some(2), "{variables:?}");
        assert!(said(&output).contains(name) && !said(&output).contains("--sde"), "{}", said(&output));
        for unasked in [&["--list-rules"][..], &["in.tar", "-o", "out.tar", "--level", "archive"]] {
            let output = program_with(variables, unasked, &folder);
            assert_eq!(output.status.code(), Some(0), "{variables:?}: {}", said(&output));
        }
    }
}

#[test]
fn the_last_second_of_rfc_3339_is_a_time() {
    let last = "9999-12-31T23:59:59Z";
    let created = move |config: &mut Value| config["created"] = last.into();
    let input = ImageBuilder::good().json(Doc::Config(0), created).tar();
    let of = |epoch| {
        let (out, _) = run(&input, &Options::new(Level::Clamp, Some(epoch))).unwrap();
        json(&first_image(&files(&out)).1)["created"].clone()
    };
    // date -u -d 9999-12-31T23:59:59Z +%s
    assert_eq!(of(253_402_300_799), last);
    assert_eq!(of(253_402_300_798), "9999-12-31T23:59:58Z");
    assert_eq!(of(0), "1970-01-01T00:00:00Z");
    let refused = run(&input, &Options::new(Level::Clamp, Some(253_402_300_800))).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Usage, "{refused}");
}

#[test]
fn a_rule_that_its_name_does_not_switch_is_refused() {
    let folder = folder();
    for (option, id, instead) in [
        ("--no-rule", "archive.form", "every archive"),
        ("--no-rule", "archive.unreferenced", "every archive"),
        ("--no-rule", "archive.documents", "every archive"),
        ("--rule", "archive.layout", "--layout"),
        ("--rule", "archive.attestations", "--attestations drop"),
    ] {
        let output = program(&["in.tar", "-o", "out.tar", "--sde", "0", option, id], &folder);
        assert_eq!(output.status.code(), Some(2), "{id}");
        assert!(said(&output).contains(id) && said(&output).contains(instead), "{}", said(&output));
    }
    assert_eq!(names(&folder), ["in.tar"]);
}

#[test]
fn a_base_image_that_is_not_below_the_image_is_refused() {
    let folder = folder();
    let other = Layer::new(&[Member::file("other", "")]);
    fs::write(folder.path().join("other.tar"), ImageBuilder::good().layers(vec![other]).tar()).unwrap();
    let nothing = format!("sha256:{}", "0".repeat(64));
    for base in [nothing.as_str(), "other.tar"] {
        let output = program(&["in.tar", "-o", "out.tar", "--sde", "0", "--base", base], &folder);
        assert_eq!(output.status.code(), Some(2), "{base}");
        assert!(said(&output).contains(base), "{}", said(&output));
    }
    assert_eq!(names(&folder), ["in.tar", "other.tar"]);
}

#[test]
fn only_a_file_is_replaced_and_a_link_is_followed() {
    use std::os::unix::fs::{FileTypeExt as _, symlink};
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("real")).unwrap();
    symlink("real/out.tar", path("link")).unwrap();
    symlink("link", path("link-to-link")).unwrap();
    symlink("round", path("round")).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
    symlink("fifo", path("link-to-fifo")).unwrap();
    let before = names(&folder);
    for (out, what) in [
        ("fifo", "pipe"),
        ("link-to-fifo", "pipe"),
        ("real", "directory"),
        ("round", "link"),
        ("-", "-o cannot be -"),
    ] {
        let output = program(&["in.tar", "-o", out, "--sde", "0"], &folder);
        assert_eq!(output.status.code(), Some(2), "{out}: {}", said(&output));
        assert!(said(&output).contains(what), "{out}: {}", said(&output));
    }
    assert!(fs::symlink_metadata(path("fifo")).unwrap().file_type().is_fifo());
    // The file is not there the first time.
    for sde in ["0", "1"] {
        let to_link = program(&["in.tar", "-o", "link-to-link", "--sde", sde], &folder);
        assert!(to_link.status.success(), "{}", said(&to_link));
        assert!(program(&["in.tar", "-o", "real/plain.tar", "--sde", sde], &folder).status.success());
        assert!(read(&path("real/out.tar")) == read(&path("real/plain.tar")));
    }
    assert!(["link", "link-to-link"].iter().all(|name| path(name).is_symlink()));
    assert_eq!(names(&folder), before);
}

#[test]
fn a_report_is_the_same_every_time() {
    let folder = folder();
    let opaque = Layer::of_tar(b"no tar".to_vec(), Packing::Plain)
        .media_type("application/vnd.oci.image.layer.v1.tar+encrypted");
    fs::write(folder.path().join("opaque.tar"), ImageBuilder::good().layers(vec![opaque]).tar()).unwrap();
    let report = || {
        let args = ["opaque.tar", "-o", "out.tar", "--level", "archive", "--allow-passthrough", "--force"];
        let output = program(&args, &folder);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    let first = report();
    assert!(first.contains("the output does not verify either") && first.contains("out.tar ›"), "{first}");
    assert_eq!(report(), first);
    let args = ["opaque.tar", "-o", "out.tar", "--level", "archive", "--allow-passthrough", "--allow-opaque"];
    let output = program(&args, &folder);
    assert!(output.status.success() && !said(&output).contains("does not verify"), "{}", said(&output));
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
