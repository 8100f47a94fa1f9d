//! The table of report formats, and what writes one report in several of them at once.

use std::io::{self, Write};

use super::{
    attestation,
    form::{Form, Stream, Style},
    github, html, json, junit, markdown, sarif, sha256sum, table, text,
    wire::{Header, Input, Report, Summary},
};
use crate::{
    error::{Error, Result},
    location::Location,
};

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Whether it needs the digest of the input file itself.
    pub archive_digest: bool,
    /// How it is written.
    pub form: Form,
}

const fn whole(
    name: &'static str,
    about: &'static str,
    write: fn(&Report, &Style, &mut dyn Write) -> io::Result<()>,
) -> Format {
    Format { name, about, archive_digest: false, form: Form::Whole(write) }
}

const fn stream(name: &'static str, about: &'static str, pieces: Stream) -> Format {
    Format { name, about, archive_digest: false, form: Form::Stream(pieces) }
}

/// All formats; a new one is a file and a row.
pub const FORMATS: &[Format] = &[
    stream("text", "for people", text::STREAM),
    whole("table", "one line for each input", table::write),
    whole("json", "one JSON document (docs/report-schema.json)", json::write),
    stream("ndjson", "one JSON record a line, each standing alone; `merge` reads it", json::STREAM),
    whole("sarif", "SARIF 2.1.0, for code scanning", sarif::write),
    whole("junit", "JUnit XML, for test reports", junit::write),
    stream("github", "::error and ::warning commands of GitHub Actions", github::STREAM),
    whole("markdown", "a Markdown summary, for a GitHub step", markdown::write),
    Format {
        archive_digest: true,
        ..stream("sha256sum", "digests of the archives, for sha256sum -c", sha256sum::STREAM)
    },
    whole("html", "one page that needs nothing else", html::write),
    stream("in-toto", "one unsigned in-toto Statement a line, subject the image digest", attestation::STREAM),
];

impl Format {
    /// The format of that name.
    pub fn by_name(name: &str) -> Option<&'static Format> {
        FORMATS.iter().find(|format| format.name == name)
    }
}

/// Somewhere that a report goes to.
pub struct Output<'w> {
    /// In this format.
    pub format: &'static Format,
    /// Looking like this.
    pub style: Style,
    /// To here.
    pub out: Box<dyn Write + Send + 'w>,
    /// What it is called when it cannot be written.
    pub at: Location,
}

/// Writes one report to several places, input by input. What a format must see as a whole is kept until the end; what
/// it can write at once is not kept. A place whose reader closes it is left out from then on: the others are finished.
pub struct Reports<'w> {
    header: Header,
    outputs: Vec<Output<'w>>,
    kept: Vec<Input>,
    summary: Summary,
}

impl<'w> Reports<'w> {
    /// Begins a report.
    ///
    /// # Errors
    /// What an output fails with; that its reader closed it only if no other is left. So it is for all of a report.
    pub fn begin(header: Header, outputs: Vec<Output<'w>>) -> Result<Reports<'w>> {
        let mut reports = Reports { header, outputs, kept: Vec::new(), summary: Summary::default() };
        reports.stream(|pieces, header, output| (pieces.begin)(header, &mut output.out))?;
        Ok(reports)
    }

    /// Takes the next input.
    ///
    /// # Errors
    /// What an output fails with.
    pub fn input(&mut self, input: Input) -> Result<()> {
        self.summary.add(&input);
        self.stream(|pieces, header, output| (pieces.input)(header, &input, &output.style, &mut output.out))?;
        if self.outputs.iter().any(|output| matches!(output.format.form, Form::Whole(_))) {
            self.kept.push(input);
        }
        Ok(())
    }

    /// Ends the report and gives its totals.
    ///
    /// # Errors
    /// What an output fails with.
    pub fn end(mut self) -> Result<Summary> {
        let summary = self.summary;
        self.stream(|pieces, header, output| (pieces.end)(header, &summary, &output.style, &mut output.out))?;
        let Header { schema, version, command, .. } = self.header;
        let report = Report { schema, version, command, inputs: self.kept, summary };
        each(&mut self.outputs, |Output { format, style, out, .. }| match format.form {
            Form::Whole(write) => write(&report, style, out),
            Form::Stream(_) => Ok(()),
        })?;
        Ok(summary)
    }

    fn stream(&mut self, write: impl Fn(&Stream, &Header, &mut Output<'w>) -> io::Result<()>) -> Result<()> {
        let header = &self.header;
        each(&mut self.outputs, |output| match output.format.form {
            Form::Stream(pieces) => write(&pieces, header, output),
            Form::Whole(_) => Ok(()),
        })
    }
}

/// Writes to all outputs, of which those stay that can still be written.
fn each<'w>(outputs: &mut Vec<Output<'w>>, write: impl Fn(&mut Output<'w>) -> io::Result<()>) -> Result<()> {
    let mut failed: Option<Error> = None;
    outputs.retain_mut(|output| {
        let Err(error) = write(output).and_then(|()| output.out.flush()) else { return true };
        // A disk that is full is not hidden by a pipe that is closed.
        if failed.as_ref().is_none_or(Error::is_closed_pipe) {
            failed = Some(Error::io(output.at.clone(), "cannot write the report", error));
        }
        false
    });
    match failed {
        Some(error) if outputs.is_empty() || !error.is_closed_pipe() => Err(error),
        _ => Ok(()),
    }
}
