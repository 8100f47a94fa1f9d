//! Verifies images and says what is wrong: `cargo run --example verify -- IMAGE…`.

#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use std::process::ExitCode;

use repro_build::{
    archive::{OpenOptions, Source},
    error::Result,
    grade::Grade,
    inspect::{Request, inspect},
    measure::Workers,
    observe::Silent,
};

fn main() -> Result<ExitCode> {
    // One pool for all of them; layers that several have are decoded once.
    let workers = Workers::new(0)?.remembering();
    let mut passed = true;
    for path in std::env::args_os().skip(1) {
        let source = Source::open(path.as_ref(), &OpenOptions::default())?;
        let verdict = inspect(&source, &Request::default(), &workers, &Silent, |it| it.verdict.clone())?;
        println!("{} {}", if verdict.passed() { "PASS" } else { "FAIL" }, source.location());
        for finding in verdict.findings.iter().filter(|finding| finding.grade == Grade::Error) {
            println!("  {finding}");
        }
        passed &= verdict.passed();
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
