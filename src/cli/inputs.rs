//! Which inputs a run is over: named, listed in files, found in folders, shared out among machines.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    args::{Global, Reading},
    output,
};
use crate::{
    archive::is_layout,
    digest::{Algorithm, Digest},
    error::{Error, ErrorKind, Result},
    inspect::{Content, content},
    location::Location,
    report::wire::Header,
    shard::{self, Shard},
};

/// Arguments that name inputs.
#[derive(clap::Args, Debug)]
pub(super) struct Inputs {
    /// Image tarballs, layout directories, folders to search for images, or - for standard input
    ///
    /// In a folder, what is whole and no image is passed over; what is damaged, or named like an archive and is none, is
    /// reported.
    #[arg(value_name = "FILE", required_unless_present_any = ["from_file", "checksums"])]
    files: Vec<PathBuf>,
    /// Read more names from a file, or - for standard input, one a line or separated by NUL
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
    pub(super) fn find(&self, reading: &Reading, global: &Global) -> Result<Vec<Task>> {
        let mut search = Search { reading, found: Vec::new(), passed_over: Vec::new() };
        for path in self.paths()? {
            if path.is_dir() && !is_layout(&path) {
                search.folder(path);
            } else {
                search.found.push(path);
            }
        }
        search.tell(global);
        let mut found: Vec<_> = search.found.into_iter().map(|path| (path, None)).collect();
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
    let read = match path {
        path if path == Path::new("-") => {
            let mut text = Vec::new();
            io::stdin().lock().read_to_end(&mut text).map(|_| text)
        }
        path => fs::read(path),
    };
    read.map_err(|e| Error::io(Location::new(path.as_os_str().as_encoded_bytes()), "cannot read", e))
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

/// A search for images in folders.
struct Search<'r> {
    reading: &'r Reading,
    found: Vec<PathBuf>,
    /// What is whole and no image.
    passed_over: Vec<PathBuf>,
}

impl Search<'_> {
    /// Takes everything below a folder that is an image or ought to be one, sorted by name. A folder that cannot be listed
    /// may hold one. Links to folders are not followed: they may lead back.
    fn folder(&mut self, folder: PathBuf) {
        let entries = fs::read_dir(&folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
        let Ok(mut entries) = entries else { return self.found.push(folder) };
        entries.sort();
        for path in entries {
            if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
                if is_layout(&path) { self.found.push(path) } else { self.folder(path) }
            } else if self.takes(&path) {
                self.found.push(path);
            } else {
                self.passed_over.push(path);
            }
        }
    }

    /// Whether a file is an image, or may have been one: what cannot be read, what is a damaged tar, and what only its name
    /// says to be an archive. None of them may vanish from the report.
    fn takes(&self, path: &Path) -> bool {
        match self.reading.open(path).map(|source| content(&source, &self.reading.limits())) {
            Ok(Content::Image | Content::DamagedTar) => true,
            Ok(Content::OtherTar) => false,
            Ok(Content::NoTar) => is_named_as_archive(path),
            Err(error) if error.kind == ErrorKind::NotAnImage || leads_nowhere(&error) => {
                is_named_as_archive(path)
            }
            Err(_) => true,
        }
    }

    /// Says on standard error what is in no report.
    fn tell(&self, global: &Global) {
        let count = self.passed_over.len();
        if count == 0 || global.verbosity() < 0 {
            return;
        }
        let (files, images) = if count == 1 { ("file", "no image") } else { ("files", "no images") };
        output::complain(&format!("{count} {files} passed over: {images}"));
        if global.verbosity() > 0 {
            self.passed_over.iter().for_each(|path| output::complain(&format!("  {}", output::shown(path))));
        }
    }
}

fn leads_nowhere(error: &Error) -> bool {
    error.source.as_ref().is_some_and(|source| source.kind() == io::ErrorKind::NotFound)
}

/// Whether a file has a name that only tar archives have, compressed or not.
fn is_named_as_archive(path: &Path) -> bool {
    const COMPRESSED: [&[u8]; 4] = [b".gz", b".zst", b".xz", b".bz2"];
    const ARCHIVES: [&[u8]; 6] = [b".tar", b".oci", b".tgz", b".tzst", b".txz", b".tbz2"];
    let name = path.as_os_str().as_encoded_bytes().to_ascii_lowercase();
    let inner = COMPRESSED.iter().find_map(|end| name.strip_suffix(*end)).unwrap_or(&name);
    ARCHIVES.iter().any(|end| inner.ends_with(end))
}
