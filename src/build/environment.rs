//! The machine a build is asked for on, as far as resolving a request looks at it.
//!
//! Knows variables, programs on PATH, directories and terminals. Must not know what they mean to a build.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    escape::escape,
    place,
};

/// What the machine has to say: variables, programs, directories. Tests give their own.
pub trait Environment {
    /// The variable of that name, where it is set.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) where it is not UTF-8: no other text is put in its place.
    fn var(&self, name: &str) -> Result<Option<String>>;
    /// Whether a program of that name can be run.
    fn has_program(&self, name: &str) -> bool;
    /// Whether `path` is a directory.
    fn is_dir(&self, path: &str) -> bool;
    /// `path` as an absolute path, without looking at what is there.
    fn absolute(&self, path: &str) -> Result<String>;
    /// The file that an output at the absolute `path` replaces, links followed.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) where something else than a file is there.
    fn file(&self, path: &str) -> Result<String>;
    /// Whether a person sits before standard input and output.
    fn terminal(&self) -> bool;
}

/// This process's environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Environment for System {
    fn var(&self, name: &str) -> Result<Option<String>> {
        let text = env::var_os(name).map(OsString::into_string).transpose();
        text.map_err(|_| Error::usage(format!("the variable {} is not UTF-8", escape(name.as_bytes()))))
    }

    fn has_program(&self, name: &str) -> bool {
        env::var_os("PATH")
            .is_some_and(|path| env::split_paths(&path).any(|directory| is_executable(&directory.join(name))))
    }

    fn is_dir(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }

    fn absolute(&self, path: &str) -> Result<String> {
        let absolute = std::path::absolute(path)
            .map_err(|error| Error::usage(format!("'{}' is no path: {error}", escape(path.as_bytes()))))?;
        text(absolute)
    }

    fn file(&self, path: &str) -> Result<String> {
        place::file(Path::new(path)).and_then(text)
    }

    fn terminal(&self) -> bool {
        use std::io::IsTerminal as _;
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
    }
}

/// This machine without its variables: a rebuild goes by its record alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordOnly;

impl Environment for RecordOnly {
    fn var(&self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    fn has_program(&self, name: &str) -> bool {
        System.has_program(name)
    }

    fn is_dir(&self, path: &str) -> bool {
        System.is_dir(path)
    }

    fn absolute(&self, path: &str) -> Result<String> {
        System.absolute(path)
    }

    fn file(&self, path: &str) -> Result<String> {
        System.file(path)
    }

    fn terminal(&self) -> bool {
        System.terminal()
    }
}

fn text(path: PathBuf) -> Result<String> {
    path.into_os_string().into_string().map_err(|path| {
        let shown = escape(path.as_encoded_bytes()).into_owned();
        Error::usage(format!("the path '{shown}' is not UTF-8, which no container runtime takes"))
    })
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.with_extension("exe").is_file()
}
