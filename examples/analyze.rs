//! Prints the digests and layers of each image in a tarball: `cargo run --example analyze -- IMAGE`.

#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use repro_build::{error::Result, inspect::Request};

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).unwrap_or_else(|| "image.tar".into());
    let known = repro_build::analyze(path, &Request::default())?;
    for image in &known.images {
        println!("{} {}", image.platform.as_deref().unwrap_or("no platform"), image.names.join(", "));
        for (rung, digest) in image.ladder.rungs() {
            println!("  {:<9} {digest}", rung.name());
        }
        for layer in &image.layers {
            println!("  {} bytes, {} unpacked", layer.size.unwrap_or(0), layer.unpacked.unwrap_or(0));
        }
    }
    Ok(())
}
