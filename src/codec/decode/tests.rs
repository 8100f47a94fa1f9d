//! The decoders on good, damaged and misleading blobs.

use std::io::{Read, Write};

use proptest::prelude::*;

use crate::codec::testing::text;
use crate::codec::{Compression, DecodeErrorKind as Kind, Frames, decoder, sniff};
use crate::limits::Limits;

type Decoded = Result<(Vec<u8>, Frames), (Kind, u64)>;

/// Decodes all of `blob` through buffers of `size` bytes.
fn decode_by(compression: Compression, blob: &[u8], size: usize) -> Decoded {
    let mut decoder = decoder(compression, blob, &Limits::default());
    let mut content = Vec::new();
    let mut buffer = vec![0; size];
    loop {
        match decoder.fill(&mut buffer) {
            Ok(0) => break,
            Ok(count) => content.extend_from_slice(&buffer[..count]),
            Err(error) => {
                assert_eq!(decoder.fill(&mut buffer), Err(error.clone()), "an error stays");
                assert!(error.offset <= blob.len() as u64);
                return Err((error.kind, error.offset));
            }
        }
    }
    assert_eq!(decoder.fill(&mut buffer), Ok(0), "the end stays");
    assert_eq!(decoder.consumed(), blob.len() as u64);
    assert_eq!(decoder.produced(), content.len() as u64);
    Ok((content, decoder.frames()))
}

fn decode(compression: Compression, blob: &[u8]) -> Decoded {
    decode_by(compression, blob, 256 << 10)
}

fn kind(compression: Compression, blob: &[u8]) -> Kind {
    decode(compression, blob).expect_err("this must be refused").0
}

/// One stream of `content`, written by the crate that other programs write with.
fn compress(compression: Compression, content: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Plain => content.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
    }
}

const COMPRESSED: [Compression; 4] =
    [Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2];

#[test]
fn every_truncation_is_noticed() {
    for compression in COMPRESSED {
        let blob = compress(compression, &text(40));
        for length in 0..blob.len() {
            let kind = kind(compression, &blob[..length]);
            match length {
                0 => assert_eq!(kind, Kind::Empty, "{compression}"),
                1..6 => assert!(matches!(kind, Kind::Header | Kind::Truncated), "{compression} {length}"),
                _ => assert_eq!(kind, Kind::Truncated, "{compression} cut to {length}"),
            }
        }
    }
}

#[test]
fn no_flipped_bit_changes_the_content_unnoticed() {
    let content = text(40);
    for compression in COMPRESSED {
        let blob = compress(compression, &content);
        for bit in 0..blob.len() * 8 {
            let mut bent = blob.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            if let Ok((decoded, _)) = decode(compression, &bent) {
                // gzip: "probably text", time, effort and system, and the bits that fill deflate's last byte.
                // bzip2: a larger block size, the last byte's filling. zstd: one content has many encodings.
                let (byte, end) = (bit / 8, blob.len());
                let means_nothing = match compression {
                    Compression::Gzip => bit == 24 || (4..10).contains(&byte) || byte == end - 9,
                    Compression::Zstd => true,
                    Compression::Bzip2 => byte == 3 || byte == end - 1,
                    Compression::Xz | Compression::Plain => false,
                };
                assert!(means_nothing && decoded == content, "{compression} bit {bit}");
            }
        }
    }
}

#[test]
fn streams_may_follow_each_other_but_nothing_else_may() {
    for compression in COMPRESSED {
        let (first, second) = (text(30), text(7));
        let blob = [compress(compression, &first), compress(compression, &second)].concat();
        let frames = Frames { content: 2, ..Frames::default() };
        assert_eq!(decode(compression, &blob), Ok(([first, second].concat(), frames)), "{compression}");

        let end = blob.len() as u64;
        for garbage in [&b"x"[..], b"\0\0\0\0x", b"\x1f", b"BZ", b"\xfd7zXY\0", b"etc/passwd"] {
            let result = decode(compression, &[&blob, garbage].concat());
            let (kind, offset) = result.expect_err("garbage");
            assert_eq!(kind, Kind::TrailingGarbage, "{compression} {garbage:x?}");
            assert!((end..=end + 4).contains(&offset), "{compression} {garbage:x?} at {offset}");
        }
    }
}

