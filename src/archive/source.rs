//! Where an image's bytes come from: a tarball (mapped, read, decoded, from standard input) or a layout directory.
//!
//! Owned by the caller for as long as anything borrowed from it lives. Knows the file system; must not look inside.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    map::Mapping,
    outer::{self, Decoded},
};
use crate::{
    codec::{self, Compression},
    error::{Error, ErrorKind, Result},
    limits::Limits,
    location::Location,
};

/// How to open an input.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Read files into memory instead of mapping them.
    pub no_mmap: bool,
    /// Limits for decoding a compressed outer archive.
    pub limits: Limits,
}

/// The bytes of one input.
#[derive(Debug)]
pub struct Source {
    name: Vec<u8>,
    /// A tarball, behind its decoded form if it is compressed as a whole; or a directory's files.
    files: Vec<SourceFile>,
    directory: bool,
    outer: Compression,
    outer_fault: Option<codec::DecodeError>,
}

/// One file: the tarball itself, or a file of a layout directory under its relative path.
#[derive(Debug)]
struct SourceFile {
    path: Vec<u8>,
    bytes: Bytes,
    /// What the file looked like when it was opened; `None` where it cannot change.
    stamp: Option<(PathBuf, Stamp)>,
}

#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    Mapped(Mapping),
}

impl Bytes {
    fn populate(&self, at: usize, len: usize) {
        if let Bytes::Mapped(map) = self {
            map.populate(at, len);
        }
    }

    fn release(&self, at: usize, len: usize) {
        if let Bytes::Mapped(map) = self {
            map.release(at, len);
        }
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Memory(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}

impl From<Decoded> for Bytes {
    fn from(decoded: Decoded) -> Bytes {
        match decoded {
            Decoded::Memory(bytes) => Bytes::Memory(bytes),
            Decoded::Mapped(map) => Bytes::Mapped(map),
        }
    }
}

/// What tells a file from a changed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    identity: [i64; 4],
}

impl Stamp {
    #[cfg(unix)]
    fn of(meta: &Metadata) -> Stamp {
        use std::os::unix::fs::MetadataExt as _;
        let identity = [meta.dev().cast_signed(), meta.ino().cast_signed(), meta.mtime(), meta.mtime_nsec()];
        Stamp { len: meta.len(), identity }
    }

    #[cfg(not(unix))]
    fn of(meta: &Metadata) -> Stamp {
        let modified = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let nanos = modified.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(0));
        Stamp { len: meta.len(), identity: [0, 0, 0, nanos] }
    }
}

impl Source {
    /// Opens `path`: a tarball, plain or compressed as a whole, or a layout directory.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the system refuses, [`ErrorKind::NotAnImage`] for an empty file, a device, a socket,
    /// a FIFO, a directory without image files or one of another form.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Source> {
        let at = Location::new(path.as_os_str().as_encoded_bytes());
        let meta = fs::metadata(path).map_err(|e| Error::io(at.clone(), "cannot open", e))?;
        let name = path.as_os_str().as_encoded_bytes().to_vec();
        if meta.is_dir() {
            return Source::open_directory(path, name, &at, options);
        }
        if !meta.is_file() {
            let message =
                "neither a file nor a directory; to read from a pipe, give - and redirect standard input";
            return Err(Error::new(ErrorKind::NotAnImage, message).at(at));
        }
        let file = open_file(path, Vec::new(), &at, options)?;
        Source::unwrap_outer(name, file, &at, options)
    }

    /// Reads a tarball from `input` (standard input, as `-`).
    pub fn read(name: &str, input: impl Read, options: &OpenOptions) -> Result<Source> {
        let at = Location::new(name);
        let bytes = outer::read_all(input, &at, &options.limits)?.into();
        let file = SourceFile { path: Vec::new(), bytes, stamp: None };
        Source::unwrap_outer(name.into(), file, &at, options)
    }

    /// A tarball that is in memory already.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, options: &OpenOptions) -> Result<Source> {
        let file = SourceFile { path: Vec::new(), bytes: Bytes::Memory(bytes), stamp: None };
        Source::unwrap_outer(name.into(), file, &Location::new(name), options)
    }

    fn unwrap_outer(name: Vec<u8>, file: SourceFile, at: &Location, options: &OpenOptions) -> Result<Source> {
        if file.bytes.is_empty() {
            return Err(Error::new(ErrorKind::NotAnImage, "the file is empty").at(at.clone()));
        }
        let outer = codec::sniff(&file.bytes);
        if outer == Compression::Plain {
            return Ok(Source { name, files: vec![file], directory: false, outer, outer_fault: None });
        }
        let release = |at, len| file.bytes.release(at, len);
        let (decoded, outer_fault) = outer::decode(outer, &file.bytes, at, &options.limits, release)?;
        let decoded = SourceFile { path: Vec::new(), bytes: decoded.into(), stamp: None };
        Ok(Source { name, files: vec![decoded, file], directory: false, outer, outer_fault })
    }

    fn open_directory(path: &Path, name: Vec<u8>, at: &Location, options: &OpenOptions) -> Result<Source> {
        if is_transport(path) {
            let message = "a directory of skopeo's dir: transport, which is not read; \
                           `skopeo copy dir:DIRECTORY oci-archive:FILE` makes an archive of it";
            return Err(Error::new(ErrorKind::NotAnImage, message).at(at.clone()));
        }
        let mut files = Vec::new();
        for relative in layout_files(path).map_err(|e| Error::io(at.clone(), "cannot list", e))? {
            let inside = relative.as_os_str().as_encoded_bytes().to_vec();
            let at = at.then(inside.clone());
            files.push(open_file(&path.join(&relative), inside, &at, options)?);
        }
        if files.is_empty() {
            let message =
                "the directory is no image layout (no index.json, no manifest.json, no oci-layout, no blobs)";
            return Err(Error::new(ErrorKind::NotAnImage, message).at(at.clone()));
        }
        Ok(Source { name, files, directory: true, outer: Compression::Plain, outer_fault: None })
    }

    /// The same input under another name, by which locations in it are given.
    #[must_use]
    pub fn called(self, name: &Path) -> Source {
        Source { name: name.as_os_str().as_encoded_bytes().to_vec(), ..self }
    }

    /// The name the user gave, as raw bytes.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Where the input itself is, as the first part of every location in it.
    pub fn location(&self) -> Location {
        Location::new(self.name.as_slice())
    }

    /// Whether this is a layout directory rather than a tarball.
    pub fn is_directory(&self) -> bool {
        self.directory
    }

    /// How the archive as a whole is compressed.
    pub fn outer(&self) -> Compression {
        self.outer
    }

    /// What was wrong with the outer compression, if anything was.
    pub fn outer_fault(&self) -> Option<&codec::DecodeError> {
        self.outer_fault.as_ref()
    }

    /// The tarball's (decoded) bytes, or those of a directory's file by number.
    pub fn bytes(&self, file: usize) -> &[u8] {
        self.files.get(file).map_or(&[], |file| &file.bytes)
    }

    /// Number of the file that is the tarball as it stands on disk, compressed or not; `None` for a directory.
    pub fn raw_file(&self) -> Option<usize> {
        self.files.len().checked_sub(1).filter(|_| !self.directory)
    }

    /// Relative paths of a directory's files; one empty path for a tarball.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|file| file.path.as_slice())
    }

    /// Brings the pages of a range that is about to be read into memory.
    pub fn populate(&self, file: usize, range: Range<usize>) {
        if let Some(file) = self.files.get(file) {
            file.bytes.populate(range.start, range.len());
        }
    }

    /// Gives the pages of a range that was read back to the system.
    pub fn release(&self, file: usize, range: Range<usize>) {
        if let Some(file) = self.files.get(file) {
            file.bytes.release(range.start, range.len());
        }
    }

    /// Fails if a file is not what it was when it was opened. To be called after all was read and before any verdict.
    pub fn unchanged(&self) -> Result<()> {
        self.files.iter().try_for_each(SourceFile::unchanged)
    }

    /// The same of one file, which belongs to its bytes.
    pub fn file_unchanged(&self, file: usize) -> Result<()> {
        // The bytes of a file that was decoded as a whole are not on disk.
        self.files.get(file).map_or(Ok(()), SourceFile::unchanged)
    }
}

