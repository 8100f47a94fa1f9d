//! `build` and `rebuild` as a user runs them: the real program, with made-up container runtimes on its PATH.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use crate::{
    build::fake::{Fake, names},
    support::{Doc, ImageBuilder, Layer, Member, fixtures},
};

const TINY: &str = "sha256:abdc25f521957cd674f46314e21ae37ca786b26fef8ae1b5900e093a06cab2ae";
const OTHER: &str = "sha256:60deb5c0e4dc3f1d73f9a213d04798f7875b5980ff07941afe29c96ecd3d8e3c";
const RUNTIMES: [&str; 2] = ["docker", "podman"];

/// A world in which the runtime writes the fixture `tiny`, built by a real BuildKit with SOURCE_DATE_EPOCH=0.
fn tiny(behaviour: &str) -> Fake {
    let fake = Fake::new(behaviour);
    copy("good/tiny-bk-docker-rw0.tar", &fake.path("fixture.tar"));
    fake
}

fn copy(fixture: &str, to: &Path) {
    fs::copy(fixtures(fixture), to).unwrap();
}

/// The program with nothing but the fake runtimes and a shell's tools around it.
fn program(fake: &Fake, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-build"));
    command.args(args).env_clear().current_dir(fake.path("out"));
    command.env("PATH", format!("{}:/usr/bin:/bin", fake.path("bin").display()));
    command.env("HOME", fake.path(""));
    command
}

