//! Container runtimes made of bash, in a directory that only the test's own commands have on their PATH.

use std::{
    cell::RefCell,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use repro_build::{
    build::{BuildRequest, Builder, Process, System, run},
    error::Result,
    observe::{Event, Observer},
};

/// A directory with a context, a place for the output, and fake programs.
pub(crate) struct Fake {
    directory: tempfile::TempDir,
    programs: PathBuf,
}

/// Understands docker's and podman's command lines as far as they matter here, notes them, and then does as
/// `$WORLD/behaviour` says. Whatever it does not expect ends with code 99.
const PROGRAM: &str = r#"#!/bin/bash
set -u
world=@WORLD@
name=${0##*/}
printf '%s' "$name" >>"$world/log"
for word in "$@"; do printf '\t%s' "${word//$'\n'/\\n}" >>"$world/log"; done
printf '\n' >>"$world/log"
mode=$(cat "$world/behaviour")

case "$name $1 ${2-}" in
"docker buildx inspect")
    if [ "$mode" = probe-hangs ]; then
        trap 'exit 1' INT TERM
        touch "$world/started"
        while :; do sleep 0.05; done
    fi
    [ -e "$world/builder" ]; exit ;;
"docker buildx create")
    [ "$mode" != create-fails ] || exit 41
    touch "$world/builder"; exit 0 ;;
"docker buildx version") echo "buildx v0.99"; exit 0 ;;
"podman --version ") echo "podman version 9.9"; exit 0 ;;
"docker buildx build" | "podman run "*) ;;
"podman rm --force") touch "$world/removed"; exit 0 ;;
*) echo "unexpected: $*" >&2; exit 99 ;;
esac

# Where the image is to go, as the host sees it.
mounted= dest= dockerfile= ignore=
for word in "$@"; do
    case $word in
    --mount=type=bind,src=*,dst=/tmp/image) mounted=${word#--mount=type=bind,src=}; mounted=${mounted%,dst=*} ;;
    --mount=type=bind,src=*,dst=/tmp/dockerfile/Dockerfile,ro=true)
        dockerfile=${word#--mount=type=bind,src=}; dockerfile=${dockerfile%%,*} ;;
    --mount=type=bind,src=*,dst=/tmp/dockerfile/Dockerfile.dockerignore,ro=true)
        ignore=${word#--mount=type=bind,src=}; ignore=${ignore%%,*} ;;
    --file=*) dockerfile=${word#--file=}; ignore=$dockerfile.dockerignore ;;
    --output=*)
        dest=${word#*dest=}; dest=${dest%%,*}
        [[ $word == *type=@(docker|oci)* && $word == *rewrite-timestamp=true* ]] || exit 98 ;;
    esac
done
[ "$name" = docker ] || dest=$mounted/${dest#/tmp/image/}
[ -z "$dockerfile" ] || cp "$dockerfile" "$world/seen-dockerfile"
[ ! -f "$ignore" ] || cp "$ignore" "$world/seen-ignore"

case $mode in
deaf)
    trap '' INT TERM
    touch "$world/started"
    # Not a child that the signals would reach.
    while :; do read -rt 0.05 <> <(:); done ;;
success | create-fails) cp "$world/fixture.tar" "$dest" ;;
fails) : >"$dest"; exit 37 ;;
alternates)
    if [ -e "$world/first" ]; then cp "$world/fixture-2.tar" "$dest"; else cp "$world/fixture.tar" "$dest"; fi
    touch "$world/first" ;;
nothing) ;;
empty) : >"$dest" ;;
hangs)
    printf partial >"$dest"
    trap 'touch "$world/interrupted"; exit 130' INT TERM
    touch "$world/started"
    while [ ! -e "$world/removed" ] || [ "$name" = docker ]; do sleep 0.05; done
    exit 137 ;;
esac
"#;

impl Fake {
    pub(crate) fn new(behaviour: &str) -> Fake {
        let directory = tempfile::Builder::new().prefix("fake").tempdir().unwrap();
        let world = directory.path();
        let programs = world.join("bin");
        for directory in ["bin", "context", "out"] {
            fs::create_dir(world.join(directory)).unwrap();
        }
        fs::write(world.join("behaviour"), behaviour).unwrap();
        fs::write(world.join("fixture.tar"), "an image").unwrap();
        fs::write(world.join("context/Dockerfile"), "FROM scratch\n").unwrap();
        let program = PROGRAM.replace("@WORLD@", world.to_str().unwrap());
        for name in ["docker", "podman"] {
            let path = programs.join(name);
            fs::write(&path, &program).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Fake { directory, programs }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn remove_program(&self, name: &str) {
        fs::remove_file(self.programs.join(name)).unwrap();
    }

    pub(crate) fn request(&self, runtime: &str, change: impl Fn(&mut Builder)) -> BuildRequest {
        let mut flags = Builder {
            runtime: Some(runtime.into()),
            source_date_epoch: Some("1".into()),
            output: Some(self.path("out/image.tar").to_str().unwrap().into()),
            context: self.path("context").to_str().unwrap().into(),
            ..Builder::default()
        };
        change(&mut flags);
        BuildRequest::resolve(&flags, &System).unwrap()
    }

    /// Runs the request; also the lines that were announced.
    pub(crate) fn run(&self, request: &BuildRequest, observer: &dyn Observer) -> (Result<()>, Vec<String>) {
        let lines = RefCell::new(Vec::new());
        let mut announce = |line: &str| lines.borrow_mut().push(line.to_owned());
        let mut path = OsString::from(&self.programs);
        path.push(":/usr/bin:/bin");
        let mut process = Process { observer, announce: &mut announce, path: Some(path) };
        let result = run(request, &mut process);
        (result, lines.into_inner())
    }

    /// The command lines the programs were given, words parted by tabs.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// Names of what is in the output's directory.
    pub(crate) fn outputs(&self) -> Vec<String> {
        names(&self.path("out"))
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Says "interrupted" as soon as a file is there.
pub(crate) struct InterruptedBy(pub(crate) PathBuf);

impl Observer for InterruptedBy {
    fn event(&self, _: Event<'_>) {}

    fn cancelled(&self) -> bool {
        self.0.exists()
    }
}
