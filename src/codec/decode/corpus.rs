//! The decoders on what real tools wrote, and on blobs made to mislead them. The test data stands beside the
//! checkout or not at all.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{DecodeError, DecodeErrorKind as Kind};
use crate::codec::{Compression, decoder, sniff};
use crate::digest::{Algorithm, Digest};
use crate::limits::Limits;

/// The tarballs in a folder of the shared test data, none if it is not there.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn tarballs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(folder);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: the shared test data is not beside the checkout");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension != "tsv"));
    paths.sort();
    paths
}

fn decode(blob: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = decoder(sniff(blob), blob, &Limits::default());
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
fn entries(tarball: &Path) -> Vec<Vec<u8>> {
    let tar = decode(&std::fs::read(tarball).unwrap()).unwrap();
    let mut archive = tar::Archive::new(&tar[..]);
    let content = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut content = Vec::new();
        entry.unwrap().read_to_end(&mut content).unwrap();
        content
    };
    archive.entries().unwrap().map(content).collect()
}

#[test]
fn layers_of_real_tools_decode_to_their_diff_ids() {
    for path in tarballs("corpus/good").into_iter().chain(tarballs("corpus/pairs")) {
        let entries = entries(&path);
        let configs: String = entries
            .iter()
            .filter(|entry| entry.starts_with(b"{"))
            .map(|entry| String::from_utf8_lossy(entry).into_owned())
            .collect();
        for blob in entries.iter().filter(|entry| sniff(entry) != Compression::Plain) {
            let diff_id = Digest::of(Algorithm::Sha256, &decode(blob).unwrap());
            assert!(configs.contains(&diff_id.hex()), "{} has no diff_id {diff_id}", path.display());
        }
    }
}

#[test]
fn misleading_blobs_are_refused_by_name() {
    for path in tarballs("hostile/synth/images") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let expected = match name {
            "z-gz-trailing-garbage" | "z-zst-trailing" => Kind::TrailingGarbage,
            "z-gz-truncated" | "z-zst-skippable-huge" => Kind::Truncated,
            "z-gz-bad-crc" => Kind::Checksum,
            "z-gz-reserved-flags" | "z-zst-reserved-bit" => Kind::ReservedFlags,
            "z-zst-window-2GiB" => Kind::Window { needs: 2 << 30, limit: 128 << 20 },
            "z-zst-dict-id" => Kind::Dictionary,
            _ if name.starts_with("z-") => {
                entries(&path).iter().for_each(|entry| assert_eq!(decode(entry).map(drop), Ok(()), "{name}"));
                continue;
            }
            _ => continue,
        };
        let kinds: Vec<Kind> =
            entries(&path).iter().filter_map(|entry| decode(entry).err()).map(|error| error.kind).collect();
        assert_eq!(kinds, [expected], "{name}");
    }
}
