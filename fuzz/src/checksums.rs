//! Header checksums, mended after a mutation, so that mutations of a tar archive get past them.
//!
//! Knows the header's layout on its own: what is fuzzed must not help to make the input.

const BLOCK: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Makes the checksum of every block right that could be a header. Follows sizes as far as they are plain octal;
/// anything else is taken for a header block.
pub fn mend(archive: &mut [u8]) {
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
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let size = libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    if !seed.is_multiple_of(8) {
        mend(&mut data[..size]);
    }
    size
}
