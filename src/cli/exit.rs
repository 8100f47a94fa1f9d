//! Exit codes, in one place.

use std::{io, process::ExitCode};

use super::{output, stop};
use crate::{
    error::{Error, ErrorKind},
    report::wire::Summary,
};

/// The table as `--help` shows it.
pub(super) const TABLE: &str = "\
Exit codes:
  0    verified, the same, nothing to do
  1    findings, differences, a digest that does not match
  2    could not run: usage, I/O, not an image, a tool that is missing
  130  stopped by Ctrl-C; 143 by SIGTERM
  `build` passes on the code of docker or podman where they fail";

/// How a command that ran ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// Verified, the same, nothing to do.
    Good,
    /// Findings, differences, a mismatch.
    Bad,
    /// Some input could not be read.
    Unreadable,
}

impl Outcome {
    /// The worse of two.
    pub(super) fn and(self, other: Outcome) -> Outcome {
        self.max(other)
    }

    /// How a run over several inputs ended: what could not be read outweighs what is wrong.
    pub(super) fn of(summary: &Summary) -> Outcome {
        match summary {
            Summary { unreadable: 1.., .. } => Outcome::Unreadable,
            Summary { failed: 1.., .. } => Outcome::Bad,
            _ => Outcome::Good,
        }
    }

    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Outcome::Good => 0,
            Outcome::Bad => 1,
            Outcome::Unreadable => 2,
        })
    }
}

/// Says what went wrong and gives the code for it.
pub(super) fn failure(error: &Error) -> ExitCode {
    if error.is_closed_pipe() {
        return ExitCode::SUCCESS;
    }
    output::complain(&format!("error: {error}"));
    ExitCode::from(match error.kind {
        ErrorKind::Child(code) => u8::try_from(code).unwrap_or(2),
        ErrorKind::Interrupted => stop::code(),
        ErrorKind::Usage
        | ErrorKind::Io
        | ErrorKind::NotAnImage
        | ErrorKind::Changed
        | ErrorKind::Limit
        | ErrorKind::MissingTool
        | ErrorKind::Refused => 2,
    })
}

/// Clap's own messages: help and version are no failure.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match printed {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(2),
        _ => ExitCode::from(u8::from(error.use_stderr()) * 2),
    }
}
