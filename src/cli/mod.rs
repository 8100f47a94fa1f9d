//! The command line: arguments to options, one library call, a report, an exit code.
//!
//! Knows terminals and the process. Everything it does beyond that is a call into the library.

mod analyze;
mod args;
mod build;
mod built;
mod completions;
mod diff;
mod digest;
mod exit;
mod inputs;
mod ls;
mod man;
mod merge;
mod normalize;
mod output;
mod progress;
mod rebuild;
mod remote;
mod reports;
mod stop;
mod verify;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;

/// What `--help` ends with.
fn long_help() -> String {
    format!("{EXAMPLES}\n\n{}", exit::TABLE)
}

const EXAMPLES: &str = "\
Examples:
  repro-build verify image.tar
  repro-build analyze --expected-image-digest sha256:… image.tar
  repro-build ls --merged image.tar

For your shell:
  mkdir -p ~/.local/share/bash-completion/completions ~/.config/fish/completions
  repro-build completions bash > ~/.local/share/bash-completion/completions/repro-build
  repro-build completions zsh > \"${fpath[1]}/_repro-build\"
  repro-build completions fish > ~/.config/fish/completions/repro-build.fish
  repro-build completions powershell >> $PROFILE
  repro-build man ~/.local/share/man/man1";

/// Build container images bit for bit reproducibly; read, verify, list, normalize and diff the tarballs that result.
#[derive(Parser)]
#[command(name = "repro-build", version, long_version = version::long(), max_term_width = 100)]
#[command(after_help = exit::TABLE, after_long_help = long_help(), subcommand_required = true)]
#[command(arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: args::Global,
    #[command(subcommand)]
    command: Command,
}

// What each is for is said where its arguments are.
#[derive(Subcommand)]
enum Command {
    Analyze(analyze::Args),
    Verify(verify::Args),
    Ls(ls::Args),
    Diff(diff::Args),
    Normalize(normalize::Args),
    Digest(digest::Args),
    Build(Box<build::Args>),
    Rebuild(rebuild::Args),
    Merge(merge::Args),
    #[command(hide = true)]
    Completions(completions::Args),
    #[command(hide = true)]
    Man(man::Args),
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
        Command::Normalize(args) => normalize::run(args, global),
        Command::Digest(args) => digest::run(args, global),
        Command::Build(args) => build::run(args, global),
        Command::Rebuild(args) => rebuild::run(args, global),
        Command::Merge(args) => merge::run(args, global),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::Diff(args) => diff::run(args, global),
    };
    result.map_or_else(|error: Error| exit::failure(&error), exit::Outcome::code)
}
