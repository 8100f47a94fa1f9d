//! Whole builds with fake runtimes: what is run, what is left on disk, which error comes back.

use std::{fs, process::Command};

use repro_build::{
    build::{BuildRequest, Builder, DryRun, Executor as _, Process, System, run},
    error::ErrorKind,
    observe::Silent,
};

use super::{
    environment::{flags, usage},
    fake::{Fake, InterruptedBy, names},
};

const RUNTIMES: [&str; 2] = ["docker", "podman"];

#[test]
fn a_build_leaves_the_image_and_nothing_else() {
    for runtime in RUNTIMES {
        let fake = Fake::new("success");
        let (result, announced) = fake.run(&fake.request(runtime, |_| {}), &Silent);
        result.unwrap();
        assert_eq!(fake.outputs(), ["image.tar"]);
        assert_eq!(fs::read_to_string(fake.path("out/image.tar")).unwrap(), "an image");
        assert_eq!(names(&fake.path("context")), ["Dockerfile"]);
        // What was announced is what was run, word by word.
        let ran = fake.log();
        let announced: Vec<_> = announced.iter().map(|line| shlex::split(line).unwrap().join("\t")).collect();
        assert_eq!(announced, ran);
        let verbs: Vec<_> = ran.iter().map(|line| line.split('\t').nth(2).unwrap_or("")).collect();
        assert_eq!(
            verbs,
            if runtime == "docker" { vec!["inspect", "create", "build"] } else { vec!["--rm"] }
        );
    }
}

#[test]
fn a_builder_that_is_there_is_used_again_and_one_that_cannot_be_made_is_an_error() {
    let fake = Fake::new("success");
    let request = fake.request("docker", |_| {});
    fake.run(&request, &Silent).0.unwrap();
    fake.run(&request, &Silent).0.unwrap();
    let created = fake.log().iter().filter(|line| line.starts_with("docker\tbuildx\tcreate")).count();
    assert_eq!(created, 1);

    let fake = Fake::new("create-fails");
    let error = fake.run(&fake.request("docker", |_| {}), &Silent).0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Child(41), "{error}");
    assert!(!fake.log().iter().any(|line| line.contains("\tbuild\t")));
}

#[test]
fn a_build_that_fails_leaves_what_was_there() {
    for runtime in RUNTIMES {
        for (behaviour, kind) in [
            ("fails", ErrorKind::Child(37)),
            ("nothing", ErrorKind::NotAnImage),
            ("empty", ErrorKind::NotAnImage),
        ] {
            let fake = Fake::new(behaviour);
            let request = fake.request(runtime, |_| {});
            let error = fake.run(&request, &Silent).0.unwrap_err();
            assert_eq!(error.kind, kind, "{runtime} {behaviour}: {error}");
            assert!(fake.outputs().is_empty(), "{:?}", fake.outputs());

            fs::write(&request.output, "an earlier image").unwrap();
            fake.run(&request, &Silent).0.unwrap_err();
            assert_eq!(fs::read_to_string(&request.output).unwrap(), "an earlier image");
            assert_eq!(fake.outputs(), ["image.tar"]);
        }
    }
}

#[test]
fn a_link_is_followed_and_what_is_no_file_stays() {
    let fake = Fake::new("success");
    std::os::unix::fs::symlink("../real.tar", fake.path("out/image.tar")).unwrap();
    // The link's target is not there the first time.
    for _ in 0..2 {
        fake.run(&fake.request("docker", |_| {}), &Silent).0.unwrap();
        assert!(fake.path("out/image.tar").is_symlink());
        assert_eq!(fs::read_to_string(fake.path("real.tar")).unwrap(), "an image");
    }
    let pipe = fake.path("out/pipe").to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let context = fake.path("context").to_str().unwrap().to_owned();
    let flags = Builder { output: Some(pipe), context, runtime: Some("docker".into()), ..flags() };
    assert!(usage(BuildRequest::resolve(&flags, &System)).contains("a pipe"));
}

#[test]
fn a_runtime_that_is_not_there_is_named() {
    for runtime in RUNTIMES {
        let fake = Fake::new("success");
        fake.remove_program(runtime);
        let request = fake.request(runtime, |_| {});
        let mut process = Process {
            observer: &Silent,
            announce: &mut |_| {},
            path: Some(fake.path("bin").into_os_string()),
        };
        let error = run(&request, &mut process).unwrap_err();
        assert_eq!(error.kind, ErrorKind::MissingTool, "{error}");
        assert!(error.to_string().contains(runtime), "{error}");
        assert!(fake.outputs().is_empty());
    }
}

