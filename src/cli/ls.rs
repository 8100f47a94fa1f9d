//! `ls`: the files of an image.

use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};

use super::{
    args::{Global, Reading, one_of},
    exit::Outcome,
    output,
    progress::Progress,
    stop,
};
use crate::{
    error::{Error, Result},
    grade::Grade,
    inspect::{Also, Inspected, inspect},
    measure::Workers,
    report::{ListFormat, Listing},
    stack,
    verify::Options,
};

/// List the files of an image's layers, or of the file system they make together.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build ls image.tar
  repro-build ls --merged --find '**/*.pyc' image.tar
  repro-build ls --layer 2 --digest --format ndjson image.tar")]
pub(super) struct Args {
    /// Image tarball, layout directory, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only this layer, counted from 1
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Apply whiteouts and show what is left, with the layer each file comes from
    #[arg(long)]
    merged: bool,
    /// Only paths that match a glob, from the root of the image: * within a folder, ** across folders
    #[arg(long, value_name = "GLOB", value_parser = parse_glob)]
    find: Option<globset::Glob>,
    /// Show the SHA-256 of every regular file
    #[arg(long)]
    digest: bool,
    /// Format of the listing
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format_parser())]
    format: ListFormat,
    #[command(flatten)]
    reading: Reading,
}

fn parse_glob(text: &str) -> std::result::Result<globset::Glob, String> {
    let path = stack::pattern_of(text)?;
    globset::GlobBuilder::new(path).literal_separator(true).build().map_err(|e| e.to_string())
}

fn format_parser() -> impl TypedValueParser<Value = ListFormat> {
    let row = |(format, name, about): &(ListFormat, &'static str, &'static str)| {
        (PossibleValue::new(*name).help(*about), *format)
    };
    one_of(ListFormat::ALL.iter().map(row))
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    stop::soon();
    let source = args.reading.open(&args.file)?;
    let mut request = args.reading.request(Options::default());
    request.also = Also { listing: true, file_digests: args.digest, archive: false };
    let workers = Workers::new(global.threads)?;
    inspect(&source, &request, &workers, &Progress::new(global), |inspected| print(args, inspected))?
}

/// Prints the listing; what keeps it from being the whole truth goes to standard error and makes the exit code 1.
fn print(args: &Args, inspected: &Inspected<'_>) -> Result<Outcome> {
    let mut listing = Listing::new(inspected);
    listing.layer = args.layer;
    listing.merged = args.merged;
    listing.find = args.find.as_ref().map(globset::Glob::compile_matcher);
    if let Some(number) = args.layer.filter(|number| !listing.has_layer(*number)) {
        let most = inspected.images.iter().map(|image| image.layers.len()).max().unwrap_or(0);
        let message = format!("no layer {number} in the image, which has {most}");
        return Err(Error::usage(message).at(inspected.graph.at.clone()));
    }
    output::stdout(|out| listing.write(args.format, out))?;
    for finding in inspected.verdict.findings.iter().filter(|finding| finding.grade == Grade::Error) {
        output::complain(&finding.to_string());
    }
    Ok(if inspected.verdict.passed() { Outcome::Good } else { Outcome::Bad })
}
