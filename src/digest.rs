//! Content digests: the algorithms an image may use, one row each, and typed values for the rungs built on them.
//!
//! Knows the digest grammar of the OCI image spec (descriptor.md, "Digests") and how to hash bytes. Must not know
//! where bytes come from, nor which digest belongs to what.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use std::fmt;

use sha2::Digest as _;

/// Longest digest any [`Algorithm`] gives, in bytes (SHA-512).
const MAX_BYTES: usize = 64;

/// A registered digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, which every registry and engine uses.
    Sha256,
    /// SHA-384 (registered by the OCI image spec 1.1 as optional).
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Everything known of an algorithm; a new one is a row here and an arm in [`Hasher`].
struct Row {
    algorithm: Algorithm,
    name: &'static str,
    bytes: usize,
}

const ALGORITHMS: [Row; 3] = [
    Row { algorithm: Algorithm::Sha256, name: "sha256", bytes: 32 },
    Row { algorithm: Algorithm::Sha384, name: "sha384", bytes: 48 },
    Row { algorithm: Algorithm::Sha512, name: "sha512", bytes: 64 },
];

impl Algorithm {
    /// All algorithms, in the order of their strength.
    pub const ALL: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

    fn row(self) -> &'static Row {
        match self {
            Algorithm::Sha256 => &ALGORITHMS[0],
            Algorithm::Sha384 => &ALGORITHMS[1],
            Algorithm::Sha512 => &ALGORITHMS[2],
        }
    }

    /// The name before the colon: `sha256`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Length of the raw digest in bytes.
    pub fn bytes(self) -> usize {
        self.row().bytes
    }

    /// The algorithm of that name, if it is registered.
    pub fn by_name(name: &str) -> Option<Algorithm> {
        ALGORITHMS.iter().find(|row| row.name == name).map(|row| row.algorithm)
    }
}

/// Why a string is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Nothing at all.
    #[error("the digest is empty")]
    Empty,
    /// No `algorithm:` before the encoded part.
    #[error("the digest names no algorithm (want sha256:HEX)")]
    NoAlgorithm,
    /// An algorithm that is not registered, or one that is too weak to count.
    #[error("the digest algorithm is not known (want sha256, sha384 or sha512)")]
    UnknownAlgorithm,
    /// The hexadecimal part has the wrong length.
    #[error("the digest has the wrong length for its algorithm")]
    Length,
    /// A character other than `0-9a-f`.
    #[error("the digest holds something other than lower-case hexadecimal digits")]
    Encoding,
}

/// A digest of some content: algorithm and raw bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; MAX_BYTES],
}

impl Digest {
    /// Parses `sha256:HEX` as the spec's grammar has it: a registered algorithm, lower-case hexadecimal digits,
    /// exactly as many as the algorithm gives.
    pub fn parse(text: &str) -> Result<Digest, DigestError> {
        if text.is_empty() {
            return Err(DigestError::Empty);
        }
        let (name, hex) = text.split_once(':').ok_or(DigestError::NoAlgorithm)?;
        let algorithm = Algorithm::by_name(name).ok_or(DigestError::UnknownAlgorithm)?;
        Digest::from_hex(algorithm, hex)
    }

    /// A digest from its algorithm and lower-case hexadecimal digits.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Result<Digest, DigestError> {
        let hex = hex.as_bytes();
        let (pairs, []) = hex.as_chunks() else { return Err(DigestError::Length) };
        if pairs.len() != algorithm.bytes() {
            return Err(DigestError::Length);
        }
        let mut bytes = [0; MAX_BYTES];
        for (slot, [high, low]) in bytes.iter_mut().zip(pairs) {
            *slot = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Digest { algorithm, bytes })
    }

    /// Parses what a person types: `sha256:HEX`, bare `HEX` (the algorithm follows from its length), either case,
    /// white space around it.
    pub fn parse_lenient(text: &str) -> Result<Digest, DigestError> {
        let text = text.trim().to_ascii_lowercase();
        if text.is_empty() {
            return Err(DigestError::Empty);
        }
        if text.contains(':') {
            return Digest::parse(&text);
        }
        let algorithm =
            Algorithm::ALL.into_iter().find(|a| a.bytes() << 1 == text.len()).ok_or(DigestError::Length)?;
        Digest::from_hex(algorithm, &text)
    }

    /// Hashes `data`.
    pub fn of(algorithm: Algorithm, data: &[u8]) -> Digest {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.bytes()).unwrap_or(&self.bytes)
    }

    /// The part after the colon.
    pub fn hex(&self) -> String {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
        self.bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
    }

    /// The first twelve digits after the colon, for tables.
    pub fn short(&self) -> String {
        self.hex().chars().take(12).collect()
    }

    /// Where an OCI image layout keeps this content: `blobs/sha256/HEX` (image-layout.md, "Blobs").
    pub fn blob_path(&self) -> String {
        format!("blobs/{}/{}", self.algorithm.name(), self.hex())
    }
}

