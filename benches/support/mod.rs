//! Inputs for benchmarks: file trees, layers and image archives that are the same on every machine.
//!
//! The content is made up but behaves like that of real layers: text, machine code and data that is compressed
//! already, in files of log-uniform sizes, so that gzip shrinks a layer to about 0.36 of its size, as it does with
//! layers of Linux distributions.

#![allow(dead_code, unreachable_pub, reason = "each benchmark uses its part")]

use std::{
    io::{self, Write},
    num::NonZeroUsize,
};

use repro_build::{
    codec::{Compression, Crew, Recipe},
    digest::{Algorithm, Digest, Hasher},
};

/// A generator of numbers (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`, small ones far more often: the words of a language, the instructions of a program.
    fn skewed(&mut self, bound: usize) -> usize {
        let bits = self.next();
        let part = |shift: u32| (bits >> shift & 0xffff) as usize;
        bound * part(0) / 0x10000 * part(16) / 0x10000 * part(32) / 0x10000
    }
}

/// What files are made of.
pub struct Content {
    words: Vec<Vec<u8>>,
    instructions: Vec<Vec<u8>>,
}

impl Content {
    pub fn new() -> Content {
        let mut random = Random::new(1);
        let mut pieces = |count: usize, shortest: u64, spread: u64, byte: fn(u64) -> u8| {
            let mut piece = |_| {
                let len = shortest + random.next() % spread;
                (0..len).map(|_| byte(random.next())).collect()
            };
            (0..count).map(&mut piece).collect::<Vec<Vec<u8>>>()
        };
        let words = pieces(20_000, 2, 9, |r| b'a' + (r % 26 * (r >> 32) % 26) as u8);
        let instructions = pieces(6_000, 2, 7, |r| r as u8);
        Content { words, instructions }
    }

    /// Adds `len` bytes of a file: text, code, or something that does not compress.
    pub fn file(&self, random: &mut Random, len: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let kind = random.next() % 100;
        while out.len() < start + len {
            let done = out.len() - start;
            match kind {
                0..=3 => out.extend_from_slice(&random.next().to_le_bytes()),
                // Files repeat themselves, mostly what they said last.
                _ if done > 128 && random.next() % 100 < 20 => {
                    let back = 64 + random.skewed(done - 64).min(30_000);
                    let from = out.len() - back;
                    out.extend_from_within(from..from + 6 + random.next() as usize % 50);
                }
                4..=48 => {
                    out.extend_from_slice(&self.words[random.skewed(self.words.len())]);
                    out.push(if random.next().is_multiple_of(9) { b'\n' } else { b' ' });
                }
                _ => {
                    out.extend_from_slice(&self.instructions[random.skewed(self.instructions.len())]);
                    if random.next().is_multiple_of(4) {
                        out.extend_from_slice(&(random.next() as u32 & 0xfff).to_le_bytes());
                    }
                }
            }
        }
        out.truncate(start + len);
    }
}

/// One header block and, for files, what follows it.
fn member(out: &mut Vec<u8>, name: &str, kind: tar::EntryType, mode: u32, body: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(name).expect("names are short");
    header.set_mode(mode);
    header.set_size(body.len() as u64);
    header.set_mtime(1_700_000_000);
    header.set_uid(0);
    header.set_gid(0);
    if kind == tar::EntryType::Symlink {
        header.set_link_name("f0").expect("the link is short");
    }
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(512), 0);
}

/// Writes a layer's tar of about `size` bytes. Files are of 64 bytes to 256 KiB, 20 KiB in the mean.
pub fn layer(content: &Content, seed: u64, size: u64, mut out: impl Write) -> io::Result<()> {
    let mut random = Random::new(seed);
    let (mut written, mut folder, mut number) = (0, 0, 0);
    let (mut members, mut body) = (Vec::new(), Vec::new());
    while written < size {
        members.clear();
        if number % 12 == 0 {
            folder = number / 12;
            member(&mut members, &format!("usr/share/d{folder:05}/"), tar::EntryType::Directory, 0o755, &[]);
        }
        let name = format!("usr/share/d{folder:05}/f{number}");
        if number % 15 == 14 {
            member(&mut members, &name, tar::EntryType::Symlink, 0o777, &[]);
        } else {
            body.clear();
            let scale = 6 + random.next() % 12;
            let len = (1 << scale) + random.next() % (1 << scale);
            content.file(&mut random, len as usize, &mut body);
            member(&mut members, &name, tar::EntryType::Regular, 0o644, &body);
        }
        out.write_all(&members)?;
        written += members.len() as u64;
        number += 1;
    }
    out.write_all(&[0; 1024])
}

