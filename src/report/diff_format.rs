//! The table of formats of a diff.

use std::io::{self, Write};

use super::{Style, diff_text, wire_diff::DiffReport};

/// One format of a diff.
#[derive(Clone, Copy, Debug)]
pub struct DiffFormat {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Writes a diff.
    pub write: fn(&DiffReport, &Style, &mut dyn Write) -> io::Result<()>,
}

/// All formats; a new one is a file and a row.
pub const DIFF_FORMATS: &[DiffFormat] = &[
    DiffFormat { name: "text", about: "for people", write: diff_text::write },
    DiffFormat { name: "json", about: "one JSON document (docs/report-schema.json)", write: json },
];

fn json(report: &DiffReport, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}
