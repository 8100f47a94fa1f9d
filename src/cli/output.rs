//! Standard output and standard error: the only place that writes to them.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
};

use super::args::{ColorChoice, Global};
use crate::{
    error::{Error, Result},
    escape::escape,
    location::Location,
    report::{FORMATS, Format, Output, Style},
};

/// Runs `write` on a buffered standard output.
///
/// # Errors
/// Whatever writing fails with; a closed pipe too, which the exit table takes for a success.
pub(super) fn stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let result = write(&mut out).and_then(|()| out.flush());
    result.map_err(|e| Error::io(Location::default(), "cannot write to standard output", e))
}

/// The same beside `outputs` that have yet to be written: that the reader of standard output has seen enough does not end
/// the others.
pub(super) fn stdout_beside(
    others: bool,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    stdout(write).or_else(|error| if others && error.is_closed_pipe() { Ok(()) } else { Err(error) })
}

/// A report for people on standard output.
pub(super) fn text(global: &Global) -> Output<'static> {
    on_stdout(&FORMATS[0], global)
}

/// A report on standard output.
pub(super) fn on_stdout(format: &'static Format, global: &Global) -> Output<'static> {
    let out = BufWriter::with_capacity(64 << 10, io::stdout());
    Output { format, style: style(global), out: Box::new(out), at: Location::new("standard output") }
}

/// A path as people and reports see it.
pub(super) fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}

/// One line on standard error; there is nowhere to complain if that fails.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// How standard output is to look.
pub(super) fn style(global: &Global) -> Style {
    let terminal = io::stdout().is_terminal();
    let color = match global.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            terminal
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    };
    let width = terminal.then(comfy_table_width).flatten();
    Style { color, width, verbosity: global.verbosity() }
}

fn comfy_table_width() -> Option<u16> {
    comfy_table::Table::new().width()
}
