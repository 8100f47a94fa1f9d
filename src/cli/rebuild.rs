//! `rebuild`: a recorded build once more.

use std::path::PathBuf;

use super::{
    args::Global,
    build::runtime_parser,
    built::{self, Built},
    exit::Outcome,
    output, stop,
};
use crate::{
    build::{BuildRecord, BuildRequest, Builder, RecordOnly},
    error::{Error, Result},
    escape::escape,
    location::Location,
    rules::Level,
};

/// Build again what a build record says, and compare the digest.
///
/// Nothing but the record and these options counts: no REPRO_* variable, no SOURCE_DATE_EPOCH. Where the image is
/// another one, what differs is listed, the build context first. A record names the BuildKit image that is run and may
/// hand it any argument: rebuild only what you would build.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build build --sde 0 --record record.json .
  repro-build rebuild record.json .
  repro-build rebuild --dry record.json .")]
pub(super) struct Args {
    /// What `build --record` wrote
    #[arg(value_name = "FILE.json")]
    record: PathBuf,
    /// Directory, or a git or http address
    #[arg(value_name = "CONTEXT")]
    context: String,
    /// Where the image tarball goes
    #[arg(short, long, value_name = "FILE", default_value = "image.tar")]
    output: String,
    /// Dockerfile, instead of the recorded one
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// Container runtime, instead of the recorded one
    #[arg(long, value_name = "RUNTIME", value_parser = runtime_parser())]
    runtime: Option<String>,
    /// Print the commands of this build, with the image straight at its place, and run nothing
    #[arg(long)]
    dry: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    stop::gently();
    let at = Location::new(args.record.as_os_str().as_encoded_bytes());
    let json =
        std::fs::read(&args.record).map_err(|e| Error::io(at.clone(), "cannot read the build record", e))?;
    let recorded = BuildRecord::parse(&json).map_err(|e| e.at(at.clone()))?;
    if recorded.digest.is_none() {
        return Err(Error::usage("the record has no digest to compare with").at(at));
    }
    let level = recorded.normalize.as_deref().map(level).transpose().map_err(|e| e.at(at))?;
    let request = BuildRequest::resolve(&args.flags(&recorded)?, &RecordOnly)?;
    built::announce(&request, global);
    if args.dry {
        return built::dry(&request, true, false);
    }
    let draft = built::record(&request, global)?;
    let image = Built::make(&request, level, global)?;
    let outcome = image.show(None, global)?;
    let now = image.complete(draft, level);
    if now.digest == recorded.digest {
        output::stdout(|out| writeln!(out, "\nthe same image as recorded"))?;
        return Ok(outcome);
    }
    let differences = recorded.differences(&now);
    output::stdout(|out| built::write_differences(&differences, out))?;
    Ok(Outcome::Bad)
}

fn level(name: &str) -> Result<Level> {
    let shown = escape(name.as_bytes());
    Level::by_name(name).ok_or_else(|| Error::usage(format!("no level of normalize: {shown}")))
}

impl Args {
    fn flags(&self, recorded: &BuildRecord) -> Result<Builder> {
        let flags = recorded.flags(&self.context)?;
        Ok(Builder {
            runtime: self.runtime.clone().or(flags.runtime),
            file: self.file.clone().or(flags.file),
            output: Some(self.output.clone()),
            leave_out: vec![self.record.to_string_lossy().into_owned(), built::second(&self.output)],
            ..flags
        })
    }
}
