//! The one error type: a job that could not be done.
//!
//! A wrong image is never an error; it is a finding (see `verify`). Must not know about exit codes or printing.

use std::{fmt, io};

use crate::location::Location;

/// What kind of job could not be done. The program's exit table maps these, nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A request that makes no sense: a bad value, two options that exclude each other.
    Usage,
    /// The system refused to read or write.
    Io,
    /// The input is no image in any form that is known.
    NotAnImage,
    /// The input changed while it was read.
    Changed,
    /// A documented limit was hit where going on is not possible.
    Limit,
    /// A program that is needed is not there.
    MissingTool,
    /// A program that was run ended with this code.
    Child(i32),
    /// What was asked for is refused: it would lose or break something.
    Refused,
    /// Stopped by the user.
    Interrupted,
}

/// A job that could not be done: what kind, where, why.
#[derive(Debug)]
pub struct Error {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// Where it happened; may be empty.
    pub at: Location,
    /// One line that says what is wrong, and where possible what to do next.
    pub message: String,
    /// The cause underneath.
    pub source: Option<io::Error>,
}

/// Shorthand for results of this library.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, at: Location::default(), message: message.into(), source: None }
    }

    /// A usage error.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Usage, message)
    }

    /// The system refused to do `what` at `at`.
    pub fn io(at: Location, what: &str, source: io::Error) -> Error {
        Error { kind: ErrorKind::Io, at, message: what.to_owned(), source: Some(source) }
    }

    /// Whether the reader of a pipe closed it: it has seen enough, and nothing is wrong.
    pub fn is_closed_pipe(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The same error at a place.
    pub fn at(mut self, at: Location) -> Error {
        self.at = at;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
