//! Our gzip reader against flate2's: what we take, it decodes to the same bytes; what it refuses, we refuse.
#![no_main]

use std::io::Read as _;

use libfuzzer_sys::fuzz_target;
use repro_build::codec::{self, Compression};

const MOST: usize = 1 << 22;

fn ours(blob: &[u8], window: usize) -> Option<(Vec<u8>, u64)> {
    let mut decoder = codec::decoder(Compression::Gzip, blob, &repro_build_fuzz::limits());
    let (mut out, mut buffer) = (Vec::new(), vec![0; window]);
    loop {
        match decoder.fill(&mut buffer) {
            Ok(0) => return Some((out, decoder.frames().trailing_zeros)),
            Ok(count) => out.extend_from_slice(&buffer[..count]),
            Err(_) => return None,
        }
        if out.len() > MOST {
            return None;
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let whole = ours(data, 1 << 16);
    assert_eq!(whole, ours(data, 7), "the window does not matter");
    let Some((bytes, zeros)) = whole else { return };
    let stream = &data[..data.len() - usize::try_from(zeros).unwrap()];
    let mut theirs = Vec::new();
    flate2::read::MultiGzDecoder::new(stream).read_to_end(&mut theirs).expect("flate2 takes it too");
    assert_eq!(bytes, theirs);
});