/// `build ARGS… ../context` with SOURCE_DATE_EPOCH 0.
fn build(fake: &Fake, args: &[&str]) -> Output {
    program(fake, &[&["build", "--sde=0"], args, &["../context"]].concat()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", out(output), err(output));
}

#[test]
fn what_is_built_is_verified_and_its_ladder_shown() {
    for runtime in RUNTIMES {
        let fake = tiny("success");
        let built = build(&fake, &["--runtime", runtime]);
        ends(&built, 0);
        assert!(out(&built).contains(TINY) && out(&built).contains("PASS"), "{}", out(&built));
        // The config digest is what the fixture's table says, by an independent reader.
        assert!(out(&built).contains("sha256:0d12b6846fe3"), "{}", out(&built));
        let log = err(&built);
        assert!(log.starts_with("Build environment:\n- Container runtime: "), "{log}");
        // Every command that ran was shown first, and reads back as the words that ran.
        let shown: Vec<String> = log
            .lines()
            .filter_map(|line| line.strip_prefix("Running: "))
            .map(|line| shlex::split(line).unwrap().join("\t"))
            .collect();
        assert_eq!(shown, fake.log());
        assert_eq!(fake.outputs(), ["image.tar"]);
        assert_eq!(err(&build(&tiny("success"), &["-q", "--runtime", runtime])), "");
    }
}

#[test]
fn the_runtimes_own_code_comes_through() {
    for runtime in RUNTIMES {
        let fake = tiny("fails");
        ends(&build(&fake, &["--runtime", runtime]), 37);
        assert!(fake.outputs().is_empty());
    }
}

#[test]
fn a_missing_runtime_is_named_with_advice() {
    let fake = tiny("success");
    let run = |args: &[&str]| {
        let mut command = program(&fake, &[&["build", "--sde=0"], args, &["../context"]].concat());
        command.env("PATH", fake.path("context")).output().unwrap()
    };
    for (args, advice) in [
        (&[][..], "no container runtime found; install docker or podman"),
        (&["--runtime=docker"], "docker is not installed"),
        (&["--runtime=podman"], "podman is not installed"),
    ] {
        let output = run(args);
        ends(&output, 2);
        assert!(err(&output).contains(advice), "{}", err(&output));
    }
    assert!(fake.outputs().is_empty());
}

#[test]
fn an_output_that_is_missing_or_no_image_is_no_success() {
    for behaviour in ["nothing", "empty"] {
        let fake = tiny(behaviour);
        let output = build(&fake, &[]);
        ends(&output, 2);
        assert!(err(&output).contains("wrote no image"), "{}", err(&output));
        assert!(fake.outputs().is_empty());
    }
    let fake = Fake::new("success");
    let output = build(&fake, &[]);
    ends(&output, 2);
    assert!(err(&output).contains("not a tar archive"), "{}", err(&output));
}

#[test]
fn a_damaged_output_is_reported_with_its_findings() {
    for (file, check) in [
        ("bad/01a-flip-layer-mid.tar", "blob.digest"),
        ("bad/05a-missing-layer.tar", "blob.missing"),
        ("bad/07a-diffids-swapped.tar", "config.diff-id"),
    ] {
        let fake = tiny("success");
        copy(file, &fake.path("fixture.tar"));
        let output = build(&fake, &[]);
        ends(&output, 1);
        assert!(out(&output).contains(&format!("error[{check}]")), "{check}: {}", out(&output));
    }
}

#[test]
fn the_expected_digest_decides() {
    let fake = tiny("success");
    let right = build(&fake, &["--expected-image-digest", TINY]);
    ends(&right, 0);
    assert!(out(&right).starts_with("✅ Image digest matches abdc25f5"), "{}", out(&right));
    let wrong = build(&fake, &["--expected-image-digest", OTHER]);
    ends(&wrong, 1);
    assert!(err(&wrong).contains("does not have the expected digest"), "{}", err(&wrong));
    assert!(!out(&wrong).contains('✅'));
    // The right digest over wrong content is no match.
    copy("bad/01a-flip-layer-mid.tar", &fake.path("fixture.tar"));
    let flipped = build(&fake, &["--expected-image-digest", TINY]);
    ends(&flipped, 1);
    assert!(!out(&flipped).contains('✅'));
    ends(&build(&fake, &["--expected-image-digest", "sha256:zz"]), 2);
}

/// Ctrl-C on a terminal: the signal reaches the program and, as here, everything it started.
#[test]
fn ctrl_c_ends_the_runtime_and_leaves_nothing() {
    for runtime in RUNTIMES {
        let fake = tiny("hangs");
        let mut command = program(&fake, &["build", "--sde=0", "--runtime", runtime, "../context"]);
        let mut child =
            command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let group = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        while !fake.path("started").exists() {
            assert_eq!(child.try_wait().unwrap(), None, "the program ended");
            thread::sleep(Duration::from_millis(10));
        }
        rustix::process::kill_process_group(group, rustix::process::Signal::INT).unwrap();
        let output = child.wait_with_output().unwrap();
        ends(&output, 130);
        assert!(fake.outputs().is_empty(), "{:?}", fake.outputs());
        // The child has ended: nobody is left in the group.
        rustix::process::test_kill_process_group(group).unwrap_err();
    }
}

/// A runtime that does not listen is waited for, until the user insists.
#[test]
fn a_second_ctrl_c_is_not_gentle() {
    use rustix::process::{Pid, Signal, kill_process};
    let fake = tiny("deaf");
    let mut command = program(&fake, &["build", "--sde=0", "--runtime", "docker", "../context"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !fake.path("started").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "the program ended");
        thread::sleep(Duration::from_millis(10));
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    // Longer than a command that only reads is given.
    thread::sleep(Duration::from_millis(900));
    assert_eq!(child.try_wait().unwrap(), None, "the program did not wait for the runtime");
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    ends(&output, 143);
    assert!(fake.outputs().is_empty(), "{:?}", fake.outputs());
}

/// A question that is not answered is given up like a build.
#[test]
fn ctrl_c_ends_a_probe() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let fake = tiny("probe-hangs");
        let mut command = program(&fake, &["build", "--sde=0", "--runtime", "docker", "../context"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !fake.path("started").exists() {
            assert_eq!(child.try_wait().unwrap(), None, "the program ended");
            thread::sleep(Duration::from_millis(10));
        }
        kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
        let begun = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(child.try_wait().unwrap().is_some(), "it waits for an answer");
        ends(&child.wait_with_output().unwrap(), code);
        assert!(fake.outputs().is_empty() && fake.log().len() == 1, "{:?}", fake.log());
    }
}

#[test]
fn a_record_leads_to_the_same_image_or_says_what_differs() {
    for runtime in RUNTIMES {
        let fake = tiny("success");
        fs::write(fake.path("context/a"), "a").unwrap();
        let arguments = [
            "--runtime",
            runtime,
            "--record=../record.json",
            "--tag=x:1",
            "--build-arg=A=1, 2",
            "--build-arg=B",
            "--annotation=k=v,w",
        ];
        let recorded = program(&fake, &[&["build", "--sde=0"], &arguments[..], &["../context"]].concat())
            .env("B", "from outside")
            .output()
            .unwrap();
        ends(&recorded, 0);
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(fake.path("record.json")).unwrap()).unwrap();
        crate::reports::assert_published("BuildRecord", &json, "tool");
        assert_eq!(json["digest"], TINY);
        let version = if runtime == "docker" { "buildx v0.99" } else { "podman version 9.9" };
        assert_eq!(json["runtime"], serde_json::json!({"name": runtime, "version": version}));
        assert_eq!(json["build_args"], serde_json::json!(["A=1, 2", "B=from outside"]));
        let first = build_command(&fake);

        // Variables that would lead a build elsewhere do not touch a rebuild.
        let rebuild = |fake: &Fake| {
            program(fake, &["rebuild", "../record.json", "../context"])
                .envs([
                    ("REPRO_CACHE", "0"),
                    ("B", "other"),
                    ("REPRO_ROOTLESS", "1"),
                    ("SOURCE_DATE_EPOCH", "7"),
                ])
                .output()
                .unwrap()
        };
        let same = rebuild(&fake);
        ends(&same, 0);
        assert!(out(&same).contains("the same image as recorded"), "{}", out(&same));
        assert_eq!(steady(&build_command(&fake)), steady(&first));

        fs::write(fake.path("context/a"), "b").unwrap();
        copy("good/bk31-docker-small-rw0.tar", &fake.path("fixture.tar"));
        let other = rebuild(&fake);
        ends(&other, 1);
        let text = out(&other);
        let differences = text.split("another image than recorded:").nth(1).unwrap();
        assert_eq!(differences.lines().nth(1), Some("  context"), "the context first: {differences}");
        assert!(differences.contains(TINY) && differences.contains(OTHER), "{differences}");
        assert!(!differences.contains("tags") && !differences.contains("build args"), "{differences}");
    }
}

/// The words of the last command that built.
fn build_command(fake: &Fake) -> Vec<String> {
    let log = fake.log();
    let line = log.iter().rfind(|line| line.contains("--output=")).unwrap();
    line.split('\t').map(str::to_owned).collect()
}

/// Without the name of the directory that each run makes for itself.
fn steady(words: &[String]) -> Vec<String> {
    let own = |word: &str| word.contains(".repro-build-") || word.starts_with("--name=repro-build-");
    words.iter().filter(|word| !own(word)).cloned().collect()
}

#[test]
fn what_is_no_record_is_refused() {
    let fake = tiny("success");
    for (text, why) in [("{}", "no build record"), ("", "no build record"), ("\u{1b}[31m", "no build record")]
    {
        fs::write(fake.path("record.json"), text).unwrap();
        let output = program(&fake, &["rebuild", "../record.json", "../context"]).output().unwrap();
        ends(&output, 2);
        assert!(err(&output).contains(why) && !err(&output).contains('\u{1b}'), "{}", err(&output));
    }
    let output = program(&fake, &["rebuild", "../nothing.json", "../context"]).output().unwrap();
    ends(&output, 2);
    assert!(fake.log().is_empty());
}

#[test]
fn two_builds_are_compared() {
    for runtime in RUNTIMES {
        let fake = tiny("alternates");
        copy("good/tiny-bk-docker-rw0.tar", &fake.path("fixture-2.tar"));
        let same = build(&fake, &["--runtime", runtime, "--check-reproducible"]);
        ends(&same, 0);
        assert!(out(&same).contains("the second build gave the same image"), "{}", out(&same));
        assert_eq!(fake.outputs(), ["image.tar"]);
        let builds: Vec<_> = fake.log().into_iter().filter(|line| line.contains("--output=")).collect();
        assert_eq!(builds.len(), 2);
        // In the context neither build sees the other's image.
        let inside = tiny("alternates");
        copy("good/tiny-bk-docker-rw0.tar", &inside.path("fixture-2.tar"));
        let args = ["--runtime", runtime, "--check-reproducible", "--output=../context/image.tar"];
        ends(&build(&inside, &args), 0);
        let ignored = fs::read_to_string(inside.path("seen-ignore")).unwrap();
        for image in ["image.tar", "image.tar.second"] {
            assert!(ignored.lines().any(|line| line == image), "the second build sees {image}: {ignored}");
        }
        assert!(builds.iter().all(|line| line.contains("\t--no-cache\t")), "{builds:?}");

        let fake = tiny("alternates");
        copy("good/bk31-docker-small-rw0.tar", &fake.path("fixture-2.tar"));
        let differ = build(&fake, &["--runtime", runtime, "--check-reproducible"]);
        ends(&differ, 1);
        assert!(out(&differ).contains("the second build gave another image"), "{}", out(&differ));
        assert_eq!(fake.outputs(), ["image.tar", "image.tar.second"]);
    }
}

#[test]
fn a_dry_run_prints_the_commands_and_runs_nothing() {
    let fake = tiny("success");
    let root = fs::canonicalize(fake.path("out")).unwrap();
    let context = format!("{}/../context", root.display());
    let dry = build(&fake, &["--dry", "--runtime=docker", "--builder=mine", "-t", "x:1", "-o", "a.tar"]);
    ends(&dry, 0);
    assert_eq!(
        out(&dry),
        format!(
            "docker buildx build --builder=mine --build-arg=SOURCE_DATE_EPOCH=0 --provenance=false \
             --output=type=docker,dest={}/a.tar,rewrite-timestamp=true --tag=x:1 {context}\n",
            root.display()
        )
    );
    let podman = build(&fake, &["--dry", "--runtime=podman", "--no-cache"]);
    ends(&podman, 0);
    let line = shlex::split(out(&podman).trim_end()).unwrap();
    assert_eq!(line[..3], ["podman", "run", "--rm"]);
    assert!(line.contains(&"--opt=build-arg:SOURCE_DATE_EPOCH=0".to_owned()), "{line:?}");
    assert!(fake.log().is_empty() && fake.outputs().is_empty());
}

/// What `--dry` prints is run by a shell, and compared with what a build runs.
#[test]
fn a_dry_run_prints_what_a_build_runs() {
    for runtime in RUNTIMES {
        let (dry, real) = (tiny("success"), tiny("success"));
        let args = ["--runtime", runtime, "--record=../record.json", "--build-arg=A=x, \"y\"\n$(z)"];
        let printed = build(&dry, &[&args[..], &["--dry"]].concat());
        ends(&printed, 0);
        let mut shell = Command::new("bash");
        shell.args(["-euc", &out(&printed)]).current_dir(dry.path("out"));
        shell.env("PATH", format!("{}:/usr/bin:/bin", dry.path("bin").display()));
        ends(&shell.output().unwrap(), 0);
        ends(&build(&real, &args), 0);
        // The image goes straight to its place, and each world has its own paths.
        let plain = |fake: &Fake| -> Vec<String> {
            let root = fs::canonicalize(fake.path("")).unwrap().display().to_string();
            let own = |word: &str| word.starts_with("--name=repro-build-");
            let words = fake.log().join("\t").replace(&root, "");
            let staging = words.split(['/', ',', '\t']).find(|part| part.starts_with(".repro-build-"));
            let words = staging.map_or(words.clone(), |name| words.replace(&format!("/{name}"), ""));
            words.split('\t').filter(|word| !own(word)).map(str::to_owned).collect()
        };
        assert_eq!(plain(&dry), plain(&real));
        assert_eq!(dry.outputs(), ["image.tar"]);
        // A builder that is there is not made again.
        ends(&shell.output().unwrap(), 0);
        let created = dry.log().iter().filter(|line| line.contains("\tcreate\t")).count();
        assert_eq!(created, usize::from(runtime == "docker"));
    }
}

#[test]
fn flags_beat_the_environment() {
    let fake = tiny("success");
    let dry = |vars: &[(&str, &str)], args: &[&str]| {
        let args = [&["build", "--dry"], args, &["../context"]].concat();
        program(&fake, &args).envs(vars.iter().copied()).output().unwrap()
    };
    let variables = [
        ("REPRO_RUNTIME", "podman"),
        ("REPRO_SOURCE_DATE_EPOCH", "5"),
        ("SOURCE_DATE_EPOCH", "6"),
        ("REPRO_CACHE", "0"),
        ("REPRO_BUILDKIT_IMAGE", "v0.19.0"),
    ];
    let by_variables = dry(&variables, &[]);
    ends(&by_variables, 0);
    for part in ["podman run", "SOURCE_DATE_EPOCH=5", "--no-cache", "moby/buildkit:v0.19.0@sha256:"] {
        assert!(out(&by_variables).contains(part), "{part}: {}", out(&by_variables));
    }
    let by_flags =
        dry(&variables, &["--runtime=docker", "--datetime=1970-01-01T00:00:07", "--buildkit-image=v0.31.0"]);
    ends(&by_flags, 0);
    for part in ["docker buildx build", "SOURCE_DATE_EPOCH=7", "moby/buildkit:v0.31.0@sha256:"] {
        assert!(out(&by_flags).contains(part), "{part}: {}", out(&by_flags));
    }
    assert!(out(&dry(&[("SOURCE_DATE_EPOCH", "6")], &[])).contains("SOURCE_DATE_EPOCH=6"));
    for (vars, args) in [
        (&[][..], &[][..]),
        (&[("REPRO_CACHE", "maybe")], &["--sde=0"]),
        (&[("REPRO_RUNTIME", "nerdctl")], &["--sde=0"]),
        (&[], &["--sde=0", "--datetime=2025-01-01"]),
        (&[], &["--sde", "-1"]),
        (&[], &["--sde=soon"]),
        (&[], &["--sde=0", "--runtime=nerdctl"]),
        (&[], &["--sde=0", "--exporter=tar"]),
        (&[], &["--sde=0", "--platform=linux/amd64,linux/arm64"]),
    ] {
        ends(&dry(vars, args), 2);
    }
}

#[test]
fn hostile_values_stay_values() {
    let fake = tiny("success");
    let trap = fake.path("trap");
    let inject = format!("$(touch {0}); `touch {0}`", trap.display());
    for runtime in RUNTIMES {
        let annotation = format!("--annotation=k=a,push=true,dest=/x\"{inject}");
        let argument = format!("--build-arg=A=\u{1b}[31m\n{inject}");
        let output = build(&fake, &["--runtime", runtime, &annotation, &argument, "--output=-a b.tar"]);
        ends(&output, 0);
        assert!(!err(&output).contains('\u{1b}'), "{}", err(&output));
        assert!(!trap.exists());
        assert_eq!(fake.outputs(), ["-a b.tar"]);
        fs::remove_file(fake.path("out/-a b.tar")).unwrap();
    }
    for arguments in [
        ["--tag=a,push=true"],
        ["--buildkit-image=--privileged"],
        ["--builder=--rm"],
        ["--platform=--privileged"],
        ["--annotation=x y=z"],
        ["--output="],
    ] {
        let output = build(&fake, &[&["--runtime=docker"], &arguments[..]].concat());
        ends(&output, 2);
    }
    assert_eq!(names(&fake.path("context")), ["Dockerfile"]);
}

#[test]
fn what_a_build_left_newer_is_a_finding_that_normalize_takes_away() {
    let fake = tiny("success");
    copy("pairs/docker-small-plain.tar", &fake.path("fixture.tar"));
    let plain = build(&fake, &[]);
    ends(&plain, 1);
    assert!(out(&plain).contains("error[config.newer-than-epoch]"), "{}", out(&plain));

    let clamped = build(&fake, &["--normalize=clamp", "--record=../record.json"]);
    ends(&clamped, 0);
    // BuildKit's own rewriting of the same build: pairs/docker-small-rw0.tar.
    for digest in ["sha256:3309e8d51ca0", "fa01e42d1900", "7a5b8607dd6d"] {
        assert!(out(&clamped).contains(digest), "{digest}: {}", out(&clamped));
    }
    assert_eq!(fake.outputs(), ["image.tar"]);
    let rebuilt = program(&fake, &["rebuild", "../record.json", "../context"]).output().unwrap();
    ends(&rebuilt, 0);
}

/// An image whose lower layer is from a base image newer than the epoch, 0, as BuildKit leaves it.
fn on_newer_base(newer_top: bool) -> ImageBuilder {
    let base = Layer::new(&[Member::file("base", "1").mtime(1_700_000_000)]);
    let top = Layer::new(&[Member::file("own", "2").mtime(if newer_top { 1_700_000_000 } else { 0 })]);
    ImageBuilder::good().layers(vec![base, top]).json(Doc::Config(0), |config| {
        config["created"] = "1970-01-01T00:00:00Z".into();
        config["history"] = serde_json::json!([
            {"created": "2023-11-14T00:00:00Z"},
            {"created": "2023-11-14T00:00:00Z", "empty_layer": true},
            {"created": "1970-01-01T00:00:00Z"},
        ]);
    })
}

#[test]
fn a_base_image_may_be_newer_and_a_layer_of_its_own_may_not() {
    let rewritten = |layer: usize| {
        move |manifest: &mut serde_json::Value| {
            manifest["layers"][layer]["annotations"] =
                serde_json::json!({"buildkit/rewritten-timestamp": "0"});
        }
    };
    for (image, code, finding) in [
        (on_newer_base(false), 0, None),
        // BuildKit failed to rewrite the layer.
        (on_newer_base(true), 1, Some("layer.newer-than-epoch")),
        // BuildKit says that it rewrote the layer, so it is none of the base's.
        (on_newer_base(false).json(Doc::Manifest(0), rewritten(0)), 1, Some("layer.newer-than-epoch")),
        (on_newer_base(false).json(Doc::Manifest(0), rewritten(1)), 0, None),
        // What is not in the history has no excuse.
        (
            on_newer_base(false)
                .json(Doc::Config(0), |config| config["created"] = "2023-11-14T00:00:00Z".into()),
            1,
            Some("config.newer-than-epoch"),
        ),
    ] {
        let fake = Fake::new("success");
        fs::write(fake.path("fixture.tar"), image.tar()).unwrap();
        let output = build(&fake, &[]);
        ends(&output, code);
        assert_eq!(finding.is_some(), out(&output).contains("newer-than-epoch"), "{}", out(&output));
        finding.into_iter().for_each(|check| assert!(out(&output).contains(check), "{}", out(&output)));

        let verify = |more: &[&str]| {
            let args = [&["verify", "--sde=0"], more, &["image.tar"]].concat();
            program(&fake, &args).output().unwrap().status.code()
        };
        assert_eq!((verify(&["--newer-base"]), verify(&[])), (Some(code), Some(1)));
    }
}

/// A script of the actions, with the real program as its TOOL.
fn script(fake: &Fake, name: &str, vars: &[(&str, &str)]) -> Output {
    let temp = fake.path("temp");
    fs::create_dir_all(&temp).unwrap();
    let mut command = Command::new("bash");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("action").join(name));
    command.env_clear().current_dir(fake.path("context")).envs(vars.iter().copied());
    command.env("PATH", format!("{}:/usr/bin:/bin", fake.path("bin").display()));
    command.env("TOOL", env!("CARGO_BIN_EXE_repro-build")).env("RUNNER_TEMP", &temp);
    command.env("GITHUB_OUTPUT", temp.join("outputs")).env("GITHUB_STEP_SUMMARY", temp.join("summary"));
    command.output().unwrap()
}

