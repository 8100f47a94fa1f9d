//! What `normalize` is to do by a remedy of `diff`: for the tests of remedies and for the fuzz target.
//!
//! Knows the arguments that a remedy may have. Must not judge what comes of them.

use repro_build::diff::Remedy;
use repro_build::normalize::{Attestations, Layout, Options};

/// The options that the remedy's arguments stand for.
pub fn options(remedy: &Remedy) -> Options {
    let mut options = Options::new(remedy.level, remedy.epoch);
    for option in &remedy.options {
        match *option {
            "--drop-names" => options.active.add("archive.names").unwrap(),
            "--layout oci" => options.layout = Some(Layout::Oci),
            "--attestations drop" => options.attestations = Attestations::Drop,
            other => panic!("{other}"),
        }
    }
    options
}
