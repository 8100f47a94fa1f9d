//! `verify`: many inputs, one verdict each.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    args::{self, Global, Judging, Reading},
    exit::Outcome,
    output,
    progress::{self, Progress},
    remote::{self, Expected},
};
use crate::{
    digest::{Algorithm, Digest},
    error::{Error, ErrorKind, Result},
    inspect::{Request, inspect, with_graph},
    location::Location,
    measure::Workers,
    report::{
        Format,
        wire::{self, Outcome as Fared},
    },
};

/// Verify image tarballs: every digest, size, layer and document.
///
/// One line each says PASS or FAIL, with the reasons below it. One bad input does not stop the others.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build verify image.tar
  repro-build verify --expect sha256:… image.tar
  repro-build verify --only 'blob.*' archive/*.tar
  skopeo copy docker://… oci-archive:/dev/stdout | repro-build verify -")]
pub(super) struct Args {
    /// Image tarballs, layout directories, folders to search for images, or - for standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["from_file", "checksums"])]
    files: Vec<PathBuf>,
    /// Read more names from a file, one a line or separated by NUL
    #[arg(long, value_name = "LIST")]
    from_file: Option<PathBuf>,
    /// Compare the archives themselves with a file of sha256sum's format, then verify them
    #[arg(short = 'c', long, value_name = "SUMS")]
    checksums: Option<PathBuf>,
    /// A digest, or an image in a registry, that must be on some rung of the image's ladder; may be repeated
    #[arg(long, value_name = "DIGEST|REGISTRY/NAME:TAG", value_parser = remote::parse_expected)]
    expect: Vec<Expected>,
    /// Stop at the first input that fails
    #[arg(long)]
    fail_fast: bool,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = args::parse_format)]
    format: &'static Format,
    #[command(flatten)]
    judging: Judging,
    #[command(flatten)]
    reading: Reading,
}

/// One input, and the digest a checksum file wants it to have.
struct Task {
    path: PathBuf,
    sum: Option<Digest>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    progress::stop_on_interrupt();
    let expect = args
        .expect
        .iter()
        .map(|expected| expected.resolve(args.reading.platform()))
        .collect::<Result<_>>()?;
    let request = args.reading.request(args.judging.options(expect)?);
    let tasks = tasks(args)?;
    let (workers, progress, stop) =
        (Workers::new(global.threads)?, Progress::new(global), AtomicBool::new(false));
    let inputs = workers.map(&tasks, |_, task| {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let input = one(args, &request, task, &workers, &progress)?;
        stop.fetch_or(args.fail_fast && input.outcome != Fared::Pass, Ordering::Relaxed);
        Ok(Some(input))
    });
    let inputs: Vec<wire::Input> =
        inputs.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    let report = wire::Report::new("verify", inputs);
    output::stdout(|out| (args.format.write)(&report, &output::style(global), out))?;
    Ok(match report.summary {
        summary if summary.unreadable > 0 => Outcome::Unreadable,
        summary if summary.failed > 0 => Outcome::Bad,
        _ => Outcome::Good,
    })
}

/// Verifies one input. Only being stopped ends the whole run.
fn one(
    args: &Args,
    request: &Request,
    task: &Task,
    workers: &Workers,
    progress: &Progress,
) -> Result<wire::Input> {
    let mut request = request.clone();
    request.verify.expect.extend(task.sum);
    let inspected = args
        .reading
        .open(&task.path)
        .and_then(|source| inspect(&source, &request, workers, progress, wire::Input::of));
    match inspected {
        Err(error) if error.kind == ErrorKind::Interrupted => Err(error),
        Err(error) => Ok(wire::Input::unreadable(&task.path.to_string_lossy(), &error)),
        Ok(input) => Ok(input),
    }
}

fn tasks(args: &Args) -> Result<Vec<Task>> {
    let mut paths = args.files.clone();
    if let Some(list) = &args.from_file {
        let text = read(list)?;
        let separator = if text.contains(&0) { 0 } else { b'\n' };
        let names = text.split(|byte| *byte == separator).filter(|name| !name.is_empty());
        paths.extend(names.map(|name| path_of(name.strip_suffix(b"\r").unwrap_or(name))));
    }
    let mut tasks = Vec::new();
    for path in paths {
        if path.is_dir() && !is_layout(&path) {
            tasks.extend(search(&path, args)?.into_iter().map(|path| Task { path, sum: None }));
        } else {
            tasks.push(Task { path, sum: None });
        }
    }
    if let Some(sums) = &args.checksums {
        tasks.extend(checksums(sums)?);
    }
    if tasks.is_empty() {
        return Err(Error::usage("nothing to verify: no image found"));
    }
    Ok(tasks)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path)
        .map_err(|e| Error::io(Location::new(path.as_os_str().as_encoded_bytes()), "cannot read", e))
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}

/// A file of `sha256sum`'s format: hexadecimal digits, a space, a space or `*`, the name.
fn checksums(path: &Path) -> Result<Vec<Task>> {
    let text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut tasks = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.first() == Some(&b'#') {
            continue;
        }
        let parsed = line.split_at_checked(64).and_then(|(hex, rest)| {
            let hex = std::str::from_utf8(hex).ok()?.to_ascii_lowercase();
            let name = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?;
            Some((Digest::from_hex(Algorithm::Sha256, &hex).ok()?, path_of(name)))
        });
        let Some((sum, name)) = parsed else {
            let at = Location::new(path.as_os_str().as_encoded_bytes());
            return Err(Error::usage(format!("line {} is not of sha256sum's format", number + 1)).at(at));
        };
        let name = if name.exists() || name.is_absolute() { name } else { folder.join(name) };
        tasks.push(Task { path: name, sum: Some(sum) });
    }
    Ok(tasks)
}

fn is_layout(path: &Path) -> bool {
    ["index.json", "manifest.json"].iter().any(|name| path.join(name).is_file())
}

/// Every image below a folder, by content, sorted by name.
fn search(folder: &Path, args: &Args) -> Result<Vec<PathBuf>> {
    let at = || Location::new(folder.as_os_str().as_encoded_bytes());
    let mut found = Vec::new();
    let mut entries = fs::read_dir(folder)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()
        })
        .map_err(|e| Error::io(at(), "cannot list", e))?;
    entries.sort();
    for path in entries {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() && !is_layout(&path) {
            found.extend(search(&path, args)?);
        } else if meta.is_dir() || meta.is_file() && is_image(&path, args) {
            found.push(path);
        }
    }
    Ok(found)
}

fn is_image(path: &Path, args: &Args) -> bool {
    let request = args.reading.request(crate::verify::Options::default());
    args.reading.open(path).is_ok_and(|source| with_graph(&source, &request.limits, |_| ()).is_ok())
}
