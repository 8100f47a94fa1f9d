//! Digests of what goes into a build: the context's files and the Dockerfile.
//!
//! Knows what of a directory BuildKit looks at. Must not follow links or leave the directory.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    request::{BuildRequest, Context},
    run::{ignore, local_dockerfile, location},
};
use crate::{
    digest::{Algorithm, Digest, Hasher},
    error::{Error, ErrorKind, Result},
    observe::Observer,
};

/// What the digest begins with, so that another way of reckoning gives other digests.
const VERSION: &[u8] = b"repro-build context 1\n";

/// The digest of a local context as BuildKit sees it: every file, directory and link that no `.dockerignore` leaves
/// out, in the order of their names' bytes; of each its kind, name, permission bits (not of links) and content or
/// target. Times and owners do not count. `None` for a remote context.
///
/// For each entry the SHA-256 takes in a letter (`f`, `d`, `l`, or `o` for anything else), four octal digits, and
/// then name and content's digest or target, each after its length in bytes as a decimal number and a colon.
pub fn context_digest(request: &BuildRequest, observer: &dyn Observer) -> Result<Option<Digest>> {
    let Context::Local(root) = &request.context else { return Ok(None) };
    let ignore = ignore(request)?;
    let root = Path::new(root);
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        let path = root.join(&directory);
        let failed = |error| Error::io(location(&path), "cannot read this directory", error);
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let relative = directory.join(entry.file_name());
            let excluded = ignore.excludes(&relative.to_string_lossy());
            let is_dir = entry.file_type().map_err(failed)?.is_dir();
            if is_dir && (!excluded || ignore.has_exceptions()) {
                open.push(relative.clone());
            }
            if !excluded {
                found.push(relative);
            }
        }
    }
    found.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(VERSION);
    for relative in &found {
        if observer.cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted while reading the build context"));
        }
        let path = root.join(relative);
        add(&mut hasher, relative, &path).map_err(|error| {
            Error::io(location(&path), "cannot read this part of the build context", error)
        })?;
    }
    Ok(Some(hasher.finish()))
}

/// The digest of the Dockerfile, where it is a file of this machine.
pub fn dockerfile_digest(request: &BuildRequest) -> Result<Option<Digest>> {
    let Some(path) = local_dockerfile(request) else { return Ok(None) };
    let digest = file_digest(&path);
    digest.map(Some).map_err(|error| Error::io(location(&path), "cannot read the Dockerfile", error))
}

fn add(hasher: &mut Hasher, relative: &Path, path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let (kind, mode, content) = if metadata.is_symlink() {
        ('l', 0, fs::read_link(path)?.into_os_string().into_encoded_bytes())
    } else if metadata.is_file() {
        ('f', permissions(&metadata), file_digest(path)?.to_string().into_bytes())
    } else if metadata.is_dir() {
        ('d', permissions(&metadata), Vec::new())
    } else {
        ('o', permissions(&metadata), Vec::new())
    };
    hasher.update(format!("{kind}{mode:04o}").as_bytes());
    for field in [relative.as_os_str().as_encoded_bytes(), &content] {
        hasher.update(format!("{}:", field.len()).as_bytes());
        hasher.update(field);
    }
    Ok(())
}

fn file_digest(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(unix)]
fn permissions(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn permissions(_: &Metadata) -> u32 {
    0
}