/// A layer's bytes.
pub fn layer_tar(seed: u64, size: u64) -> Vec<u8> {
    let mut tar = Vec::new();
    layer(&Content::new(), seed, size, &mut tar).expect("memory takes everything");
    tar
}

/// A compressed layer with its diff_id.
pub struct Packed {
    pub bytes: Vec<u8>,
    pub compression: Compression,
    pub diff_id: Digest,
}

/// Hashes what passes through.
struct Hashing<W>(W, Hasher);

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.1.update(data);
        self.0.write_all(data)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Makes a layer of about `size` decoded bytes and compresses it.
pub fn packed(content: &Content, seed: u64, size: u64, compression: Compression) -> Packed {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let recipe = Recipe::new(compression, None).expect("the encoder is known");
    let crew = Crew::new(threads, 1).expect("threads");
    let encoder = recipe.encoder(&crew, Vec::new()).expect("memory");
    let mut hashing = Hashing(encoder, Hasher::new(Algorithm::Sha256));
    layer(content, seed, size, &mut hashing).expect("memory takes everything");
    let Hashing(encoder, hasher) = hashing;
    Packed {
        bytes: encoder.finish().expect("memory takes everything"),
        compression,
        diff_id: hasher.finish(),
    }
}

/// Writes an OCI archive of one image as BuildKit lays it out.
pub fn image(layers: &[&Packed], mut out: impl Write) -> io::Result<()> {
    let digest = |bytes: &[u8]| Digest::of(Algorithm::Sha256, bytes);
    let descriptor = |media: &str, bytes: &[u8]| {
        let media = format!("application/vnd.oci.image.{media}");
        serde_json::json!({"mediaType": media, "digest": digest(bytes), "size": bytes.len()})
    };
    let suffix = |packed: &Packed| match packed.compression {
        Compression::Gzip => "+gzip",
        Compression::Zstd => "+zstd",
        _ => "",
    };
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.diff_id).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = config.to_string().into_bytes();
    let descriptors: Vec<_> = layers
        .iter()
        .map(|layer| descriptor(&format!("layer.v1.tar{}", suffix(layer)), &layer.bytes))
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config), "layers": descriptors,
    });
    let manifest = manifest.to_string().into_bytes();
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [descriptor("manifest.v1+json", &manifest)],
    });
    let blobs = layers.iter().map(|layer| layer.bytes.as_slice()).chain([config.as_slice(), &manifest]);
    let mut files: Vec<(String, &[u8])> = blobs.map(|bytes| (digest(bytes).blob_path(), bytes)).collect();
    files.sort();
    files.dedup();
    let index = index.to_string();
    files.push(("index.json".into(), index.as_bytes()));
    files.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#));
    archive(&files, &mut out)
}

/// Writes a tar of files.
pub fn archive(files: &[(String, &[u8])], mut out: impl Write) -> io::Result<()> {
    for (name, bytes) in files {
        let mut block = Vec::new();
        member(&mut block, name, tar::EntryType::Regular, 0o444, &[]);
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes().copy_from_slice(&block);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        out.write_all(header.as_bytes())?;
        out.write_all(bytes)?;
        out.write_all(&[0; 512][..bytes.len().next_multiple_of(512) - bytes.len()])?;
    }
    out.write_all(&[0; 1024])
}

/// An OCI archive without images and with `entries` small blobs, which its index lists.
pub fn crowd(entries: usize, mut out: impl Write) -> io::Result<()> {
    let bodies: Vec<Vec<u8>> = (0..entries).map(|number| number.to_string().into_bytes()).collect();
    let mut files: Vec<(String, &[u8])> = bodies
        .iter()
        .map(|body| (Digest::of(Algorithm::Sha256, body).blob_path(), body.as_slice()))
        .collect();
    files.push((
        "index.json".into(),
        br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#,
    ));
    files.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#));
    archive(&files, &mut out)
}
