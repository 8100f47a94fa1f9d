//! The decoder beside zlib-rs: on what encoders write, on damage, and on codes that no encoder makes.

use std::io::Write;

use flate2::{Compression as Level, write::DeflateEncoder};
use proptest::prelude::*;
use zlib_rs::{InflateFlush, Status};

use super::{Fault, Inflate};
use crate::codec::testing::{generated, text};

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Whole, after so many bytes.
    At(usize),
    Truncated,
    Corrupt,
}

/// What a stream inflates to through buffers of `size` bytes, up to its end or fault.
fn ours(stream: &[u8], size: usize) -> (Vec<u8>, End) {
    let mut inflate = Inflate::new(stream);
    let (mut content, mut buffer) = (Vec::new(), vec![0; size]);
    while !inflate.is_done() {
        match inflate.fill(&mut buffer) {
            Ok(count) => content.extend_from_slice(&buffer[..count]),
            Err(fault) => {
                assert_eq!(inflate.fill(&mut buffer), Err(fault), "a fault stays");
                let end = if fault == Fault::Truncated { End::Truncated } else { End::Corrupt };
                return (content, end);
            }
        }
    }
    (content, End::At(inflate.consumed()))
}

fn theirs(stream: &[u8]) -> (Vec<u8>, End) {
    let mut inflate = zlib_rs::Inflate::new(false, 15);
    let (mut content, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let (read, written) = (inflate.total_in() as usize, inflate.total_out());
        let status = inflate.decompress(&stream[read..], &mut buffer, InflateFlush::NoFlush);
        let count = (inflate.total_out() - written) as usize;
        content.extend_from_slice(&buffer[..count]);
        match status {
            Ok(Status::StreamEnd) => return (content, End::At(inflate.total_in() as usize)),
            Ok(_) if count > 0 || inflate.total_in() as usize > read => {}
            Ok(_) => return (content, End::Truncated),
            Err(_) => return (content, End::Corrupt),
        }
    }
}

/// Holds the two to each other. Where a stream is damaged they may stop at different places in front of the damage.
fn compare(stream: &[u8]) -> End {
    let (content, end) = theirs(stream);
    for size in [1, 300, 1 << 12, 1 << 18] {
        let (our_content, our_end) = ours(stream, size);
        assert_eq!(our_end, end, "with {size} bytes of room");
        let common = our_content.len().min(content.len());
        assert!(our_content[..common] == content[..common], "with {size} bytes of room");
        assert!(end == End::Corrupt || our_content.len() == content.len());
    }
    end
}

fn deflate(content: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Level::new(level));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_encoders_write() {
    for level in 0..=9 {
        for content in [text(4000), generated(200_000), vec![7; 70_000], Vec::new()] {
            let stream = [deflate(&content, level), b"what follows".to_vec()].concat();
            assert_eq!(compare(&stream), End::At(stream.len() - 12), "level {level}");
            assert!(ours(&stream, 1 << 12).0 == content);
        }
    }
}

#[test]
fn every_cut_is_noticed() {
    let stream = deflate(&generated(3000), 6);
    for length in 0..stream.len() {
        assert_eq!(compare(&stream[..length]), End::Truncated, "{length}");
    }
}

#[test]
fn damage_is_seen_where_zlib_sees_it() {
    for (content, level) in [(text(60), 6), (text(900), 9), (generated(20_000), 6), (generated(3000), 0)] {
        let stream = deflate(&content, level);
        for bit in (0..stream.len() * 8).step_by(stream.len() / 200 + 1) {
            let mut bent = stream.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            compare(&bent);
        }
    }
}

/// Bits in the order of a stream.
#[derive(Default)]
struct Writer(Vec<bool>);

impl Writer {
    /// A number, its lowest bit first.
    fn number(&mut self, number: u32, width: u32) {
        self.0.extend((0..width).map(|bit| number >> bit & 1 == 1));
    }

    fn bytes(self) -> Vec<u8> {
        self.0
            .chunks(8)
            .map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
            .collect()
    }
}

/// A last block of the codes whose lengths are given, in front of it more than a window of stored bytes, so that no
/// distance is too far; `data` follows.
fn dynamic(literals: &[u8], distances: &[u8], data: &[u8]) -> Vec<u8> {
    let past = generated(40_000);
    let length = past.len() as u16;
    let head = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), &past].concat();
    let mut bits = Writer::default();
    bits.number(0b101, 3);
    bits.number(literals.len() as u32 - 257, 5);
    bits.number(distances.len() as u32 - 1, 5);
    bits.number(15, 4);
    // Each length from 0 to 15 has a code of four bits, itself; repetitions have none.
    (0..19).for_each(|place| bits.number(if place < 3 { 0 } else { 4 }, 3));
    for length in literals.iter().chain(distances) {
        bits.number(u32::from(length.reverse_bits() >> 4), 4);
    }
    data.iter().for_each(|byte| bits.number((*byte).into(), 8));
    [head, bits.bytes()].concat()
}

/// Lengths of a code of `count` symbols that uses all bits: `splits` says which code is made two.
fn whole_code(count: usize, splits: &[u16]) -> Vec<u8> {
    let mut lengths = vec![0_u8];
    for split in splits.iter().cycle().take(count - 1) {
        let open: Vec<usize> = (0..lengths.len()).filter(|i| lengths[*i] < 15).collect();
        let chosen = open[usize::from(*split) % open.len()];
        lengths[chosen] += 1;
        lengths.push(lengths[chosen]);
    }
    lengths
}

/// The same spread over an alphabet, one of them on a symbol that must have a code.
fn spread(mut lengths: Vec<u8>, symbols: usize, must: usize, order: &[u16]) -> Vec<u8> {
    lengths.resize(symbols, 0);
    for (i, other) in order.iter().enumerate() {
        lengths.swap(i % symbols, usize::from(*other) % symbols);
    }
    if lengths[must] == 0 {
        let with_code = lengths.iter().position(|length| *length > 0).unwrap();
        lengths.swap(must, with_code);
    }
    lengths
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Codes of any shape, the longest included, on random bits.
    #[test]
    fn codes_of_any_shape(
        (literals, distances) in (2usize..=286, 2usize..=30),
        splits in prop::collection::vec(any::<u16>(), 1..300),
        order in prop::collection::vec(any::<u16>(), 600),
        data in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let literals = spread(whole_code(literals, &splits), 286, 256, &order);
        let distances = spread(whole_code(distances, &splits), 30, 0, &order);
        compare(&dynamic(&literals, &distances, &data));
    }

    /// Lengths that mostly make no code, or one that leaves bits over.
    #[test]
    fn codes_that_are_none(
        few in prop::collection::vec((0usize..286, 0u8..=15), 0..4),
        bent in prop::option::of((0usize..30, 0u8..=15)),
        distances in prop::collection::vec(0u8..3, 1..=30),
        data in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut literals = vec![0; 286];
        (literals[256], literals[97]) = (1, 1);
        few.into_iter().for_each(|(symbol, length)| literals[symbol] = length);
        compare(&dynamic(&literals, &distances, &data));
        let mut one = vec![0; 30];
        bent.into_iter().for_each(|(symbol, length)| one[symbol] = length);
        let mut literals = vec![0; 286];
        (literals[256], literals[97], literals[257]) = (1, 2, 2);
        compare(&dynamic(&literals, &one, &data));
    }

    #[test]
    fn noise(first in 0u8..8, noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut stream = noise;
        stream.insert(0, first);
        compare(&stream);
    }
}
