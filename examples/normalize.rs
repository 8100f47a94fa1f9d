//! Writes an image anew with no time later than 1970: `cargo run --example normalize -- IMAGE OUTPUT`.

#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use repro_build::{
    error::{Error, Result},
    normalize::Options,
    rules::Level,
};

fn main() -> Result<()> {
    let mut paths = std::env::args_os().skip(1);
    let (Some(input), Some(output)) = (paths.next(), paths.next()) else {
        return Err(Error::usage("want an image and a file to write"));
    };
    let outcome = repro_build::normalize(input, output, &Options::new(Level::Clamp, Some(0)))?;
    for change in &outcome.changes {
        println!("{} × {} in {}", change.count, change.rule, change.subject);
    }
    println!("{}", outcome.archive);
    Ok(())
}