#[test]
fn zeros_after_the_end() {
    let content = text(9);
    for (compression, count, expected) in [
        (Compression::Gzip, 1, Ok(1)),
        (Compression::Gzip, 512, Ok(512)),
        (Compression::Zstd, 512, Err(Kind::TrailingGarbage)),
        (Compression::Xz, 512, Ok(512)),
        (Compression::Xz, 3, Err(Kind::TrailingGarbage)),
        (Compression::Bzip2, 512, Err(Kind::TrailingGarbage)),
    ] {
        let mut blob = compress(compression, &content);
        blob.extend(vec![0; count]);
        let zeros =
            decode(compression, &blob).map(|(_, frames)| frames.trailing_zeros).map_err(|(kind, _)| kind);
        assert_eq!(zeros, expected, "{compression} and {count} zeros");
    }
}

/// A member with extra field, name, comment and header checksum (39 bytes in all), as Python's zlib and struct
/// modules wrote it after RFC 1952; Python's gzip module reads it.
const FULL_HEADER: [u8; 65] = [
    0x1f, 0x8b, 0x08, 0x1e, 0x00, 0xf1, 0x53, 0x65, 0x00, 0x03, 0x05, 0x00, 0x61, 0x62, 0x01, 0x00, 0x7a,
    0x6c, 0x61, 0x79, 0x65, 0x72, 0x2e, 0x74, 0x61, 0x72, 0x00, 0x61, 0x20, 0x63, 0x6f, 0x6d, 0x6d, 0x65,
    0x6e, 0x74, 0x00, 0x26, 0x76, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x49, 0xac, 0x4c, 0x2d,
    0xe2, 0xca, 0xc0, 0xc9, 0x01, 0x00, 0x2b, 0x74, 0xb3, 0x93, 0x27, 0x00, 0x00, 0x00,
];

#[test]
fn gzip_header_fields_are_read_and_checked() {
    let content = b"hello, layer\n".repeat(3);
    let blob = FULL_HEADER.to_vec();
    assert_eq!(decode(Compression::Gzip, &blob).map(|(decoded, _)| decoded), Ok(content));

    // The checksum covers even what means nothing, such as the time.
    for at in 4..39 {
        let mut bent = blob.clone();
        bent[at] ^= 0x20;
        assert!(decode(Compression::Gzip, &bent).is_err(), "header byte {at}");
    }
    for (at, byte, expected) in [
        (2, 7, Kind::Unsupported),
        (3, 0x3e, Kind::ReservedFlags),
        (3, 0x9e, Kind::ReservedFlags),
        (37, 0, Kind::Checksum),
    ] {
        let mut bent = blob.clone();
        bent[at] = byte;
        assert_eq!(decode(Compression::Gzip, &bent).map(drop), Err((expected, at as u64)));
    }
}

/// Go's compress/gzip reads names and comments into 512 bytes, the NUL included (gzip: invalid header).
#[test]
fn gzip_texts_are_as_long_as_go_reads_them() {
    let plain = compress(Compression::Gzip, b"ok");
    let (fixed, body) = plain.split_at(10);
    for flag in [0x08, 0x10] {
        let with = |length: usize| {
            let mut header = fixed.to_vec();
            header[3] = flag;
            [header, vec![b'n'; length], vec![0], body.to_vec()].concat()
        };
        assert_eq!(decode(Compression::Gzip, &with(511)).map(|(content, _)| content), Ok(b"ok".to_vec()));
        assert_eq!(kind(Compression::Gzip, &with(512)), Kind::Header);
        assert_eq!(kind(Compression::Gzip, &with(300)[..200]), Kind::Truncated);
    }
}

