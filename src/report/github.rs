//! Workflow commands of GitHub Actions: one for each finding, shown beside the run.

use std::io::{self, Write};

use super::{
    Style,
    form::Stream,
    wire::{Header, Input, Outcome, Summary},
};
use crate::grade::Grade;

pub(super) const STREAM: Stream = Stream { begin: |_, _| Ok(()), input, end };

fn input(_: &Header, input: &Input, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if let Some(error) = &input.error {
        return command("error", &input.name, "not readable", error, out);
    }
    for finding in input.findings.iter().filter(|finding| style.shows(finding.grade)) {
        let name = match finding.grade {
            Grade::Error => "error",
            Grade::Warning => "warning",
            Grade::Note => "notice",
        };
        let detail = if finding.detail.is_empty() { String::new() } else { format!(": {}", finding.detail) };
        let message = format!("{}{detail} (at {})", finding.title, finding.at);
        command(name, &input.name, &finding.check, &message, out)?;
    }
    let word = if input.outcome == Outcome::Pass { "passed" } else { "failed" };
    writeln!(out, "{word}: {}", input.name)
}

fn end(_: &Header, summary: &Summary, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Summary { inputs, passed, failed, unreadable } = summary;
    writeln!(out, "{inputs} inputs: {passed} passed, {failed} failed, {unreadable} unreadable")
}

/// `::NAME file=…,title=…::MESSAGE`, with what ends a value or a line as %XX.
fn command(name: &str, file: &str, title: &str, message: &str, out: &mut dyn Write) -> io::Result<()> {
    let value = |text: &str| {
        let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        (text.replace(':', "%3A").replace(',', "%2C"), text)
    };
    writeln!(out, "::{name} file={},title={}::{}", value(file).0, value(title).0, value(message).1)
}
