//! Runs one script step as a runner would: bash, a workspace, files for outputs and summary, fakes for all programs
//! that do something outside.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::definitions::root;

/// A runner's directories.
pub struct Runner {
    directory: tempfile::TempDir,
}

/// What a step left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    /// Standard output and standard error.
    pub log: String,
    /// Step outputs, read as the runner reads them.
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
    /// The fake programs' command lines.
    pub calls: Vec<Vec<String>>,
}

/// Notes its words, parted by NUL with a record end after them, and then does what `$0.code` and `$0.says` say.
const FAKE: &str = r#"#!/bin/bash
me=${0##*/}
{ printf '%s\0' "$me" "$@"; printf '\036\0'; } >>"$CALLS"
says=${0%/*}/$me.$1.says; [[ -f $says ]] || says=${0%/*}/$me.says
[[ ! -f $says ]] || source "$says" "$@"
"#;

impl Runner {
    pub fn new() -> Runner {
        let runner = Runner { directory: tempfile::tempdir().unwrap() };
        for name in ["workspace", "temp", "bin"] {
            fs::create_dir(runner.path(name)).unwrap();
        }
        for program in ["repro-build", "curl", "cargo", "gh", "uname", "docker", "podman", "sudo", "rustup"] {
            let path = runner.path("bin").join(program);
            fs::write(&path, FAKE).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        runner
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Bash that a fake program runs, for one subcommand or (`program`) for all others.
    pub fn says(&self, program: &str, bash: &str) {
        fs::write(self.path("bin").join(format!("{program}.says")), bash).unwrap();
    }

    /// Runs `script` with `variables`; `action` is the folder of the action's definition.
    pub fn run(&self, action: &Path, script: &str, variables: &[(String, String)]) -> Ran {
        let file = |name: &str| {
            let path = self.path(name);
            fs::write(&path, "").unwrap();
            path
        };
        let (outputs, summary, calls) = (file("outputs"), file("summary"), file("calls"));
        let step = self.path("step.sh");
        fs::write(&step, script).unwrap();
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let output = Command::new("/bin/bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&step)
            .current_dir(self.path("workspace"))
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("temp"))
            .env("CALLS", &calls)
            .env("GITHUB_ACTION_PATH", action)
            .env("GITHUB_WORKSPACE", self.path("workspace"))
            .env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("RUNNER_TEMP", self.path("temp"))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let streams = [output.stdout, output.stderr].concat();
        let calls = fs::read_to_string(calls).unwrap();
        let calls = calls.split_terminator("\u{1e}\0");
        Ran {
            code: output.status.code().unwrap(),
            log: String::from_utf8_lossy(&streams).into_owned(),
            outputs: parse_outputs(&fs::read_to_string(outputs).unwrap()),
            summary: fs::read_to_string(summary).unwrap(),
            calls: calls.map(|call| call.split_terminator('\0').map(str::to_owned).collect()).collect(),
        }
    }

    /// Runs a script of this repository.
    pub fn script(&self, path: &str, variables: &[(&str, &str)]) -> Ran {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.run(&root(), &format!("bash '{}'", root().join(path).display()), &variables)
    }
}

/// GITHUB_OUTPUT as documented: `NAME=VALUE`, or `NAME<<MARK`, lines, `MARK`.
fn parse_outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        match (line.split_once("<<"), line.split_once('=')) {
            (Some((name, mark)), _) if !name.contains('=') => {
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != mark).collect();
                outputs.insert(name.to_owned(), value.join("\n"));
            }
            (_, Some((name, value))) => {
                outputs.insert(name.to_owned(), value.to_owned());
            }
            _ => panic!("the runner would refuse this line: {line:?}"),
        }
    }
    outputs
}
