//! Where an output goes: the file that is replaced by what is written to a path.
//!
//! Knows links and kinds of files. Must not know what is written.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    location::Location,
};

/// How many links one after the other are followed, as Linux does.
const MOST_LINKS: usize = 40;

/// The file that an output at `path` replaces: `path` itself, there or not, or what the link there leads to.
///
/// # Errors
/// A usage error for whatever is there and is no file, since moving a file to its place would do away with it; and what
/// looking fails with.
pub(crate) fn file(path: &Path) -> Result<PathBuf> {
    let at = || Location::new(path.as_os_str().as_encoded_bytes());
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        let kind = match fs::symlink_metadata(&place) {
            Ok(meta) => meta.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(place),
            Err(error) => return Err(Error::io(at(), "cannot look at the output", error)),
        };
        if kind.is_file() {
            return Ok(place);
        }
        if !kind.is_symlink() {
            let what = if kind.is_dir() { "a directory" } else { "a device, a pipe or a socket" };
            return Err(Error::usage(format!("the output is {what}; name a file")).at(at()));
        }
        let link = fs::read_link(&place).map_err(|error| Error::io(at(), "cannot follow the link", error))?;
        place = place.parent().map_or(link.clone(), |folder| folder.join(&link));
    }
    Err(Error::usage("the output is a link that leads nowhere: too many one after the other").at(at()))
}
