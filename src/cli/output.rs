//! Standard output and standard error: the only place that writes to them.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
};

use super::args::{ColorChoice, Global, Reporting};
use crate::{
    archive::Destination,
    error::{Error, ErrorKind, Result},
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

/// Everything one report is to be written to: standard output, and the files that were named. Nothing is created unless
/// all of them are files of their own.
///
/// # Errors
/// [`ErrorKind::Refused`] if a file is one of the `inputs`, a usage error if it is named twice, or what creating one fails
/// with.
pub(super) fn outputs<'p>(
    reporting: &Reporting,
    inputs: impl IntoIterator<Item = &'p Path>,
    global: &Global,
) -> Result<Vec<Output<'static>>> {
    let files: Vec<_> =
        reporting.files().map(|(format, file)| (format, file, Destination::of(file))).collect();
    spare(&files, inputs)?;
    let mut outputs = vec![on_stdout(reporting.format, global)];
    for (format, file, _) in files {
        let at = Location::new(file.as_os_str().as_encoded_bytes());
        let out = File::create(file).map_err(|e| Error::io(at.clone(), "cannot create", e))?;
        let style = Style { verbosity: global.verbosity(), ..Style::default() };
        outputs.push(Output { format, style, out: Box::new(BufWriter::new(out)), at });
    }
    Ok(outputs)
}

/// Fails if writing one of these files would change an input or another of them.
fn spare<'p>(
    files: &[(&'static Format, &Path, Destination)],
    inputs: impl IntoIterator<Item = &'p Path>,
) -> Result<()> {
    let at = |file: &Path| Location::new(file.as_os_str().as_encoded_bytes());
    for (i, (_, file, to)) in files.iter().enumerate() {
        if files.iter().take(i).any(|(_, _, other)| other.takes(to)) {
            return Err(Error::usage("two reports to one file").at(at(file)));
        }
    }
    if files.is_empty() {
        return Ok(());
    }
    for input in inputs {
        let input = if input == Path::new("-") { Path::new("/dev/stdin") } else { input };
        let input = Destination::of(input);
        if let Some((_, file, _)) = files.iter().find(|(_, _, to)| input.takes(to)) {
            let message = "the report would overwrite an input; give another name";
            return Err(Error::new(ErrorKind::Refused, message).at(at(file)));
        }
    }
    Ok(())
}

/// A report for people on standard output.
pub(super) fn text(global: &Global) -> Output<'static> {
    on_stdout(&FORMATS[0], global)
}

fn on_stdout(format: &'static Format, global: &Global) -> Output<'static> {
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
