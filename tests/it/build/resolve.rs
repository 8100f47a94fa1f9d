//! Flags and environment to a request: precedence, and what is refused.

use repro_build::{
    build::{
        BuildKit, BuildRequest, Builder, Context, DEFAULT_PIN, DEFAULT_ROOTLESS_PIN, Exporter, describe,
    },
    error::ErrorKind,
};

use super::environment::{Machine, flags, resolve, usage};

fn with(vars: &[(&'static str, &'static str)], flags: &Builder) -> repro_build::error::Result<BuildRequest> {
    BuildRequest::resolve(flags, &Machine { vars: vars.iter().copied().collect(), ..Machine::default() })
}

fn untimed() -> Builder {
    Builder { source_date_epoch: None, ..flags() }
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[test]
fn the_highest_level_that_names_a_time_counts() {
    const ALL: &[(&str, &str)] = &[("REPRO_SOURCE_DATE_EPOCH", "2"), ("SOURCE_DATE_EPOCH", "3")];
    const DATE: &[(&str, &str)] = &[("REPRO_DATETIME", "1970-01-02"), ("SOURCE_DATE_EPOCH", "3")];
    const BOTH: &[(&str, &str)] = &[("REPRO_DATETIME", "1970-01-02"), ("REPRO_SOURCE_DATE_EPOCH", "2")];
    let seconds = Builder { source_date_epoch: text("1"), ..untimed() };
    let datetime = Builder { datetime: text("1970-01-01T00:00:09"), ..untimed() };
    for (flags, vars, expected) in [
        (&seconds, ALL, 1),
        // A flag of one kind beats a variable of the other.
        (&datetime, ALL, 9),
        (&seconds, DATE, 1),
        (&datetime, BOTH, 9),
        (&untimed(), ALL, 2),
        (&untimed(), DATE, 86400),
        (&untimed(), &ALL[1..], 3),
    ] {
        assert_eq!(with(vars, flags).unwrap().source_date_epoch, expected, "{flags:?} {vars:?}");
    }
}

#[test]
fn a_time_that_is_missing_doubled_or_wrong_is_a_usage_error() {
    let both = Builder { datetime: text("2025-01-01"), ..flags() };
    for (flags, vars, hint) in [
        (untimed(), &[][..], "add --datetime YYYY-MM-DD"),
        (both, &[], "give one of them"),
        (
            untimed(),
            &[("REPRO_DATETIME", "2025-01-01"), ("REPRO_SOURCE_DATE_EPOCH", "1")],
            "give one of them",
        ),
        (Builder { source_date_epoch: text("-1"), ..flags() }, &[], "digits only"),
        (Builder { source_date_epoch: text("soon"), ..flags() }, &[], "digits only"),
        (untimed(), &[("SOURCE_DATE_EPOCH", "")], "SOURCE_DATE_EPOCH"),
        (
            untimed(),
            &[("REPRO_SOURCE_DATE_EPOCH", "1e9"), ("SOURCE_DATE_EPOCH", "1")],
            "REPRO_SOURCE_DATE_EPOCH",
        ),
        (Builder { datetime: text("yesterday"), ..untimed() }, &[], "YYYY-MM-DD"),
    ] {
        let message = usage(with(vars, &flags));
        assert!(message.contains(hint), "{message}");
    }
}

#[test]
fn flags_beat_variables_which_beat_defaults() {
    const VARS: &[(&str, &str)] = &[
        ("REPRO_RUNTIME", "podman"),
        ("REPRO_CACHE", "0"),
        ("REPRO_ROOTLESS", "true"),
        ("REPRO_BUILDKIT_IMAGE", "v0.19.0-rootless"),
    ];
    let request = with(VARS, &flags()).unwrap();
    assert_eq!((request.runtime.name, request.cache, request.rootless), ("podman", false, true));
    let BuildKit::Image { reference, .. } = &request.builder else { panic!("{:?}", request.builder) };
    assert!(reference.starts_with("moby/buildkit:v0.19.0-rootless@sha256:e901cffd"), "{reference}");

    let typed =
        Builder { runtime: text("docker"), buildkit_image: text("v0.19.0"), no_cache: true, ..flags() };
    let request = with(&[("REPRO_RUNTIME", "podman"), ("REPRO_CACHE", "1")], &typed).unwrap();
    assert_eq!((request.runtime.name, request.cache, request.rootless), ("docker", false, false));

    let request = resolve(&flags()).unwrap();
    assert_eq!((request.runtime.name, request.cache, request.rootless), ("docker", true, false));
    assert_eq!(request.output, "/home/u/image.tar");
    assert_eq!(request.exporter, Exporter::Docker);
    assert_eq!(
        request.builder,
        BuildKit::Image { reference: DEFAULT_PIN.image.into(), pin: Some(DEFAULT_PIN) }
    );
    let rootless = Builder { runtime: text("podman"), rootless: true, ..flags() };
    let pin = DEFAULT_ROOTLESS_PIN;
    assert_eq!(
        resolve(&rootless).unwrap().builder,
        BuildKit::Image { reference: pin.image.into(), pin: Some(pin) }
    );
}

#[test]
fn the_runtime_is_looked_for_docker_first() {
    let on = |programs| Machine { programs, ..Machine::default() };
    for (programs, name) in [(vec!["podman", "docker"], "docker"), (vec!["podman"], "podman")] {
        assert_eq!(BuildRequest::resolve(&flags(), &on(programs)).unwrap().runtime.name, name);
    }
    let error = BuildRequest::resolve(&flags(), &on(vec!["nerdctl"])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::MissingTool, "{error}");
}

#[test]
fn a_wrong_value_is_an_error_that_says_what_to_do() {
    let set = |change: fn(&mut Builder)| {
        let mut flags = flags();
        change(&mut flags);
        flags
    };
    for (vars, flags, hint) in [
        (&[("REPRO_CACHE", "maybe")][..], flags(), "REPRO_CACHE: 'maybe' is not 1, 0, true or false"),
        (&[("REPRO_ROOTLESS", "")], flags(), "REPRO_ROOTLESS"),
        (&[("REPRO_RUNTIME", "nerdctl")], flags(), "docker or podman"),
        (&[("REPRO_BUILDKIT_IMAGE", "v9")], flags(), "v0.31.0"),
        (&[], set(|f| f.runtime = text("lxc")), "docker or podman"),
        (&[], set(|f| f.rootless = true), "--runtime podman"),
        (&[], set(|f| f.buildkit_image = text("-v/:/host")), "NAME:TAG@DIGEST"),
        (&[], set(|f| f.buildkit_image = text("a/b,network=host")), "NAME:TAG@DIGEST"),
        (&[], set(|f| f.buildkit_args = text("--debug")), "--buildx-args"),
        (&[], set(|f| f.buildx_args = text("--label 'open")), "quote is not closed"),
        (&[], set(|f| f.context = String::new()), "name a directory"),
        (&[], set(|f| f.context = "missing-dir".into()), "neither a directory"),
        (&[], set(|f| f.context = "/home/u/app\nx".into()), "control character"),
        (&[], set(|f| f.output = text("out/")), "name the tarball"),
        (&[], set(|f| f.output = text("")), "name the tarball"),
        (&[], set(|f| f.output = text("-")), "name the tarball"),
        (&[], set(|f| f.output = text("a\u{7}")), "control character"),
        (&[], set(|f| f.tags = vec!["a,push=true".into()]), "repeat --tag"),
        (&[], set(|f| f.build_args = vec!["=x".into()]), "NAME=VALUE"),
        (&[], set(|f| f.build_args = vec!["SOURCE_DATE_EPOCH=1".into()]), "--source-date-epoch"),
        (&[], set(|f| f.annotations = vec!["novalue".into()]), "KEY=VALUE"),
        (&[], set(|f| f.annotations = vec!["a b=c".into()]), "KEY=VALUE"),
        (&[], set(|f| f.annotations = vec!["layer:a=c".into()]), "unknown type"),
        (&[], set(|f| f.annotations = vec!["a=b\r\nc".into()]), "carriage return"),
        (&[], set(|f| f.platforms = vec!["--push".into()]), "linux/amd64"),
        (&[], set(|f| f.platforms = vec!["linux/amd64,".into()]), "linux/amd64"),
        (&[], set(|f| f.platforms = vec!["linux/amd64,linux/arm64".into()]), "--exporter oci"),
        (&[], set(|f| f.builder = text("-x")), "no builder's name"),
        (&[], set(|f| (f.builder, f.buildkit_image) = (text("mine"), text("v0.19.0"))), "exclude each other"),
        (&[], set(|f| (f.builder, f.runtime) = (text("mine"), text("podman"))), "leave it out"),
        (
            &[("REPRO_RUNTIME", "podman"), ("REPRO_BUILDKIT_IMAGE", "v0.31.0")],
            set(|f| f.rootless = true),
            "take v0.31.0-rootless",
        ),
    ] {
        let message = usage(with(vars, &flags));
        assert!(message.contains(hint), "{message}\nhas no {hint}");
        assert!(!message.chars().any(char::is_control), "{message}");
    }
}

#[test]
fn build_args_without_a_value_take_it_from_the_environment() {
    let flags = Builder { build_args: vec!["A".into(), "B".into(), "C=".into(), "D=x=y".into()], ..flags() };
    assert_eq!(with(&[("A", "1, 2")], &flags).unwrap().build_args, ["A=1, 2", "C=", "D=x=y"]);
}

#[test]
#[cfg(unix)]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_repro-build"));
        command.args(["build", "--runtime=docker", "--dry", "--sde=0"]).args(args).arg(".");
        command.env("A", std::ffi::OsStr::from_bytes(b"\xff")).output().unwrap()
    };
    let refused = run(&["--build-arg=A"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the variable A is not UTF-8"), "{refused:?}");
    assert_eq!(run(&["--build-arg=A=x"]).status.code(), Some(0));
}

#[test]
fn a_directory_wins_over_an_address_and_addresses_stay_as_they_are() {
    for address in ["https://example.org/r.git#v1:sub", "git@example.org:r.git", "github.com/o/r"] {
        let request = resolve(&Builder { context: address.into(), file: text("sub/F"), ..flags() }).unwrap();
        assert_eq!(request.context, Context::Remote(address.into()));
        assert_eq!(request.file.as_deref(), Some("sub/F"));
    }
    let request = resolve(&Builder { context: "app".into(), file: text("F"), ..flags() }).unwrap();
    assert_eq!(request.context, Context::Local("/home/u/app".into()));
    assert_eq!(request.file.as_deref(), Some("/home/u/F"));
}

#[test]
fn the_environment_block_reads_as_the_python_programs() {
    let bare =
        resolve(&Builder { runtime: text("podman"), buildkit_image: text("a/b:1"), ..flags() }).unwrap();
    assert_eq!(
        describe(&bare),
        "\
Build environment:
- Container runtime: podman
- BuildKit image: docker.io/a/b:1
- Rootless support: False
- Caching enabled: True
- Build context: /home/u/app
- Dockerfile: (not provided)
- Output: /home/u/image.tar

Build parameters:
- SOURCE_DATE_EPOCH: 1735689600
- Build args: (not provided)
- Annotations: (not provided)
- Tag: (not provided)
- Platform: (default)

Podman-only arguments:
- BuildKit arguments: (not provided)

Docker-only arguments:
- Docker Buildx arguments: (not provided)
"
    );
    let full = Builder {
        build_args: vec!["A=1".into(), "B=\u{1b}[31m".into()],
        annotations: vec!["k=v".into()],
        tags: vec!["x:1".into(), "x:2".into()],
        platforms: vec!["linux/arm64".into()],
        buildx_args: text("--label a=b"),
        file: text("D"),
        no_cache: true,
        ..flags()
    };
    let block = describe(&resolve(&full).unwrap());
    for line in [
        "- Caching enabled: False\n",
        "- Dockerfile: /home/u/D\n",
        "- Build args: A=1,B=\\u{1b}[31m\n",
        "- Annotations: k=v\n",
        "- Tag: x:1,x:2\n",
        "- Platform: linux/arm64\n",
        "- BuildKit arguments: (not provided)\n",
        "- Docker Buildx arguments: --label a=b\n",
    ] {
        assert!(block.contains(line), "{block}");
    }
}
