//! A build as `build` and `rebuild` carry it out, and what is done with what came out: verified, compared, recorded.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::{analyze, args::Global, exit::Outcome, output, progress::Progress};
use crate::{
    archive::{OpenOptions, Source},
    build::{self, BuildRecord, BuildRequest, Difference, Executor as _, Files, Process, Rung},
    diff,
    digest::Digest,
    error::{Error, Result},
    escape::escape,
    inspect::{Also, Request, inspect},
    ladder,
    limits::Limits,
    location::Location,
    measure::Workers,
    normalize,
    report::{DIFF_FORMATS, Reports, wire, wire_diff::DiffReport},
    rules::Level,
    verify,
};

/// Says on standard error what is about to be built, and what is odd about it.
pub(super) fn announce(request: &BuildRequest, global: &Global) {
    if global.verbosity() < 0 {
        return;
    }
    output::complain(&build::describe(request));
    for warning in build::plan(request, &Files::direct(request)).warnings {
        output::complain(&format!("warning: {warning}"));
    }
}

/// Prints the commands of a build, or of two, as lines that a shell can run; `recorded` builds ask for a version first.
pub(super) fn dry(request: &BuildRequest, recorded: bool, twice: bool) -> Result<Outcome> {
    let mut lines = Vec::new();
    if recorded {
        lines.push(build::shell_line(&version_command(request)));
    }
    let second = twice.then(|| elsewhere(request));
    for request in [Some(request), second.as_ref()].into_iter().flatten() {
        for command in build::plan(request, &Files::direct(request)).commands {
            let probe = command.unless.map(|argv| build::shell_line(&argv) + " >/dev/null 2>&1 || ");
            lines.push(probe.unwrap_or_default() + &build::shell_line(&command.argv));
        }
    }
    output::stdout(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))?;
    Ok(Outcome::Good)
}

fn version_command(request: &BuildRequest) -> Vec<String> {
    request.runtime.version.iter().map(|word| (*word).to_owned()).collect()
}

/// The record of a build that is about to be made.
pub(super) fn record(request: &BuildRequest, global: &Global) -> Result<BuildRecord> {
    let observer = Progress::new(global);
    let version = process(&observer, global, |process| process.probe(&version_command(request)))?;
    BuildRecord::new(request, &version.unwrap_or_default(), &observer)
}

/// Where the second image of `--check-reproducible` goes.
pub(super) fn second(output: &str) -> String {
    format!("{output}.second")
}

/// The same build with its image at the second place; neither image is part of the context.
fn elsewhere(request: &BuildRequest) -> BuildRequest {
    let mut other = BuildRequest { output: second(&request.output), ..request.clone() };
    other.leave_out.push(request.output.clone());
    other
}