impl SourceFile {
    fn unchanged(&self) -> Result<()> {
        let Some((path, stamp)) = &self.stamp else { return Ok(()) };
        if fs::metadata(path).ok().map(|meta| Stamp::of(&meta)) == Some(*stamp) {
            return Ok(());
        }
        let at = Location::new(path.as_os_str().as_encoded_bytes());
        Err(Error::new(ErrorKind::Changed, "input changed while reading").at(at))
    }
}

fn open_file(path: &Path, inside: Vec<u8>, at: &Location, options: &OpenOptions) -> Result<SourceFile> {
    let io = |what: &'static str| move |e: io::Error| Error::io(at.clone(), what, e);
    let mut file = File::open(path).map_err(io("cannot open"))?;
    let meta = file.metadata().map_err(io("cannot look at"))?;
    let bytes = if meta.len() == 0 || options.no_mmap {
        outer::read_all(&mut file, at, &options.limits)?.into()
    } else {
        Bytes::Mapped(Mapping::new(&file, &at.to_string()).map_err(io("cannot map"))?)
    };
    Ok(SourceFile { path: inside, bytes, stamp: Some((path.to_owned(), Stamp::of(&meta))) })
}

/// Whether a folder is an image layout, or what is left of one: it has one of a layout's documents, or its blobs.
pub fn is_layout(folder: &Path) -> bool {
    ["index.json", "manifest.json", "oci-layout"].iter().any(|name| folder.join(name).is_file())
        || folder.join("blobs/sha256").is_dir()
}

/// Whether a folder says that it is one of `dir:` (containers-transports(5)), whose `manifest.json` is a manifest.
fn is_transport(folder: &Path) -> bool {
    const SAYS: &[u8] = b"Directory Transport Version:";
    let mut start = Vec::new();
    let file = File::open(folder.join("version"));
    file.and_then(|file| file.take(SAYS.len() as u64).read_to_end(&mut start)).is_ok() && start == SAYS
}

/// The regular files of a layout directory, sorted: its top, `blobs/ALGORITHM/` and docker-archive's layer folders.
/// Symbolic links count only where they lead to a regular file inside the directory.
fn layout_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    const DEEPEST: usize = 3;
    if !is_layout(root) {
        // A folder that cannot be listed is not known to be anything.
        return fs::read_dir(root).map(|_| Vec::new());
    }
    let inside = root.canonicalize()?;
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let relative = folder.join(entry?.file_name());
            let full = root.join(&relative);
            if fs::symlink_metadata(&full)?.is_dir() {
                if relative.components().count() < DEEPEST {
                    folders.push(relative);
                }
            } else if full.is_file() && full.canonicalize()?.starts_with(&inside) {
                files.push(relative);
            }
        }
    }
    files.sort();
    Ok(files)
}
