//! Where the reports of a run go: standard output, and files of which none may be something that the run reads.

use std::{
    collections::BTreeSet,
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

use super::{
    args::{Global, Reporting, Verifying},
    output,
};
use crate::{
    archive::Destination,
    error::{Error, ErrorKind, Result},
    location::Location,
    report::{Format, Output, Style},
};

/// Everything the report of a verification is to be written to, none of which may be one of the `inputs` or the policy of
/// one.
pub(super) fn of_verification<'p>(
    verifying: &'p Verifying,
    inputs: impl IntoIterator<Item = &'p Path>,
    global: &Global,
) -> Result<Vec<Output<'static>>> {
    let inputs: Vec<&Path> = inputs.into_iter().collect();
    let policies: BTreeSet<PathBuf> =
        inputs.iter().filter_map(|input| verifying.judging.policy_file(input)).collect();
    let policies = policies.iter().map(PathBuf::as_path);
    outputs(&verifying.reporting, inputs.into_iter().chain(policies), global)
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
    let mut outputs = vec![output::on_stdout(reporting.format, global)];
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
