//! JSON and newline-delimited JSON.

use std::io::{self, Write};

use super::{
    Style,
    form::Stream,
    wire::{Input, Line, Report},
};

pub(super) fn write(report: &Report, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// A header, one record for each input, a footer.
pub(super) const STREAM: Stream = Stream {
    begin: |header, out| line(&Line::Header(header.clone()), out),
    input: |_, input, _, out| line(&Line::Input(input), out),
    end: |_, summary, _, out| line(&Line::Footer(*summary), out),
};

fn line(line: &Line<&Input>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)
}
