//! Our zstd reader against ruzstd: what we take, frame for frame, it decodes to the same bytes.
#![no_main]

use std::io::Read as _;

use libfuzzer_sys::fuzz_target;
use repro_build::codec::{self, Compression};

const MOST: usize = 1 << 22;

fn ours(blob: &[u8], window: usize) -> Option<Vec<u8>> {
    let mut decoder = codec::decoder(Compression::Zstd, blob, &repro_build_fuzz::limits());
    let (mut out, mut buffer) = (Vec::new(), vec![0; window]);
    loop {
        match decoder.fill(&mut buffer) {
            Ok(0) => return Some(out),
            Ok(count) => out.extend_from_slice(&buffer[..count]),
            Err(_) => return None,
        }
        if out.len() > MOST {
            return None;
        }
    }
}

/// Every frame of `blob` by the other decoder, which reads one at a time and reports skippable ones as errors.
fn theirs(mut blob: &[u8]) -> Result<Vec<u8>, String> {
    use ruzstd::decoding::{
        StreamingDecoder,
        errors::{FrameDecoderError, ReadFrameHeaderError},
    };
    let mut out = Vec::new();
    while !blob.is_empty() {
        match StreamingDecoder::new(&mut blob) {
            Ok(mut decoder) => {
                decoder.read_to_end(&mut out).map_err(|e| e.to_string())?;
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                blob = blob.get(length as usize..).ok_or("skippable frame")?;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(out)
}

fuzz_target!(|data: &[u8]| {
    let whole = ours(data, 1 << 16);
    assert_eq!(whole, ours(data, 7), "the window does not matter");
    let Some(bytes) = whole else { return };
    match theirs(data) {
        Ok(theirs) => assert_eq!(bytes, theirs),
        Err(error) => panic!("ruzstd refuses it: {error}"),
    }
});