fn nibble(digit: u8) -> Result<u8, DigestError> {
    match char::from(digit).to_digit(16) {
        Some(number) if !digit.is_ascii_uppercase() => Ok(number as u8),
        _ => Err(DigestError::Encoding),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The digest of a layer's *uncompressed* tar stream (config.md, "Layer DiffID"). A type of its own, since mixing it
/// up with the blob's digest is the classic mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct DiffId(pub Digest);

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The digest of a stack of layers (config.md, "Layer ChainID").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ChainId(pub Digest);

impl ChainId {
    /// The chain ID of every prefix of `diff_ids`, the last one being the whole stack's.
    pub fn chain(diff_ids: &[DiffId]) -> Vec<ChainId> {
        let mut chain: Vec<ChainId> = Vec::with_capacity(diff_ids.len());
        for diff_id in diff_ids {
            let next = match chain.last() {
                None => diff_id.0,
                Some(below) => Digest::of(Algorithm::Sha256, format!("{} {}", below.0, diff_id.0).as_bytes()),
            };
            chain.push(ChainId(next));
        }
        chain
    }
}

/// What was expected and what is there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mismatch<T> {
    /// What a descriptor, a config or the user says.
    pub expected: T,
    /// What the bytes say.
    pub actual: T,
}

/// A running digest.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Starts an empty digest.
    pub fn new(algorithm: Algorithm) -> Hasher {
        Hasher(match algorithm {
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha384 => State::Sha384(sha2::Sha384::new()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
        })
    }

    /// Adds bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(data),
            State::Sha384(state) => state.update(data),
            State::Sha512(state) => state.update(data),
        }
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; MAX_BYTES];
        let algorithm = match self.0 {
            State::Sha256(state) => {
                bytes[..32].copy_from_slice(&state.finalize());
                Algorithm::Sha256
            }
            State::Sha384(state) => {
                bytes[..48].copy_from_slice(&state.finalize());
                Algorithm::Sha384
            }
            State::Sha512(state) => {
                bytes.copy_from_slice(&state.finalize());
                Algorithm::Sha512
            }
        };
        Digest { algorithm, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // NIST's example values for the message "abc" (FIPS 180-4).
    const ABC_256: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn hashes_as_fips_180_4_says() {
        assert_eq!(Digest::of(Algorithm::Sha256, b"abc").to_string(), ABC_256);
        assert!(Digest::of(Algorithm::Sha384, b"abc").hex().starts_with("cb00753f45a35e8bb5a03d699ac65007"));
        assert!(Digest::of(Algorithm::Sha512, b"abc").hex().starts_with("ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn the_grammar_is_strict() {
        assert_eq!(Digest::parse(ABC_256).unwrap().to_string(), ABC_256);
        for (text, why) in [
            ("", DigestError::Empty),
            ("sha256:abcd", DigestError::Length),
            ("md5:900150983cd24fb0d6963f7d28e17f72", DigestError::UnknownAlgorithm),
            ("ba7816bf", DigestError::NoAlgorithm),
            ("sha256:../../index.json", DigestError::Length),
        ] {
            assert_eq!(Digest::parse(text), Err(why), "{text}");
        }
        assert_eq!(Digest::parse(&ABC_256.to_uppercase()), Err(DigestError::UnknownAlgorithm));
        assert_eq!(Digest::parse(&ABC_256.replace("ba78", "BA78")), Err(DigestError::Encoding));
        assert_eq!(Digest::parse_lenient(&ABC_256[7..].to_uppercase()).unwrap().to_string(), ABC_256);
    }

    #[test]
    fn chain_ids_hash_the_chain_below() {
        let [a, b] = [b"a", b"b"].map(|data| DiffId(Digest::of(Algorithm::Sha256, data)));
        let chain = ChainId::chain(&[a, b]);
        assert_eq!(chain[0].0, a.0);
        assert_eq!(chain[1].0, Digest::of(Algorithm::Sha256, format!("{a} {b}").as_bytes()));
    }
}
