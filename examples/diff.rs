//! Says why two images differ: `cargo run --example diff -- A B`.

#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use repro_build::{
    diff::Options,
    error::{Error, Result},
};

fn main() -> Result<()> {
    let mut paths = std::env::args_os().skip(1);
    let (Some(left), Some(right)) = (paths.next(), paths.next()) else {
        return Err(Error::usage("want two images"));
    };
    let diff = repro_build::diff(left, right, &Options::default())?;
    println!("{}", diff.verdict.name());
    for (cause, count) in diff.tally.iter() {
        println!("{count:>5} {}", cause.name());
    }
    if let Some(remedy) = &diff.remedy {
        println!("normalize at level {} makes them equal", remedy.level.name());
    }
    Ok(())
}