fn process<T>(
    observer: &Progress,
    global: &Global,
    with: impl FnOnce(&mut Process<'_>) -> Result<T>,
) -> Result<T> {
    let mut announce = |line: &str| {
        if global.verbosity() >= 0 {
            output::complain(&format!("Running: {line}"));
        }
    };
    with(&mut Process { observer, announce: &mut announce, path: None })
}

/// An image that was built, and all that is known of it.
pub(super) struct Built {
    input: wire::Input,
}

impl Built {
    /// Builds, then takes the output through the pipeline of `verify`: BuildKit only warns where it fails to set a
    /// layer's times back.
    pub(super) fn make(request: &BuildRequest, level: Option<Level>, global: &Global) -> Result<Built> {
        let (workers, observer) = (Workers::new(global.threads)?, Progress::new(global));
        process(&observer, global, |process| build::run(request, process))?;
        if let Some(level) = level {
            rewrite(request, level, &workers, &observer)?;
        }
        let verify = verify::Options {
            source_date_epoch: epoch(request),
            newer_base: true,
            ..verify::Options::default()
        };
        let also = Also { archive: true, ..Also::default() };
        let ask = Request { verify, also, ..Request::default() };
        let source = open(request)?;
        inspect(&source, &ask, &workers, &observer, |inspected| Built { input: wire::Input::of(inspected) })
    }

    /// Prints the identity ladder and the findings, and compares the digest.
    pub(super) fn show(&self, expected: Option<Digest>, global: &Global) -> Result<Outcome> {
        let gate = expected.map(|expected| analyze::gate(&self.input, expected));
        let passed = self.input.outcome == wire::Outcome::Pass;
        if let (Some(Ok(line)), true) = (&gate, passed) {
            output::stdout(|out| writeln!(out, "{line}"))?;
        }
        let mut reports = Reports::begin(wire::Header::new("analyze", 1), vec![output::text(global)])?;
        reports.input(self.input.clone())?;
        reports.end()?;
        if let Some(Err(line)) = &gate {
            output::complain(line);
        }
        Ok(if passed && !matches!(gate, Some(Err(_))) { Outcome::Good } else { Outcome::Bad })
    }

    /// The record with what came out.
    pub(super) fn complete(&self, record: BuildRecord, level: Option<Level>) -> BuildRecord {
        let normalize = level.map(|level| level.name().to_owned());
        BuildRecord { normalize, digest: self.digest(), image: self.rungs(), ..record }
    }

    /// Builds once more, into a file of its own that stays only where it differs; then why is printed.
    pub(super) fn again(
        &self,
        request: &BuildRequest,
        level: Option<Level>,
        global: &Global,
    ) -> Result<Outcome> {
        let other = elsewhere(request);
        let second = Built::make(&other, level, global)?;
        if self.rungs() == second.rungs() {
            fs::remove_file(&other.output).map_err(|e| Error::io(at(&other), "cannot remove", e))?;
            output::stdout(|out| writeln!(out, "\nthe second build gave the same image, byte for byte"))?;
            return Ok(Outcome::Good);
        }
        let (left, right) = (open(request)?, open(&other)?);
        let [left, right] = [&left, &right].map(|source| diff::Input { source, image: None, platform: None });
        let (workers, observer) = (Workers::new(global.threads)?, Progress::new(global));
        let options = diff::Options { epoch: epoch(request), ..diff::Options::default() };
        let diff = diff::run(&left, &right, &options, &Limits::default(), &workers, &observer)?;
        let report = DiffReport::new(&diff);
        output::stdout(|out| {
            writeln!(out, "\nthe second build gave another image")?;
            (DIFF_FORMATS[0].write)(&report, &output::style(global), out)
        })?;
        Ok(Outcome::Bad)
    }

    fn digest(&self) -> Option<String> {
        self.input.image_digest.map(|digest| digest.to_string())
    }

    fn rungs(&self) -> Vec<Rung> {
        let rung = |rung: ladder::Rung, platform: Option<&String>, digest: Digest| Rung {
            rung: rung.name().to_owned(),
            platform: platform.cloned(),
            digest: digest.to_string(),
        };
        let archive = self.input.archive_digest.map(|digest| rung(ladder::Rung::Archive, None, digest));
        let images = self.input.images.iter().flat_map(|image| {
            let below = image.ladder.rungs().filter(|(name, _)| *name != ladder::Rung::Archive);
            below.map(|(name, digest)| rung(name, image.platform.as_ref(), digest))
        });
        archive.into_iter().chain(images).collect()
    }
}

/// Runs the image through `normalize`, in place.
fn rewrite(request: &BuildRequest, level: Level, workers: &Workers, observer: &Progress) -> Result<()> {
    let path = format!("{}.normalized", request.output);
    let options = normalize::Options::new(level, epoch(request));
    let source = open(request)?;
    normalize::to_file(
        &source,
        &options,
        workers,
        observer,
        Path::new(&path),
        &[Path::new(&request.output)],
    )?;
    fs::rename(&path, &request.output).map_err(|e| Error::io(at(request), "cannot replace the image", e))
}

fn open(request: &BuildRequest) -> Result<Source> {
    Source::open(Path::new(&request.output), &OpenOptions::default())
}

fn at(request: &BuildRequest) -> Location {
    Location::new(request.output.as_bytes())
}

fn epoch(request: &BuildRequest) -> Option<i64> {
    i64::try_from(request.source_date_epoch).ok()
}

/// What differs from the record.
pub(super) fn write_differences(differences: &[Difference], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nanother image than recorded:")?;
    for Difference { what, recorded, now } in differences {
        let [what, recorded, now] = [what, recorded, now].map(|text| escape(text.as_bytes()));
        writeln!(out, "  {what}\n    was {recorded}\n    is  {now}")?;
    }
    Ok(())
}

/// Writes a record.
pub(super) fn write_record(record: &BuildRecord, path: &Path) -> Result<()> {
    let at = Location::new(path.as_os_str().as_encoded_bytes());
    fs::write(path, record.to_json()?).map_err(|e| Error::io(at, "cannot write the build record", e))
}
