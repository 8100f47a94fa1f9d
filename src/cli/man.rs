//! `man`: manual pages, one for the program and one for each command.

use std::{fs, path::PathBuf};

use clap::CommandFactory as _;

use super::{Cli, exit::Outcome};
use crate::{
    error::{Error, Result},
    location::Location,
};

/// Write manual pages, one for the program and one for each command.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder to write to
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let at = Location::new(args.folder.as_os_str().as_encoded_bytes());
    // The long version is a list, which a page would run together.
    let command = Cli::command().long_version(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(command, &args.folder))
        .map_err(|e| Error::io(at, "cannot write the manual pages", e))?;
    Ok(Outcome::Good)
}
