//! A build as `build` and `rebuild` carry it out, and what is done with what came out: verified, compared, recorded.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::{
    analyze,
    args::{self, Global},
    exit::Outcome,
    output,
    progress::Progress,
};
use crate::{
    archive::{OpenOptions, Source},
    build::{self, BuildRecord, BuildRequest, Difference, DryRun, Executor as _, Files, Process, Rung},
    digest::Digest,
    error::{Error, Result},
    escape::escape,
    inspect::{Also, Request, inspect},
    ladder,
    location::Location,
    measure::Workers,
    report::wire,
    verify::Options,
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

/// Prints the commands of a build, or of two.
pub(super) fn dry(request: &BuildRequest, twice: bool) -> Result<Outcome> {
    let mut dry = DryRun::default();
    build::run(request, &mut dry)?;
    if twice {
        build::run(&elsewhere(request), &mut dry)?;
    }
    output::stdout(|out| {
        dry.commands.iter().try_for_each(|argv| writeln!(out, "{}", build::shell_line(argv)))
    })?;
    Ok(Outcome::Good)
}

/// The record of a build that is about to be made.
pub(super) fn record(request: &BuildRequest, global: &Global) -> Result<BuildRecord> {
    let observer = Progress::new(global);
    let version: Vec<String> = request.runtime.version.iter().map(|word| (*word).to_owned()).collect();
    let version = process(&observer, global, |process| process.probe(&version))?;
    BuildRecord::new(request, &version.unwrap_or_default(), &observer)
}

/// Where the second image of `--check-reproducible` goes.
pub(super) fn second(output: &str) -> String {
    format!("{output}.second")
}

fn elsewhere(request: &BuildRequest) -> BuildRequest {
    BuildRequest { output: second(&request.output), ..request.clone() }
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
    pub(super) fn make(request: &BuildRequest, global: &Global) -> Result<Built> {
        let observer = Progress::new(global);
        process(&observer, global, |process| build::run(request, process))?;
        let verify = Options {
            source_date_epoch: i64::try_from(request.source_date_epoch).ok(),
            newer_base: true,
            ..Options::default()
        };
        let also = Also { archive: true, ..Also::default() };
        let source = Source::open(Path::new(&request.output), &OpenOptions::default())?;
        let workers = Workers::new(global.threads)?;
        let ask = Request { verify, also, ..Request::default() };
        inspect(&source, &ask, &workers, &observer, |inspected| Built { input: wire::Input::of(inspected) })
    }

    /// Prints the identity ladder and the findings, and compares the digest.
    pub(super) fn show(&self, expected: Option<Digest>, global: &Global) -> Result<Outcome> {
        let gate = expected.map(|expected| analyze::gate(&self.input, expected));
        let passed = self.input.outcome == wire::Outcome::Pass;
        let format = args::parse_format("text").map_err(Error::usage)?;
        let report = wire::Report::new("analyze", vec![self.input.clone()]);
        output::stdout(|out| {
            if let (Some(Ok(line)), true) = (&gate, passed) {
                writeln!(out, "{line}")?;
            }
            (format.write)(&report, &output::style(global), out)
        })?;
        if let Some(Err(line)) = &gate {
            output::complain(line);
        }
        Ok(if passed && !matches!(gate, Some(Err(_))) { Outcome::Good } else { Outcome::Bad })
    }

    /// The record with what came out.
    pub(super) fn complete(&self, record: BuildRecord) -> BuildRecord {
        BuildRecord { digest: self.digest(), image: self.rungs(), ..record }
    }

    pub(super) fn write_record(&self, record: BuildRecord, path: &Path) -> Result<()> {
        let at = Location::new(path.as_os_str().as_encoded_bytes());
        fs::write(path, self.complete(record).to_json()?)
            .map_err(|e| Error::io(at, "cannot write the build record", e))
    }

    /// Builds once more, into a file of its own that stays only where it differs.
    pub(super) fn again(&self, request: &BuildRequest, global: &Global) -> Result<Vec<Difference>> {
        let request = elsewhere(request);
        let second = Built::make(&request, global)?;
        let differences = build::rung_differences(&self.rungs(), &second.rungs());
        if differences.is_empty() {
            fs::remove_file(&request.output).map_err(|e| {
                Error::io(Location::new(request.output.as_bytes()), "cannot remove the second image", e)
            })?;
        }
        Ok(differences)
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

/// What differs, one line each; `what` is what was compared with the first.
pub(super) fn write_differences(
    what: &str,
    differences: &[Difference],
    out: &mut dyn Write,
) -> io::Result<()> {
    if differences.is_empty() {
        return writeln!(out, "\nthe {what} gave the same image, byte for byte");
    }
    writeln!(out, "\nthe {what} gave another image:")?;
    for Difference { what, recorded, now } in differences {
        let [what, recorded, now] = [what, recorded, now].map(|text| escape(text.as_bytes()));
        writeln!(out, "  {what}\n    was {recorded}\n    is  {now}")?;
    }
    Ok(())
}
