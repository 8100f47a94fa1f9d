//! The output file: written beside its place, verified, and only then moved there.
//!
//! Whatever happens before, the file that was there stays as it was. What a killed run left behind is removed by the
//! next one that writes to the same place: a temporary file that no living process holds a lock on is nobody's.

use std::{
    fs::{self, File, Permissions},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

use super::{Options, Outcome, normalize};
use crate::{
    archive::{Destination, OpenOptions, Source},
    error::{Error, ErrorKind, Result},
    inspect,
    location::Location,
    measure::Workers,
    observe::{Event, Observer},
    place,
};

/// Ends the names of temporary files.
const SUFFIX: &str = ".repro-build.tmp";

/// Normalises `source` into the file `path`, which is replaced if there is one; a link is followed. The output is read
/// again and verified before it takes its place. `inputs` are files that must not be overwritten.
///
/// # Errors
/// As [`normalize`]; [`ErrorKind::Usage`] if something else than a file is there; [`ErrorKind::Refused`] if the output
/// is one of the inputs, or does not verify.
pub fn to_file(
    source: &Source,
    options: &Options,
    workers: &Workers,
    observer: &dyn Observer,
    path: &Path,
    inputs: &[&Path],
) -> Result<Outcome> {
    let at = Location::new(path.as_os_str().as_encoded_bytes());
    let io = |what: &'static str| {
        let at = at.clone();
        move |error| Error::io(at, what, error)
    };
    let file = place::file(path)?;
    let output = Destination::of(&file);
    if inputs.iter().any(|input| Destination::of(input).takes(&output)) {
        let message = "the output is the input; give another name";
        return Err(Error::new(ErrorKind::Refused, message).at(at));
    }
    let place = Place::of(&file).ok_or_else(|| Error::usage("the output has no file name").at(at.clone()))?;
    place.remove_litter();
    let mut temporary = place.create().map_err(io("cannot create a file beside"))?;
    observer.event(Event::Temporary { path: temporary.path() });
    let mut writer = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
    let mut outcome = normalize(source, options, workers, observer, &mut writer)
        // What failed nowhere else failed in writing.
        .map_err(|error| if error.at.is_empty() { error.at(at.clone()) } else { error })?;
    writer.flush().map_err(io("cannot write"))?;
    drop(writer);
    temporary.as_file().sync_all().map_err(io("cannot write"))?;
    verify(temporary.path(), path, options, workers, observer, &mut outcome)?;
    temporary.persist(&file).map_err(|error| io("cannot put the output in its place")(error.error))?;
    // The rename is on disk when the folder is. Not every file system can be asked for that.
    let _ = File::open(&place.folder).and_then(|folder| folder.sync_all());
    Ok(outcome)
}

/// Reads the output, which shall be called `name`, again. Errors that forced input had already are noted.
fn verify(
    path: &Path,
    name: &Path,
    options: &Options,
    workers: &Workers,
    observer: &dyn Observer,
    outcome: &mut Outcome,
) -> Result<()> {
    let limits = options.limits.clone();
    let source = Source::open(path, &OpenOptions { limits, ..OpenOptions::default() })?.called(name);
    let verdict = inspect::inspect(&source, &options.request(), workers, observer, |inspected| {
        inspected.verdict.clone()
    })?;
    if verdict.passed() {
        return Ok(());
    }
    let first = verdict.findings.first().map(ToString::to_string).unwrap_or_default();
    if options.force {
        outcome.notes.push(format!("the output does not verify either: {first}"));
        return Ok(());
    }
    Err(Error::new(ErrorKind::Refused, format!("the output does not verify, so it was not kept: {first}")))
}

/// Where an output is to stand.
struct Place {
    folder: PathBuf,
    prefix: String,
}

impl Place {
    fn of(path: &Path) -> Option<Place> {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(Place { folder: folder.unwrap_or(Path::new(".")).to_owned(), prefix: format!(".{name}.") })
    }

    /// A locked temporary file beside the output, with the permissions that a new file gets.
    fn create(&self) -> std::io::Result<NamedTempFile> {
        loop {
            let mut builder = Builder::new();
            builder.prefix(&self.prefix).suffix(SUFFIX);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                builder.permissions(Permissions::from_mode(0o666));
            }
            let file = builder.tempfile_in(&self.folder)?;
            file.as_file().lock()?;
            // Between creation and lock, another run may have taken it for litter.
            if file.path().exists() {
                return Ok(file);
            }
        }
    }

    /// Removes temporary files of this output that no living process holds. Whatever cannot be removed stays: it is in
    /// nobody's way.
    fn remove_litter(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let random = name.strip_prefix(&self.prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
            let ours = random.is_some_and(|random| !random.contains('.'));
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            // Held until it is removed, so that nobody takes it for a new one in between.
            let held =
                File::open(entry.path()).ok().filter(|file| ours && is_file && file.try_lock().is_ok());
            if held.is_some() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