#[test]
fn gzip_trailer_is_checked() {
    let blob = compress(Compression::Gzip, &text(30));
    let end = blob.len();
    for (at, expected) in [(end - 8, Kind::Checksum), (end - 4, Kind::Length), (end - 1, Kind::Length)] {
        let mut bent = blob.clone();
        bent[at] ^= 1;
        assert_eq!(kind(Compression::Gzip, &bent), expected);
    }
}

#[test]
fn what_comes_before_damage_is_given_out() {
    let content = text(3000);
    let mut blob = compress(Compression::Gzip, &content);
    let end = blob.len();
    blob[end - 8] ^= 1;
    let mut decoder = decoder(Compression::Gzip, &blob, &Limits::default());
    let mut buffer = vec![0; content.len() * 2];
    assert_eq!(decoder.fill(&mut buffer), Ok(content.len()));
    assert_eq!(buffer[..content.len()], content);
    assert_eq!(decoder.fill(&mut buffer).map_err(|error| error.kind), Err(Kind::Checksum));
}

/// A block of fixed codes (RFC 1951, 3.2.6): one literal, then a match that begins before it, then much that is whole.
/// Python's zlib says "invalid distance too far back" of it.
#[test]
fn damage_in_deflate_data_is_told_as_it_was_met() {
    // Last block, fixed codes; 'a' (0x30 + 0x61); length 3 (code 1); distance 2 (code 1), all codes from their first bit.
    let bits = ["1", "10", "10010001", "0000001", "00001"].concat();
    let bits: Vec<u8> = bits.bytes().map(|bit| bit - b'0').collect();
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
    let damaged: Vec<u8> = bits.chunks(8).map(byte).chain([0; 40]).collect();
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let blob = [&header[..], &damaged].concat();
    // With room for much at once, and for little.
    for room in [1 << 16, 16] {
        let mut decoder = decoder(Compression::Gzip, &blob, &Limits::default());
        let mut buffer = vec![0; room];
        let error = std::iter::repeat_with(|| decoder.fill(&mut buffer)).find_map(Result::err).unwrap();
        assert_eq!((error.kind, error.offset), (Kind::Corrupt, 13), "{error}");
        assert!(error.message.contains("distance too far back"), "{error}");
    }
}

/// A zstd frame of one raw block, after RFC 8878, with whatever header is wanted.
#[test]
fn what_unpacks_to_more_than_is_allowed_is_refused() {
    let content = text(1000);
    let length = content.len() as u64;
    for compression in Compression::all() {
        let blob = compress(compression, &content);
        for (max_unpacked, is_allowed) in [(length, true), (length - 1, false)] {
            let limits = Limits { max_unpacked, ..Limits::default() };
            let mut decoder = decoder(compression, &blob, &limits);
            let mut window = vec![0; content.len() + 1];
            assert_eq!(decoder.fill(&mut window), Ok(content.len()), "{compression}");
            let end = decoder.fill(&mut window).map_err(|error| error.kind);
            let expected = if is_allowed { Ok(0) } else { Err(Kind::Unpacked { limit: max_unpacked }) };
            assert_eq!(end, expected, "{compression}");
        }
    }
}

fn zstd_frame(descriptor: u8, fields: &[u8], content: &[u8]) -> Vec<u8> {
    let block = (content.len() as u32) << 3 | 1;
    [&[0x28, 0xb5, 0x2f, 0xfd, descriptor], fields, &block.to_le_bytes()[..3], content].concat()
}

fn skippable(nibble: u8, declared: u32, content: &[u8]) -> Vec<u8> {
    [&[0x50 | nibble, 0x2a, 0x4d, 0x18][..], &declared.to_le_bytes(), content].concat()
}

