//! Writes the inputs of compare.sh: `cargo run --release --example inputs -- FOLDER`.
//!
//! `one-gzip.tar`, `one-zstd.tar` and `one-plain.tar` hold one image of one big layer, `mixed.tar` one of eight layers,
//! `blobs.tar` one of five plain layers, `many/` 64 images that share layers, `small.tar` a tiny image, `crowd.tar`
//! 100,000 entries. Folders beside them (`one-gzip/` …) hold the layers alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program for benchmarks may panic")]

mod support;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::Path,
};

use repro_build::codec::Compression::{self, Gzip, Plain, Zstd};
use support::{Content, Packed, crowd, image, packed};

const MB: u64 = 1_000_000;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("want a folder to write to");
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("many"))?;
    let content = Content::new();
    for (name, compression) in [("one-gzip", Gzip), ("one-zstd", Zstd), ("one-plain", Plain)] {
        write(folder, name, &content, &[(1, 1450)], compression)?;
    }
    let mixed = [(2, 600), (3, 250), (4, 150), (5, 100), (6, 60), (7, 30), (8, 10), (9, 1)];
    write(folder, "mixed", &content, &mixed, Gzip)?;
    write(folder, "blobs", &content, &[(10, 200), (11, 250), (12, 150), (13, 300), (14, 100)], Plain)?;
    write(folder, "medium", &content, &[(15, 100), (16, 40)], Gzip)?;
    many(folder, &content)?;
    let tiny = Packed { ..packed(&content, 17, 1000, Gzip) };
    save(&folder.join("small.tar"), |out| image(&[&tiny], out))?;
    save(&folder.join("crowd.tar"), |out| crowd(100_000, out))
}

fn save(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    write(&mut out)?;
    out.flush()
}

/// An image and, unless they are plain, its layers beside it; each layer is a seed and its decoded size in MB.
fn write(
    folder: &Path,
    name: &str,
    content: &Content,
    layers: &[(u64, u64)],
    compression: Compression,
) -> io::Result<()> {
    let layers: Vec<Packed> =
        layers.iter().map(|(seed, size)| packed(content, *seed, size * MB, compression)).collect();
    save(&folder.join(name).with_extension("tar"), |out| image(&layers.iter().collect::<Vec<_>>(), out))?;
    if compression == Plain {
        return Ok(());
    }
    fs::create_dir_all(folder.join(name))?;
    let extension = if compression == Gzip { "gz" } else { "zst" };
    for (number, layer) in layers.iter().enumerate() {
        fs::write(folder.join(name).join(format!("{number}.{extension}")), &layer.bytes)?;
    }
    Ok(())
}

/// 64 images of 20 to 50 MB: a base, something in the middle and something on top, of few of each.
fn many(folder: &Path, content: &Content) -> io::Result<()> {
    let pool = |count: u64, seed: u64, smallest: u64, step: u64| -> Vec<Packed> {
        (0..count).map(|i| packed(content, seed + i, (smallest + i * step) * MB, Gzip)).collect()
    };
    let (bases, middles, tops) = (pool(7, 100, 40, 3), pool(9, 200, 16, 4), pool(5, 300, 4, 4));
    for number in 0..64 {
        let layers = [&bases[number % 7], &middles[number % 9], &tops[number % 5]];
        save(&folder.join(format!("many/{number:02}.tar")), |out| image(&layers, out))?;
    }
    Ok(())
}
