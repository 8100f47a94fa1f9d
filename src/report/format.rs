//! The table of report formats.

use std::io::{self, Write};

use super::{json, text, wire::Report};

/// How a report is to look, where a format leaves a choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Colours may be used.
    pub color: bool,
    /// Columns of the terminal; `None` where there is none, and nothing is cut or wrapped.
    pub width: Option<u16>,
    /// 0 is normal, more says more, less says less.
    pub verbosity: i8,
}

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Writes a report.
    pub write: fn(&Report, &Style, &mut dyn Write) -> io::Result<()>,
}

/// All formats; a new one is a file and a row.
pub const FORMATS: &[Format] = &[
    Format { name: "text", about: "for people", write: text::write },
    Format { name: "json", about: "one JSON document (docs/report-schema.json)", write: json::write },
    Format { name: "ndjson", about: "one JSON record a line, each standing alone", write: json::write_lines },
];

impl Format {
    /// The format of that name.
    pub fn by_name(name: &str) -> Option<&'static Format> {
        FORMATS.iter().find(|format| format.name == name)
    }
}