#[test]
fn an_interrupt_ends_the_runtime_and_leaves_no_partial_image() {
    for runtime in RUNTIMES {
        let fake = Fake::new("hangs");
        let request = fake.request(runtime, |_| {});
        let observer = InterruptedBy(fake.path("started"));
        let error = fake.run(&request, &observer).0.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted, "{error}");
        assert!(fake.outputs().is_empty(), "{:?}", fake.outputs());
        // Docker takes the signal; podman's container does not, and is removed.
        let trace = if runtime == "docker" { "interrupted" } else { "removed" };
        assert!(fake.path(trace).exists(), "{runtime} {:?}", fake.log());
    }
}

#[test]
fn an_output_directory_that_is_not_there_is_an_error_before_anything_runs() {
    let fake = Fake::new("success");
    let missing = fake.path("missing/image.tar").to_str().unwrap().to_owned();
    let request = fake.request("docker", |flags| flags.output = Some(missing.clone()));
    let error = fake.run(&request, &Silent).0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Io, "{error}");
    assert!(fake.log().is_empty());
}

#[test]
fn what_the_program_writes_into_the_context_is_not_part_of_it() {
    for runtime in RUNTIMES {
        for (files, specific, expected) in [
            (&[][..], "", ""),
            (&[(".dockerignore", "*.log")], "", "*.log"),
            (&[(".dockerignore", "*.log"), ("F.dockerignore", "*.tmp")], "F", "*.tmp"),
            (&[(".dockerignore", "*.log")], "F", "*.log"),
        ] {
            let fake = Fake::new("success");
            fs::write(fake.path("context/F"), "FROM other\n").unwrap();
            for (name, text) in files {
                fs::write(fake.path("context").join(name), text).unwrap();
            }
            let context = fake.path("context").to_str().unwrap().to_owned();
            let request = fake.request(runtime, |flags| {
                flags.output = Some(format!("{context}/#a*.tar"));
                flags.leave_out = vec![format!("{context}/record.json")];
                flags.file = (!specific.is_empty()).then(|| format!("{context}/{specific}"));
            });
            fake.run(&request, &Silent).0.unwrap();
            assert!(fake.path("context/#a*.tar").exists());
            let dockerfile = fs::read_to_string(fake.path("seen-dockerfile")).unwrap();
            assert_eq!(dockerfile, if specific.is_empty() { "FROM scratch\n" } else { "FROM other\n" });
            let ignore = fs::read_to_string(fake.path("seen-ignore")).unwrap();
            let lines: Vec<_> = ignore.lines().collect();
            assert_eq!(lines[..3], [expected, "\\#a\\*.tar", "record.json"]);
            assert!(lines[3].starts_with(".repro-build-") && lines.len() == 4, "{lines:?}");
        }
    }
}

#[test]
fn a_dockerfile_of_its_own_reaches_the_runtime_with_its_ignore_file() {
    for runtime in RUNTIMES {
        let fake = Fake::new("success");
        fs::write(fake.path("F"), "FROM elsewhere\n").unwrap();
        fs::write(fake.path("F.dockerignore"), "secret\n").unwrap();
        let file = fake.path("F").to_str().unwrap().to_owned();
        let request = fake.request(runtime, |flags| flags.file = Some(file.clone()));
        fake.run(&request, &Silent).0.unwrap();
        assert_eq!(fs::read_to_string(fake.path("seen-dockerfile")).unwrap(), "FROM elsewhere\n");
        assert_eq!(fs::read_to_string(fake.path("seen-ignore")).unwrap(), "secret\n");
    }
}

#[test]
fn a_dry_run_runs_and_writes_nothing() {
    for runtime in RUNTIMES {
        let fake = Fake::new("success");
        let request = fake.request(runtime, |_| {});
        let mut dry = DryRun::default();
        run(&request, &mut dry).unwrap();
        assert!(fake.log().is_empty() && fake.outputs().is_empty());
        assert_eq!(dry.commands.len(), if runtime == "docker" { 3 } else { 1 });
        let output = fake.path("out");
        let named = dry.commands.last().unwrap().iter().any(|word| word.contains(output.to_str().unwrap()));
        assert!(named, "{:?}", dry.commands);
    }
}

#[test]
fn a_probe_gives_what_the_program_says() {
    let fake = Fake::new("success");
    let mut path = fake.path("bin").into_os_string();
    path.push(":/usr/bin:/bin");
    let mut process = Process { observer: &Silent, announce: &mut |_| {}, path: Some(path) };
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        process.probe(&argv(&["docker", "buildx", "version"])).unwrap().as_deref(),
        Some("buildx v0.99\n")
    );
    assert_eq!(process.probe(&argv(&["docker", "nonsense"])).unwrap(), None);
}
