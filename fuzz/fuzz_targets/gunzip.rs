//! Our gzip reader against flate2's: what we take, it decodes to the same bytes; what it refuses, we refuse. Behind a
//! header and in front of a trailer that are right, we take what it takes, too.
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

/// What flate2 reads from a raw stream and how long that is, if it comes to its end.
fn theirs(stream: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut decoder = flate2::Decompress::new(false);
    let (mut content, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let (read, written) = (decoder.total_in(), decoder.total_out());
        let rest = &stream[usize::try_from(read).unwrap()..];
        let status = decoder.decompress(rest, &mut buffer, flate2::FlushDecompress::None).ok()?;
        content.extend_from_slice(&buffer[..usize::try_from(decoder.total_out() - written).unwrap()]);
        if content.len() > MOST {
            return None;
        }
        if status == flate2::Status::StreamEnd {
            return Some((content, usize::try_from(decoder.total_in()).unwrap()));
        }
        if (read, written) == (decoder.total_in(), decoder.total_out()) {
            return None;
        }
    }
}

/// A member of this stream, its trailer right if it has content.
fn member(stream: &[u8], content: Option<&[u8]>) -> Vec<u8> {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut crc = flate2::Crc::new();
    let trailer = content.map(|content| {
        crc.update(content);
        [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat()
    });
    [&header[..], stream, &trailer.unwrap_or_default()].concat()
}

fuzz_target!(|data: &[u8]| {
    // Where most headers end.
    let stream = data.get(10..).unwrap_or_default();
    let read = theirs(stream);
    let (content, length) =
        read.as_ref().map_or((None, stream.len()), |(content, read)| (Some(content), *read));
    let blob = member(&stream[..length], content.map(Vec::as_slice));
    assert_eq!(ours(&blob, 1 << 16).as_ref().map(|(bytes, _)| bytes), content, "the same streams");

    let whole = ours(data, 1 << 16);
    assert_eq!(whole, ours(data, 7), "the window does not matter");
    let Some((bytes, zeros)) = whole else { return };
    let stream = &data[..data.len() - usize::try_from(zeros).unwrap()];
    let mut theirs = Vec::new();
    flate2::read::MultiGzDecoder::new(stream).read_to_end(&mut theirs).expect("flate2 takes it too");
    assert_eq!(bytes, theirs);
});
