//! Compresses a file as `normalize` compresses a layer, to standard output: `cargo run --release --example compress -- FILE`.

#![allow(clippy::expect_used, reason = "a program for benchmarks may panic")]

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    num::NonZeroUsize,
};

use repro_build::codec::{Compression, Crew, Recipe};

fn main() -> io::Result<()> {
    let mut file = File::open(std::env::args_os().nth(1).expect("want a file to compress"))?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let recipe = Recipe::new(Compression::Gzip, None).expect("gzip can be written");
    let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut encoder = recipe.encoder(&Crew::new(threads, 1)?, out)?;
    io::copy(&mut file, &mut encoder)?;
    encoder.finish()?.flush()
}