/// The report that the verify action named last.
fn last_report(fake: &Fake) -> serde_json::Value {
    let outputs = fs::read_to_string(fake.path("temp/outputs")).unwrap();
    let path = outputs.lines().rfind(|line| line.ends_with("/report.json")).unwrap();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_verify_action_works_with_the_program_as_it_is() {
    let mut variables = vec![
        ("EXPECTED_DIGEST", TINY),
        ("TARGET_IMAGE", ""),
        ("FILE", "Dockerfile"),
        ("CONTEXT", "."),
        ("PLATFORM", "linux/amd64"),
        ("BUILDKIT_IMAGE", "v0.31.0"),
        ("RUNTIME", "podman"),
        ("EPOCH_SECONDS", "0"),
        ("TIMESTAMP", ""),
        ("BUILD_ARGS", "A=1"),
        ("ANNOTATIONS", "k=v"),
        ("OUTPUT", ""),
        ("TAGS", "x:1"),
    ];
    let fake = tiny("success");
    let good = script(&fake, "verify.sh", &variables);
    ends(&good, 0);
    let outputs = fs::read_to_string(fake.path("temp/outputs")).unwrap();
    assert!(outputs.contains(&format!("\n{TINY}\n")) && outputs.contains("\ntrue\n"), "{outputs}");
    let report = last_report(&fake);
    assert_eq!(report["inputs"][0]["outcome"], "pass");

    variables[0].1 = OTHER;
    let other = script(&tiny("success"), "verify.sh", &variables);
    ends(&other, 1);
    let fake = tiny("success");
    copy("bad/07a-diffids-swapped.tar", &fake.path("fixture.tar"));
    ends(&script(&fake, "verify.sh", &variables), 1);
    let report = last_report(&fake);
    assert_eq!(report["inputs"][0]["outcome"], "fail");
}

#[test]
fn the_nightly_script_works_with_the_program_as_it_is() {
    for (runtime, buildkit) in [("docker", "pinned"), ("podman", "latest")] {
        let fake = tiny("success");
        let variables =
            [("RUNTIME", runtime), ("BUILDKIT", buildkit), ("DOCKERFILE", "Dockerfile"), ("MACHINE", "m")];
        ends(&script(&fake, "nightly-build.sh", &variables), 0);
        let noted = fake.path(&format!("temp/digests/Dockerfile.m.{buildkit}.{runtime}"));
        assert_eq!(fs::read_to_string(noted).unwrap().trim(), TINY);
    }
}
