//! The program itself, as users run it.

use std::ffi::OsStr;
use std::process::{Command, Output};

/// A command that runs the program, without the environment's say in what it does.
pub fn program() -> Command {
    // Optional, because the fuzz targets use this module's neighbours in a build that has no program.
    let Some(path) = option_env!("CARGO_BIN_EXE_repro-build") else {
        panic!("the program is built for integration tests only");
    };
    let mut command = Command::new(path);
    command.env_remove("NO_COLOR").env_remove("SOURCE_DATE_EPOCH");
    command
}

/// What the program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program to its end.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    Ran::of(program().args(args).output().unwrap())
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}
