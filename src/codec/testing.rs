//! What the tests of this folder share.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Compression, DecodeError, decoder, sniff};
use crate::limits::Limits;

/// Text, runs and noise in turn, from integer arithmetic alone: the same everywhere, and for ever, since golden
/// digests are of what becomes of it.
pub(super) fn generated(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words: Vec<String> = (0..700).map(|_| format!("{:x}/", next() >> (24 + next() % 32))).collect();
    let mut data = Vec::with_capacity(length + 4096);
    while data.len() < length {
        match next() % 8 {
            0 => data.extend((0..next() % 2000).map(|_| next() as u8)),
            1 => data.resize(data.len() + (next() % 4000) as usize, next() as u8),
            _ => (0..next() % 400).for_each(|_| {
                let word = &words[((next() % 700) * (next() % 700) / 700) as usize];
                data.extend_from_slice(word.as_bytes());
            }),
        }
    }
    data.truncate(length);
    data
}

/// Lines as a list of files has them.
pub(super) fn text(lines: usize) -> Vec<u8> {
    (0..lines)
        .flat_map(|line| format!("{line}: usr/share/doc/{}\n", line * line % 977).into_bytes())
        .collect()
}

/// Says why a test did less than it can.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(super) fn skipped(what: &str) {
    eprintln!("SKIPPED: {what}");
}

/// The tarballs in a folder of the shared test data, which stands beside the checkout or not at all.
pub(super) fn tarballs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(folder);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        skipped("the shared test data is not beside the checkout");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension != "tsv"));
    paths.sort();
    paths
}

/// All that `blob` decodes to.
pub(super) fn decode(compression: Compression, blob: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = decoder(compression, blob, &Limits::default());
    let mut content = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match decoder.fill(&mut buffer)? {
            0 => return Ok(content),
            count => content.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The content of every entry of the tarball, itself compressed or not.
pub(super) fn entries(tarball: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(tarball).unwrap();
    let tar = decode(sniff(&bytes), &bytes).unwrap();
    let mut archive = tar::Archive::new(&tar[..]);
    let content = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut content = Vec::new();
        entry.unwrap().read_to_end(&mut content).unwrap();
        content
    };
    archive.entries().unwrap().map(content).collect()
}
