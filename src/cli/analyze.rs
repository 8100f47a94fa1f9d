//! `analyze`: the drop-in for the reference's command, and everything it left out.

use std::path::PathBuf;

use super::{
    args::{Global, Verifying},
    exit::Outcome,
    output,
    progress::Progress,
    remote::{self, Expected},
    reports, stop,
};
use crate::{
    digest::Digest,
    error::{Error, ErrorKind, Result},
    inspect::{Also, Inspected, inspect},
    ladder::Rung,
    measure::Workers,
    report::{self, ListFormat, Listing, Output, Reports, wire},
};

/// Show what an image tarball holds, and verify all of it.
///
/// Standard output begins with exactly what the Python script prints, where that could read the archive; the identity
/// ladder, a table of layers and the findings follow. A digest that matches means that the whole tree was verified.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build analyze image.tar
  repro-build analyze --expected-image-digest sha256:… image.tar
  repro-build analyze --format html image.tar > image.html
  repro-build analyze -q --report sarif=findings.sarif --report html=image.html image.tar")]
pub(super) struct Args {
    /// Image tarball, layout directory, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The digest the image must have
    #[arg(long, value_name = "DIGEST|REGISTRY/NAME:TAG", value_parser = remote::parse_expected, conflicts_with = "only")]
    expected_image_digest: Option<Expected>,
    /// Show documents in full
    #[arg(long)]
    show_contents: bool,
    /// List the files of every layer too (in text; `ls` has other formats)
    #[arg(long)]
    files: bool,
    #[command(flatten)]
    verifying: Verifying,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    stop::soon();
    args.verifying.check()?;
    let expected = args.expected_image_digest.as_ref();
    let (platform, limits) = (args.verifying.reading.platform(), args.verifying.reading.limits());
    let expected = expected.map(|expected| expected.resolve(None, platform, &limits)).transpose()?;
    let mut outputs = Some(reports::of_verification(&args.verifying, [args.file.as_path()], global)?);
    let shown = read(args, global, |inspected, input| {
        print(args, outputs.take().unwrap_or_default(), expected, inspected, input)
    });
    match shown {
        Ok(printed) => printed,
        Err(error) if error.kind == ErrorKind::Interrupted => Err(error),
        Err(error) => Err(unreadable(args, outputs.unwrap_or_default(), error)),
    }
}

/// Reads the input and hands over what is known of it.
fn read<T>(args: &Args, global: &Global, then: impl FnOnce(&Inspected<'_>, wire::Input) -> T) -> Result<T> {
    let policy = args.verifying.judging.policy(&args.file)?;
    let held_to = policy.as_ref().map(|(policy, _)| policy);
    let (source, mut request) = args.verifying.open(&args.file, held_to, Vec::new())?;
    request.also = Also { archive: true, listing: args.files, file_digests: false };
    let (workers, progress) = (Workers::new(global.threads)?, Progress::new(global));
    inspect(&source, &request, &workers, &progress, |inspected| {
        progress.clear();
        let mut input = wire::Input::of(inspected);
        if let Some((policy, file)) = &policy {
            input.held_to(policy, file);
        }
        then(inspected, input)
    })
}

/// Reports that the input could not be read, wherever a report goes but to people: they are told why by the error.
fn unreadable(args: &Args, mut outputs: Vec<Output<'_>>, error: Error) -> Error {
    if is_text(args) {
        outputs.remove(0);
    }
    let input = wire::Input::unreadable(args.file.as_os_str().as_encoded_bytes(), &error);
    let report = || {
        let mut reports = Reports::begin(wire::Header::new("analyze", 1), outputs)?;
        reports.input(input)?;
        reports.end()
    };
    report().err().unwrap_or(error)
}

fn is_text(args: &Args) -> bool {
    args.verifying.reporting.format.name == "text"
}

fn print(
    args: &Args,
    outputs: Vec<Output<'_>>,
    expected: Option<Digest>,
    inspected: &Inspected<'_>,
    input: wire::Input,
) -> Result<Outcome> {
    let gate = expected.map(|expected| gate(&input, expected));
    let (text, others) = (is_text(args), outputs.len() > 1);
    if text {
        let reference = report::reference(inspected.graph, inspected.source.outer(), args.show_contents);
        output::stdout_beside(others, |out| {
            out.write_all(reference.unwrap_or_default().as_bytes())?;
            match &gate {
                Some(Ok(line)) if inspected.verdict.passed() => writeln!(out, "{line}"),
                _ => Ok(()),
            }
        })?;
    }
    let mut reports = Reports::begin(wire::Header::new("analyze", 1), outputs)?;
    reports.input(input)?;
    reports.end()?;
    if args.files && text {
        output::stdout_beside(others, |out| {
            writeln!(out)?;
            Listing::new(inspected).write(ListFormat::Text, out)
        })?;
    }
    if let Some(Err(line)) = &gate {
        output::complain(line);
    }
    let good = inspected.verdict.passed() && !matches!(gate, Some(Err(_)));
    Ok(if good { Outcome::Good } else { Outcome::Bad })
}

/// Compares the digest that stands for the image: its manifest's, or in a docker-archive, which has none, its
/// configuration's. The line for a match is the reference's, where the match is for what was verified.
pub(super) fn gate(input: &wire::Input, expected: Digest) -> std::result::Result<String, String> {
    let ladders = || input.images.iter().map(|image| &image.ladder);
    let headline = input.image_digest;
    let matched = if headline == Some(expected) {
        Some("Image digest")
    } else if headline.is_none() && ladders().any(|ladder| ladder.config == Some(expected)) {
        Some("Image ID (config digest)")
    } else {
        None
    };
    if let Some(matched) = matched {
        let line = format!("{matched} matches {}", expected.hex());
        return Ok(match input.left_out() {
            0 if input.covers(expected) => format!("✅ {line}"),
            0 => format!("{line}, but not all images that it stands for were verified"),
            count => format!("{line}, but it was not verified as a whole: {count} checks were left out"),
        });
    }
    let rung = ladders().flat_map(|ladder| ladder.rungs()).find(|(_, digest)| *digest == expected);
    let hint =
        rung.map(|(rung, _): (Rung, _)| format!(" (it is the {} digest)", rung.name())).unwrap_or_default();
    let found =
        headline.or_else(|| ladders().next()?.config).map_or("unknown".to_owned(), |digest| digest.hex());
    Err(format!("error: the image does not have the expected digest: {found} != {}{hint}", expected.hex()))
}
