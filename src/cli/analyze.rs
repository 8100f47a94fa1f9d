//! `analyze`: the drop-in for the reference's command, and everything it left out.

use std::path::PathBuf;

use super::{
    args::{self, Global, Judging, Reading},
    exit::Outcome,
    output,
    progress::{self, Progress},
    remote::{self, Expected},
};
use crate::{
    digest::Digest,
    error::Result,
    inspect::{Also, Inspected, inspect},
    ladder::Rung,
    measure::Workers,
    report::{self, Format, ListFormat, Listing, wire},
};

/// Show what an image tarball holds, and verify all of it.
///
/// Standard output begins with exactly what the Python script prints, where that could read the archive; the identity
/// ladder, a table of layers and the findings follow. A digest that matches means that the whole tree was verified.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Image tarball, layout directory, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The digest the image must have
    #[arg(long, value_name = "DIGEST|REGISTRY/NAME:TAG", value_parser = remote::parse_expected)]
    expected_image_digest: Option<Expected>,
    /// Show documents in full
    #[arg(long)]
    show_contents: bool,
    /// List the files of every layer too
    #[arg(long)]
    files: bool,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = args::parse_format)]
    format: &'static Format,
    #[command(flatten)]
    judging: Judging,
    #[command(flatten)]
    reading: Reading,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    progress::stop_on_interrupt();
    let expected = args.expected_image_digest.as_ref();
    let expected = expected.map(|expected| expected.resolve(args.reading.platform())).transpose()?;
    let source = args.reading.open(&args.file)?;
    let mut request = args.reading.request(args.judging.options(Vec::new())?);
    request.also = Also { archive: true, listing: args.files, file_digests: false };
    let workers = Workers::new(global.threads)?;
    inspect(&source, &request, &workers, &Progress::new(global), |inspected| {
        print(args, global, expected, inspected)
    })?
}

fn print(
    args: &Args,
    global: &Global,
    expected: Option<Digest>,
    inspected: &Inspected<'_>,
) -> Result<Outcome> {
    let input = wire::Input::of(inspected);
    let gate = expected.map(|expected| gate(&input, expected));
    let report = wire::Report::new("analyze", vec![input]);
    let text = args.format.name == "text";
    let reference = report::reference(inspected.graph, inspected.source.outer(), args.show_contents);
    output::stdout(|out| {
        if let Some(reference) = reference.filter(|_| text) {
            out.write_all(reference.as_bytes())?;
        }
        if let (Some(Ok(line)), true) = (&gate, text && inspected.verdict.passed()) {
            writeln!(out, "{line}")?;
        }
        (args.format.write)(&report, &output::style(global), out)?;
        if args.files && text {
            writeln!(out)?;
            Listing::new(inspected).write(ListFormat::Text, out)?;
        }
        Ok(())
    })?;
    if let Some(Err(line)) = &gate {
        output::complain(line);
    }
    let good = inspected.verdict.passed() && !matches!(gate, Some(Err(_)));
    Ok(if good { Outcome::Good } else { Outcome::Bad })
}

/// Compares the digest that stands for the image: its manifest's, or in a docker-archive, which has none, its
/// configuration's. The line for a match is the reference's.
pub(super) fn gate(input: &wire::Input, expected: Digest) -> std::result::Result<String, String> {
    let ladders = || input.images.iter().map(|image| &image.ladder);
    let headline = input.image_digest;
    if headline == Some(expected) {
        return Ok(format!("✅ Image digest matches {}", expected.hex()));
    }
    if headline.is_none() && ladders().any(|ladder| ladder.config == Some(expected)) {
        return Ok(format!("✅ Image ID (config digest) matches {}", expected.hex()));
    }
    let rung = ladders().flat_map(|ladder| ladder.rungs()).find(|(_, digest)| *digest == expected);
    let hint =
        rung.map(|(rung, _): (Rung, _)| format!(" (it is the {} digest)", rung.name())).unwrap_or_default();
    let found =
        headline.or_else(|| ladders().next()?.config).map_or("unknown".to_owned(), |digest| digest.hex());
    Err(format!("error: the image does not have the expected digest: {found} != {}{hint}", expected.hex()))
}
