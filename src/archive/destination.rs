//! What a path leads to, whether or not it is there yet: no output may overwrite what is read, by whatever name.
//!
//! Knows links and folders. Must not look inside files.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
};

/// What a path leads to.
#[derive(Debug)]
pub struct Destination {
    /// Without symbolic links; `None` where there is no folder for it.
    path: Option<PathBuf>,
    /// What hard links have in common; `None` where nothing is there yet.
    identity: Option<[u64; 2]>,
}

/// Symbolic links that are followed to a file that is not there yet, as many as Linux follows.
const MOST_LINKS: usize = 40;

impl Destination {
    /// What `path` leads to.
    pub fn of(path: &Path) -> Destination {
        let identity = fs::metadata(path).ok().and_then(|meta| identity(&meta));
        Destination { path: resolve(path), identity }
    }

    /// Whether what is written to `output` ends up here: in this file, or in this folder.
    pub fn takes(&self, output: &Destination) -> bool {
        let inside = self.path.as_ref().zip(output.path.as_ref());
        self.identity.is_some() && self.identity == output.identity
            || inside.is_some_and(|(own, output)| output.starts_with(own))
    }
}

fn resolve(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok(found) = fs::canonicalize(&path) {
            return Some(found);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match fs::read_link(&path) {
            Ok(target) => path = folder.join(target),
            Err(_) => return Some(fs::canonicalize(folder).ok()?.join(path.file_name()?)),
        }
    }
    None
}

#[cfg(unix)]
fn identity(meta: &Metadata) -> Option<[u64; 2]> {
    use std::os::unix::fs::MetadataExt as _;
    Some([meta.dev(), meta.ino()])
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<[u64; 2]> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_many_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("a"), "").unwrap();
        fs::write(at("other"), "").unwrap();
        fs::hard_link(at("a"), at("hard")).unwrap();
        std::os::unix::fs::symlink("a", at("soft")).unwrap();
        std::os::unix::fs::symlink("../new", at("d/dangling")).unwrap();
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        let takes = |a: &str, b: &str| Destination::of(&at(a)).takes(&Destination::of(&at(b)));
        for (a, b) in [
            ("a", "a"),
            ("a", "./d/../a"),
            ("a", "hard"),
            ("a", "soft"),
            ("new", "d/../new"),
            ("new", "d/dangling"),
            ("d", "d/new"),
        ] {
            assert!(takes(a, b), "{a} takes {b}");
        }
        for (a, b) in
            [("a", "other"), ("a", "new"), ("d", "a"), ("d/new", "d"), ("a", "loop"), ("loop", "loop")]
        {
            assert!(!takes(a, b), "{a} does not take {b}");
        }
    }
}