#[test]
fn zstd_headers_decide_before_anything_is_allocated() {
    let window = |log: u8, eighths: u8| (log - 10) << 3 | eighths;
    let limit = 1 << 27;
    for (descriptor, fields, expected) in [
        (0x00, &[window(10, 0)][..], Ok(())),
        (0x00, &[window(27, 0)], Ok(())),
        (0x10, &[window(10, 0)], Ok(())),
        (0x00, &[window(27, 1)], Err(Kind::Window { needs: limit + limit / 8, limit })),
        (0x00, &[window(31, 0)], Err(Kind::Window { needs: 1 << 31, limit })),
        (0x00, &[window(41, 7)], Err(Kind::Window { needs: 15 << 38, limit })),
        (0x20, &[2], Ok(())),
        (0x20, &[3], Err(Kind::Corrupt)),
        (0xe0, &[0, 0, 0, 0, 1, 0, 0, 0], Err(Kind::Window { needs: 1 << 32, limit })),
        (0xe0, &[0xff; 8], Err(Kind::Window { needs: u64::MAX, limit })),
        (0x08, &[window(10, 0)], Err(Kind::ReservedFlags)),
        (0x01, &[window(10, 0), 0], Ok(())),
        (0x01, &[window(10, 0), 7], Err(Kind::Dictionary)),
        (0x03, &[window(10, 0), 0, 0, 0, 1], Err(Kind::Dictionary)),
    ] {
        let blob = zstd_frame(descriptor, fields, b"ok");
        let result = decode(Compression::Zstd, &blob);
        let expected = expected.map(|()| b"ok".to_vec());
        assert_eq!(
            result.map(|(content, _)| content).map_err(|(kind, _)| kind),
            expected,
            "{descriptor:02x} {fields:02x?}"
        );
    }
}

#[test]
fn zstd_window_limit_is_the_callers() {
    let blob = zstd_frame(0, &[18 << 3], b"ok");
    let decode = |window_log| {
        let limits = Limits { zstd_window_log: window_log, ..Limits::default() };
        decoder(Compression::Zstd, &blob, &limits).fill(&mut [0; 9]).map_err(|error| error.kind)
    };
    assert_eq!(decode(28), Ok(2));
    assert_eq!(decode(27), Err(Kind::Window { needs: 1 << 28, limit: 1 << 27 }));
}

#[test]
fn zstd_skippable_frames_are_counted_not_decoded() {
    let content = text(20);
    let frame = compress(Compression::Zstd, &content);
    let blob = [skippable(0, 5, b"table"), frame.clone(), skippable(0xf, 0, b""), frame].concat();
    assert_eq!(sniff(&blob), Compression::Zstd);
    let frames = Frames { content: 2, skippable: 2, skippable_bytes: 21, trailing_zeros: 0 };
    assert_eq!(decode(Compression::Zstd, &blob), Ok((content.repeat(2), frames)));

    for blob in [skippable(0, 6, b"table"), skippable(0, u32::MAX, b"table")] {
        assert_eq!(kind(Compression::Zstd, &blob), Kind::Truncated);
    }
}

#[test]
fn zstd_compressed_blocks_are_not_empty() {
    // Header, a raw block of two bytes that is not the last, a last block: raw, RLE or compressed, of no bytes.
    let frame =
        |last: u8| [&zstd_frame(0, &[10 << 3], b"")[..6], &[2 << 3, 0, 0, b'o', b'k', last, 0, 0]].concat();
    assert_eq!(decode(Compression::Zstd, &frame(1)).map(|(content, _)| content), Ok(b"ok".to_vec()));
    assert_eq!(kind(Compression::Zstd, &frame(1 | 2 << 1)), Kind::Corrupt);
    // libzstd refuses this one where there is room for all of its content at once, and takes it otherwise.
    let single_segment =
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 2], &[2 << 1, 0, 0, 2 << 3 | 1, 0, 0, b'o', b'k'][..]].concat();
    for room in [1, 7, 1 << 16] {
        let mut decoder = decoder(Compression::Zstd, &single_segment, &Limits::default());
        let mut buffer = vec![0; room];
        let error = std::iter::repeat_with(|| decoder.fill(&mut buffer)).find_map(Result::err).unwrap();
        assert_eq!(error.kind, Kind::Corrupt, "{room}");
    }
    let two_frames = [compress(Compression::Zstd, &text(20)), frame(1 | 2 << 1)].concat();
    assert_eq!(kind(Compression::Zstd, &two_frames), Kind::Corrupt);
}

