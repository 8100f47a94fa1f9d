//! `completions`: what shells need to complete this program's arguments.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, exit::Outcome, output};
use crate::error::Result;

/// Print a completion script for a shell.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "repro-build", &mut script);
    if args.shell == Shell::Bash {
        // clap_complete takes the end of the program's own name for its command `build` in one of two places.
        script =
            String::from_utf8_lossy(&script).replace("repro__subcmd__build", "repro__build").into_bytes();
    }
    output::stdout(|out| out.write_all(&script))?;
    Ok(Outcome::Good)
}
