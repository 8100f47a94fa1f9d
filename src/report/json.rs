//! JSON and newline-delimited JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::{Style, wire::Report};

pub(super) fn write(report: &Report, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// A header, one record for each input, a footer.
pub(super) fn write_lines(report: &Report, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Report { schema, version, command, inputs, summary } = report;
    line(out, "header", &serde_json::json!({ "schema": schema, "version": version, "command": command }))?;
    inputs.iter().try_for_each(|input| line(out, "input", input))?;
    line(out, "footer", summary)
}

fn line(out: &mut dyn Write, r#type: &'static str, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Tagged { r#type, value })?;
    writeln!(out)
}

#[derive(Serialize)]
struct Tagged<'t, T> {
    r#type: &'static str,
    #[serde(flatten)]
    value: &'t T,
}
