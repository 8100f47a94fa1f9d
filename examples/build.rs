//! Builds an image with docker or podman and verifies it: `cargo run --example build -- CONTEXT OUTPUT`.

#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use repro_build::{
    build::Builder,
    error::{Error, Result},
    observe::Silent,
    verify::Options,
};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(context), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err(Error::usage("want a context and a file to write"));
    };
    let builder =
        Builder { source_date_epoch: Some("0".into()), output: Some(output), ..Builder::new(context) };
    let request = builder.build(&Silent)?;
    // BuildKit only warns where it fails to set a layer's times back.
    let options =
        Options { source_date_epoch: i64::try_from(request.source_date_epoch).ok(), ..Options::default() };
    let verdict = repro_build::verify(&request.output, &options)?;
    verdict.findings.iter().for_each(|finding| println!("{finding}"));
    println!("{} {}", request.output, if verdict.passed() { "verified" } else { "is not as it should be" });
    Ok(())
}
