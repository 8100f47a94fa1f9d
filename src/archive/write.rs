//! The canonical outer archive: the tar that containerd's exporter writes, and BuildKit's and docker's with it.
//!
//! ustar (PAX only where that cannot hold a size), entries sorted by name, folders for `blobs/`, time and owner 0, two
//! zero blocks at the end. Knows entry names and modes. Must not know what the entries mean.

use std::io::{self, Write};

use super::{EntryIndex, EntryKind};
use crate::tar::{self, Dialect, Kind, Member};

/// Documents that containerd writes with mode 0644; all other files are 0444.
const DOCUMENTS: [&[u8]; 2] = [b"index.json", b"manifest.json"];

/// Writes an archive. Entries must come sorted by path; folders above them are added.
pub struct ArchiveWriter<W: Write> {
    out: W,
    folder: Vec<u8>,
    left: u64,
    padding: usize,
}

impl<W: Write> ArchiveWriter<W> {
    /// An archive that nothing was written to yet.
    pub fn new(out: W) -> ArchiveWriter<W> {
        ArchiveWriter { out, folder: Vec::new(), left: 0, padding: 0 }
    }

    /// Begins a file of `size` bytes, which [`ArchiveWriter::data`] must bring.
    ///
    /// # Errors
    /// Whatever the output says; [`io::ErrorKind::InvalidInput`] if the file before is not complete.
    pub fn file(&mut self, path: &[u8], size: u64) -> io::Result<()> {
        self.end_file()?;
        for folder in folders(path, &self.folder) {
            self.out.write_all(&header(folder, None)?)?;
        }
        self.folder = parent(path).to_vec();
        self.out.write_all(&header(path, Some(size))?)?;
        (self.left, self.padding) = (size, tar::padding(size));
        Ok(())
    }

    /// A part of the current file.
    ///
    /// # Errors
    /// Whatever the output says; [`io::ErrorKind::InvalidInput`] if it is more than was said.
    pub fn data(&mut self, data: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(data.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        self.out.write_all(data)
    }

    /// Writes the end of the archive and gives the output back.
    ///
    /// # Errors
    /// As [`ArchiveWriter::file`].
    pub fn finish(mut self) -> io::Result<W> {
        self.end_file()?;
        self.out.write_all(&tar::END)?;
        Ok(self.out)
    }

    fn end_file(&mut self) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let padding = std::mem::take(&mut self.padding);
        self.out.write_all(tar::END.get(..padding).unwrap_or_default())
    }
}

/// The folder a path stands in, with its slash; empty at the top.
fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    path.get(..end).unwrap_or_default()
}

/// The folders above `path` that are not above everything in the folder `known` too, outermost first.
fn folders<'p>(path: &'p [u8], known: &[u8]) -> Vec<&'p [u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
    ends.filter_map(|end| path.get(..end)).filter(|folder| !known.starts_with(folder)).collect()
}

/// The header of a file of `size` bytes, or of a folder.
fn header(path: &[u8], size: Option<u64>) -> io::Result<Vec<u8>> {
    let member = Member {
        name: path.to_vec(),
        kind: if size.is_some() { Kind::Regular } else { Kind::Directory },
        mode: match size {
            None => 0o755,
            Some(_) if DOCUMENTS.contains(&path) => 0o644,
            Some(_) => 0o444,
        },
        size: size.unwrap_or(0),
        dialect: Dialect::Mixed,
        ..Member::default()
    };
    tar::encode(&member).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// Whether an archive (`raw`, with its index) is, byte for byte, what [`ArchiveWriter`] makes of its files.
pub fn is_canonical(raw: &[u8], index: &EntryIndex<'_>) -> bool {
    let mut at = 0;
    let mut folder: &[u8] = b"";
    let mut last: &[u8] = b"";
    let take = |wanted: &[u8], at: &mut usize| {
        let end = at.saturating_add(wanted.len());
        let same = raw.get(*at..end) == Some(wanted);
        *at = end;
        same
    };
    for entry in index.entries.iter().filter(|entry| entry.kind != EntryKind::Directory) {
        if entry.kind != EntryKind::File || entry.path() <= last {
            return false;
        }
        let mut headers: Vec<_> =
            folders(entry.path(), folder).iter().map(|name| header(name, None)).collect();
        headers.push(header(entry.path(), Some(entry.range.len() as u64)));
        if !headers.into_iter().all(|header| header.is_ok_and(|header| take(&header, &mut at))) {
            return false;
        }
        if entry.range.start != at {
            return false;
        }
        at = entry.range.end;
        let padding = tar::padding(entry.range.len() as u64);
        if !take(tar::END.get(..padding).unwrap_or_default(), &mut at) {
            return false;
        }
        (folder, last) = (parent(entry.path()), entry.path());
    }
    take(&tar::END, &mut at) && at == raw.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ArchiveWriter::new(Vec::new());
        for (path, content) in files {
            writer.file(path.as_bytes(), content.len() as u64).unwrap();
            writer.data(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn folders_stand_before_their_first_file_once() {
        let raw =
            archive(&[("blobs/sha256/a", "1"), ("blobs/sha256/b", ""), ("blobs/sha512/c", "2"), ("x", "3")]);
        let index = EntryIndex::of_tar(&raw, &Limits::default());
        let names: Vec<_> =
            index.entries.iter().map(|e| String::from_utf8(e.name.clone()).unwrap()).collect();
        let wanted = [
            "blobs/",
            "blobs/sha256/",
            "blobs/sha256/a",
            "blobs/sha256/b",
            "blobs/sha512/",
            "blobs/sha512/c",
            "x",
        ];
        assert_eq!(names, wanted);
        assert!(is_canonical(&raw, &index));
    }

    #[test]
    fn any_other_byte_is_not_canonical() {
        let raw = archive(&[("blobs/sha256/a", "1"), ("index.json", "{}")]);
        let index_of = |raw: &[u8]| is_canonical(raw, &EntryIndex::of_tar(raw, &Limits::default()));
        let content = [3 * 512, 5 * 512, 5 * 512 + 1];
        for at in 0..raw.len() {
            let mut other = raw.clone();
            other[at] ^= 1;
            assert_eq!(index_of(&other), content.contains(&at), "byte {at}");
        }
        assert!(!index_of(&[raw.as_slice(), &[0; 512]].concat()));
        assert!(!index_of(&raw[..raw.len() - 512]));
        assert!(!index_of(&archive(&[("b", ""), ("a", "")])));
    }

    #[test]
    fn a_file_must_have_the_size_that_was_said() {
        let mut writer = ArchiveWriter::new(Vec::new());
        writer.file(b"a", 2).unwrap();
        assert!(writer.data(b"123").is_err());
        let mut writer = ArchiveWriter::new(Vec::new());
        writer.file(b"a", 2).unwrap();
        writer.data(b"1").unwrap();
        assert!(writer.finish().is_err());
    }
}
