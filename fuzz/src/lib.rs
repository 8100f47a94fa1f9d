//! What the fuzz targets share: images from the test suite's builder, verdicts, and the checksum fix-up for tar.

use repro_build::{
    archive::{OpenOptions, Source},
    inspect::{Request, inspect},
    limits::Limits,
    measure::Workers,
    observe::Silent,
    verify::Verdict,
};

#[path = "../../tests/it/support/mod.rs"]
pub mod support;

/// Limits that keep one run of a target short.
pub fn limits() -> Limits {
    Limits { max_json: 1 << 16, max_unpacked: 1 << 22, max_in_memory: 1 << 24, ..Limits::default() }
}

/// What a verification says of an archive; `None` if it is no image at all.
pub fn verdict(archive: &[u8]) -> Option<Verdict> {
    static WORKERS: std::sync::LazyLock<Workers> = std::sync::LazyLock::new(|| Workers::new(1).unwrap());
    let options = OpenOptions { limits: limits(), ..OpenOptions::default() };
    let source = Source::from_bytes("image.tar", archive.to_vec(), &options).ok()?;
    let request = Request { limits: limits(), ..Request::default() };
    inspect(&source, &request, &WORKERS, &Silent, |inspected| inspected.verdict.clone()).ok()
}

const BLOCK: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Makes the checksum of every block right that could be a header, so that mutations get past it. Follows sizes as far
/// as they are plain octal; anything else is taken for a header block.
pub fn fix_checksums(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(block) = archive.get_mut(at..at + BLOCK) {
        at += BLOCK;
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(i, byte)| if CHECKSUM.contains(&i) { 32 } else { u64::from(*byte) })
            .sum();
        block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits: String = block[124..136].iter().map(|byte| char::from(*byte)).collect();
        let size = u64::from_str_radix(digits.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        let has_data = !(b'1'..=b'6').contains(&block[156]);
        let body = usize::try_from(size).unwrap_or(usize::MAX).min(archive.len());
        if has_data {
            at = at.saturating_add(body.next_multiple_of(BLOCK));
        }
    }
}

/// libFuzzer's own mutation, and in most cases right checksums after it.
pub fn mutate_tar(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let size = libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    if seed % 8 != 0 {
        fix_checksums(&mut data[..size]);
    }
    size
}