/// What Go's zstd takes, by its source and as measured with containerd and podman: blocks up to the frame's window, which
/// is 1 KiB at least, and up to 128 KiB.
#[test]
fn zstd_blocks_fit_into_the_window() {
    let single_segment = |content: &[u8]| {
        let size = (content.len() as u16 - 256).to_le_bytes();
        let parts = content.chunks(content.len() - 1).map(|part| (part.len() as u32) << 3);
        let blocks = parts.zip([0, 1]).zip(content.chunks(content.len() - 1));
        let blocks: Vec<u8> = blocks
            .flat_map(|((head, last), part)| [&(head | last).to_le_bytes()[..3], part].concat())
            .collect();
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x60], &size[..], &blocks].concat()
    };
    assert!(decode(Compression::Zstd, &single_segment(&[b'x'; 700])).is_ok());
    for (log, size, fits) in [
        (10, 1 << 10, true),
        (10, (1 << 10) + 1, false),
        (15, 1 << 15, true),
        (15, (1 << 15) + 1, false),
        (17, 1 << 17, true),
        (18, 1 << 17, true),
        (18, (1 << 17) + 1, false),
    ] {
        let result = decode(Compression::Zstd, &zstd_frame(0, &[(log - 10) << 3], &vec![b'x'; size]));
        assert_eq!(result.is_ok(), fits, "2^{log}: {size}");
    }
}

#[test]
fn zstd_checksum_is_checked() {
    let mut blob = compress(Compression::Zstd, &text(20));
    let end = blob.len();
    blob[end - 1] ^= 1;
    assert_eq!(kind(Compression::Zstd, &blob), Kind::Checksum);
}

#[test]
fn xz_dictionary_is_limited() {
    let mut options = lzma_rust2::XzOptions::with_preset(0);
    options.lzma_options.dict_size = 1 << 20;
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(b"ok").unwrap();
    let blob = encoder.finish().unwrap();
    assert!(decode(Compression::Xz, &blob).is_ok());
    let decode = |zstd_window_log| {
        let limits = Limits { zstd_window_log, ..Limits::default() };
        decoder(Compression::Xz, &blob, &limits).fill(&mut [0; 9]).map_err(|error| error.kind)
    };
    assert_eq!(decode(20), Ok(2));
    assert_eq!(decode(19), Err(Kind::Window { needs: 1 << 20, limit: 1 << 19 }));
    assert_eq!(decode(16), Err(Kind::Window { needs: 1 << 20, limit: 1 << 16 }));
}

proptest! {
    /// The buffer's size, and how the content is spread over members, make no difference.
    #[test]
    fn decodes_what_others_encode(
        parts in prop::collection::vec(prop::collection::vec(0u8..4, 0..3000), 1..4),
        size in 1usize..5000,
    ) {
        for compression in COMPRESSED {
            let blob: Vec<u8> = parts.iter().flat_map(|part| compress(compression, part)).collect();
            let (content, frames) = decode_by(compression, &blob, size).unwrap();
            prop_assert_eq!(&content, &parts.concat());
            prop_assert_eq!(frames.content, parts.len() as u64);
        }
    }

    /// Nothing panics or hangs on noise, and noise behind a magic number is not taken for content.
    #[test]
    fn survives_noise(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        for (compression, magic) in COMPRESSED.into_iter().zip([
            &b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh9",
        ]) {
            prop_assert!(decode(compression, &[magic, &noise].concat()).is_err());
        }
    }

    /// Where we read a damaged gzip blob, another strict reader of all members reads the same.
    #[test]
    fn agrees_with_another_gzip_reader(at in 0usize..200, byte: u8) {
        let mut blob = compress(Compression::Gzip, &text(12));
        let length = blob.len();
        blob[at % length] = byte;
        let mut content = Vec::new();
        let other = flate2::read::MultiGzDecoder::new(&blob[..]).read_to_end(&mut content);
        if let Ok((ours, _)) = decode(Compression::Gzip, &blob) {
            prop_assert!(other.is_ok());
            prop_assert_eq!(ours, content);
        }
    }
}
