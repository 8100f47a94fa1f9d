//! The decoders on what real tools wrote, and on blobs made to mislead them.

use super::{DecodeError, DecodeErrorKind as Kind};
use crate::codec::testing::{self, entries, tarballs};
use crate::codec::{Compression, sniff};
use crate::digest::{Algorithm, Digest};

fn decode(blob: &[u8]) -> Result<Vec<u8>, DecodeError> {
    testing::decode(sniff(blob), blob)
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
