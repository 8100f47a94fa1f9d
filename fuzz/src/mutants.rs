//! Bent copies of seeds, the same ones every time: for runs whose outcome must not be a matter of chance.
//!
//! A fuzzer goes where new code is reached, and what is reached varies from run to run with the keys of hash maps and
//! the order in which threads get their turn. These mutants vary with nothing.

/// Random numbers that begin with the same one every time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which must not be 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Bytes at which parsers turn.
const TURNS: &[u8] = b"\0\x01\x7f\x80\xff 0179/\\\"{}[],:.-+=\n\r";

/// Longest piece that is copied or removed, and longest mutant.
const PIECE: usize = 600;
const MOST: usize = 16 << 10;

/// `count` mutants of `seeds`, of which there must be one at least.
pub fn mutants(seeds: &[Vec<u8>], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(1);
    (0..count).map(move |_| {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            bend(&mut bytes, &seeds[random.below(seeds.len())], &mut random);
        }
        bytes.truncate(MOST);
        bytes
    })
}

fn bend(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let length = random.below(PIECE.min(bytes.len() - at) + 1);
    match (random.below(8), bytes.get_mut(at)) {
        (0, Some(byte)) => *byte ^= 1 << random.below(8),
        (1, Some(byte)) => *byte = TURNS[random.below(TURNS.len())],
        (2, Some(byte)) => *byte = byte.wrapping_add(random.next() as u8),
        (3, _) => bytes.insert(at, TURNS[random.below(TURNS.len())]),
        (4, _) => drop(bytes.drain(at..at + length)),
        (5, _) => {
            let piece = bytes[at..at + length].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        (6, _) => {
            let from = random.below(other.len() + 1);
            let piece = &other[from..from + random.below(PIECE.min(other.len() - from) + 1)];
            let end = bytes.len().min(at + piece.len());
            bytes.splice(at..end, piece.iter().copied());
        }
        _ => bytes.iter_mut().skip(at).take(length % 16).for_each(|byte| *byte = random.next() as u8),
    }
}

/// `count` inputs of random bytes, as long as `seeds`: for targets that make arbitrary values of them.
pub fn noise(seeds: &[Vec<u8>], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(2);
    (0..count).map(move |i| seeds[i % seeds.len()].iter().map(|_| random.next() as u8).collect())
}
