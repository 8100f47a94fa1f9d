//! Which inputs a run is over: named, listed in files, found in folders, shared out among machines.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::args::Reading;
use crate::{
    digest::{Algorithm, Digest},
    error::{Error, Result},
    inspect::with_graph,
    location::Location,
    report::wire::Header,
    shard::{self, Shard},
    verify::Options,
};

/// Arguments that name inputs.
#[derive(clap::Args, Debug)]
pub(super) struct Inputs {
    /// Image tarballs, layout directories, folders to search for images, or - for standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["from_file", "checksums"])]
    files: Vec<PathBuf>,
    /// Read more names from a file, one a line or separated by NUL
    #[arg(long, value_name = "LIST")]
    from_file: Option<PathBuf>,
    /// Compare the archives themselves with a file of sha256sum's format, then verify them
    #[arg(short = 'c', long, value_name = "SUMS")]
    checksums: Option<PathBuf>,
    /// Take only part K of N of the inputs, by their names; `merge` puts the reports together
    #[arg(long, value_name = "K/N", value_parser = Shard::parse, help_heading = "Sharing out")]
    shard: Option<Shard>,
    /// Take the part that the engine running this asks for: Kubernetes, Slurm, AWS Batch, GitLab, or REPRO_SHARD_INDEX
    #[arg(long, conflicts_with = "shard", help_heading = "Sharing out")]
    shard_from_env: bool,
    /// How many parts there are, where the engine does not say (Kubernetes)
    #[arg(long, value_name = "N", requires = "shard_from_env", help_heading = "Sharing out")]
    shard_total: Option<u32>,
}

/// One input.
pub(super) struct Task {
    /// Its place in the whole list, counted from 1.
    pub(super) position: usize,
    pub(super) path: PathBuf,
    /// The digest that a checksum file wants it to have.
    pub(super) sum: Option<Digest>,
}

impl Inputs {
    /// All inputs, of which this run may take a part.
    pub(super) fn find(&self, reading: &Reading) -> Result<Vec<Task>> {
        let mut found = Vec::new();
        for path in self.paths()? {
            if path.is_dir() && !is_layout(&path) {
                found.extend(search(&path, reading)?.into_iter().map(|path| (path, None)));
            } else {
                found.push((path, None));
            }
        }
        if let Some(sums) = &self.checksums {
            found.extend(checksums(sums)?);
        }
        if found.is_empty() {
            return Err(Error::usage("nothing to verify: no image found"));
        }
        Ok((1..).zip(found).map(|(position, (path, sum))| Task { position, path, sum }).collect())
    }

    /// The files that say which inputs there are.
    pub(super) fn lists(&self) -> impl Iterator<Item = &Path> {
        self.from_file.iter().chain(&self.checksums).map(PathBuf::as_path)
    }

    /// The inputs of this run out of all, and the header of its report.
    pub(super) fn share(&self, command: &'static str, mut tasks: Vec<Task>) -> Result<(Vec<Task>, Header)> {
        let list = shard::list_digest(tasks.iter().map(|task| task.path.as_os_str().as_encoded_bytes()));
        let shard = self.shard()?;
        if let Some(shard) = shard {
            tasks.retain(|task| shard.takes(task.path.as_os_str().as_encoded_bytes()));
        }
        let header = Header { shard, list: Some(list), ..Header::new(command, tasks.len()) };
        Ok((tasks, header))
    }

    fn shard(&self) -> Result<Option<Shard>> {
        if self.shard_from_env {
            return shard::from_environment(|name| std::env::var(name).ok(), self.shard_total).map(Some);
        }
        Ok(self.shard)
    }

    fn paths(&self) -> Result<Vec<PathBuf>> {
        let mut paths = self.files.clone();
        if let Some(list) = &self.from_file {
            let text = read(list)?;
            let separator = if text.contains(&0) { 0 } else { b'\n' };
            let names = text.split(|byte| *byte == separator);
            let names = names.map(|name| name.strip_suffix(b"\r").unwrap_or(name));
            paths.extend(names.filter(|name| !name.is_empty()).map(path_of));
        }
        Ok(paths)
    }
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
fn checksums(path: &Path) -> Result<Vec<(PathBuf, Option<Digest>)>> {
    let text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.first() == Some(&b'#') {
            continue;
        }
        // A backslash before the digest says that the name has coreutils' escapes in it.
        let (line, escaped) = line.strip_prefix(b"\\").map_or((line, false), |line| (line, true));
        let parsed = line.split_at_checked(64).and_then(|(hex, rest)| {
            let hex = std::str::from_utf8(hex).ok()?.to_ascii_lowercase();
            let name = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?;
            Some((Digest::from_hex(Algorithm::Sha256, &hex).ok()?, name_of(name, escaped)))
        });
        let Some((sum, name)) = parsed else {
            let at = Location::new(path.as_os_str().as_encoded_bytes());
            return Err(Error::usage(format!("line {} is not of sha256sum's format", number + 1)).at(at));
        };
        let name = if name.exists() || name.is_absolute() { name } else { folder.join(name) };
        found.push((name, Some(sum)));
    }
    Ok(found)
}

/// A name in a checksum file.
fn name_of(name: &[u8], escaped: bool) -> PathBuf {
    if !escaped {
        return path_of(name);
    }
    let (mut raw, mut bytes) = (Vec::with_capacity(name.len()), name.iter());
    while let Some(byte) = bytes.next() {
        raw.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                _ => b'\\',
            },
            byte => *byte,
        });
    }
    path_of(&raw)
}

fn is_layout(path: &Path) -> bool {
    ["index.json", "manifest.json"].iter().any(|name| path.join(name).is_file())
}

/// Every image below a folder, by content, sorted by name.
fn search(folder: &Path, reading: &Reading) -> Result<Vec<PathBuf>> {
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
            found.extend(search(&path, reading)?);
        } else if meta.is_dir() || meta.is_file() && is_image(&path, reading) {
            found.push(path);
        }
    }
    Ok(found)
}

fn is_image(path: &Path, reading: &Reading) -> bool {
    let request = reading.request(Options::default());
    reading.open(path).is_ok_and(|source| with_graph(&source, &request.limits, |_| ()).is_ok())
}
