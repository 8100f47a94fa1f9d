//! The command line: arguments to options, one library call, a report, an exit code.
//!
//! Knows terminals and the process. Everything it does beyond that is a call into the library.

mod analyze;
mod args;
mod build;
mod built;
mod digest;
mod exit;
mod ls;
mod output;
mod progress;
mod rebuild;
mod remote;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;

/// Build container images bit for bit reproducibly; read, verify, list, normalize and diff the tarballs that result.
#[derive(Parser)]
#[command(name = "repro-build", version, max_term_width = 100, after_help = exit::TABLE, subcommand_required = true)]
#[command(arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: args::Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show what an image tarball holds, and verify all of it
    Analyze(analyze::Args),
    /// Verify image tarballs: every digest, size, layer and document
    Verify(verify::Args),
    /// List the files of an image's layers
    Ls(ls::Args),
    /// Print one digest of an image
    Digest(digest::Args),
    /// Build an image reproducibly with BuildKit, and verify what comes out
    Build(Box<build::Args>),
    /// Build again what a build record says, and compare the digest
    Rebuild(rebuild::Args),
}

/// Runs the program.
pub fn main() -> ExitCode {
    crate::archive::report_truncated_mappings();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let global = &cli.global;
    let result = match &cli.command {
        Command::Analyze(args) => analyze::run(args, global),
        Command::Verify(args) => verify::run(args, global),
        Command::Ls(args) => ls::run(args, global),
        Command::Digest(args) => digest::run(args, global),
        Command::Build(args) => build::run(args, global),
        Command::Rebuild(args) => rebuild::run(args, global),
    };
    result.map_or_else(|error: Error| exit::failure(&error), exit::Outcome::code)
}
