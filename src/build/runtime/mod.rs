//! The container runtimes that can run BuildKit: one file and one row each.
//!
//! Knows what each can do and how its command lines look. Must not run anything, nor look at the file system.

mod docker;
mod podman;

use super::{command::CommandSpec, plan::Files, request::BuildRequest};

/// A container runtime.
#[derive(Debug)]
pub struct Runtime {
    /// Its name on the command line, and the program that is looked for.
    pub name: &'static str,
    /// Whether `--rootless` can be asked of it.
    pub rootless: bool,
    /// Whether it keeps named builders (`--builder`).
    pub builders: bool,
    /// The option whose words are handed on to the program that builds.
    pub args_option: &'static str,
    /// The command that prints its version.
    pub version: &'static [&'static str],
    /// The BuildKit image's reference as this runtime is given it.
    pub(super) image: fn(&str) -> String,
    /// The commands that carry out a request.
    pub(super) commands: fn(&BuildRequest, &Files) -> Vec<CommandSpec>,
    /// What is odd about a request under this runtime.
    pub(super) warnings: fn(&BuildRequest) -> Vec<String>,
}

/// All runtimes, in the order in which they are looked for.
pub static RUNTIMES: [Runtime; 2] = [docker::DOCKER, podman::PODMAN];

impl Runtime {
    /// The runtime of that name.
    pub fn by_name(name: &str) -> Option<&'static Runtime> {
        RUNTIMES.iter().find(|runtime| runtime.name == name)
    }
}

impl PartialEq for Runtime {
    fn eq(&self, other: &Runtime) -> bool {
        self.name == other.name
    }
}
