//! `merge`: the reports of all shards of a run become the report of one run.

use std::{fs::File, io::BufReader, path::PathBuf};

use super::{
    args::{Global, Reporting},
    exit::Outcome,
    reports,
};
use crate::{
    error::{Error, Result},
    location::Location,
    report::{Merge, Reports},
};

/// Put the reports of several machines together.
///
/// Takes what `verify --shard K/N --format ndjson` wrote on each of them, in any order, and reports as one run over all
/// inputs would have: the same bytes, the same exit code. Shards that are missing, stand twice, are unfinished or belong
/// to another list of inputs are refused.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build merge 1.ndjson 2.ndjson 3.ndjson
  repro-build merge --format junit shards/*.ndjson > tests.xml")]
pub(super) struct Args {
    /// Newline-delimited reports, one of each shard
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    let open = |path: &PathBuf| {
        let at = Location::new(path.as_os_str().as_encoded_bytes());
        match File::open(path) {
            Ok(file) => Ok((at, BufReader::new(file))),
            Err(e) => Err(Error::io(at, "cannot read", e)),
        }
    };
    let mut merge = Merge::new(args.files.iter().map(open).collect::<Result<_>>()?)?;
    if args.reporting.archive_digest() && !merge.header().archive_digests {
        let message =
            "the reports do not hold the archives' own digests: run each shard with --archive-digests";
        return Err(Error::usage(message));
    }
    let outputs = reports::outputs(&args.reporting, args.files.iter().map(PathBuf::as_path), global)?;
    let mut reports = Reports::begin(merge.header().clone(), outputs)?;
    merge.inputs(|input| reports.input(input))?;
    Ok(Outcome::of(&reports.end()?))
}
