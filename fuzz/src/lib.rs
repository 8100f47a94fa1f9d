//! What the fuzz targets share: images of arbitrary content, verdicts on them, and the checksum fix-up for tar.

use repro_build::{
    archive::{OpenOptions, Source},
    inspect::{Request, inspect},
    limits::Limits,
    measure::Workers,
    observe::Silent,
    verify::Verdict,
};

pub mod checksums;
pub mod images;
pub mod mutants;
#[path = "../../tests/it/remedied.rs"]
pub mod remedied;
#[path = "../../tests/it/support/mod.rs"]
pub mod support;
#[path = "../../tests/it/walked.rs"]
pub mod walked;

/// Limits that keep one run of a target short.
pub fn limits() -> Limits {
    Limits { max_json: 1 << 16, max_unpacked: 1 << 22, max_in_memory: 1 << 24, ..Limits::default() }
}

/// One thread's worth of workers, made once.
pub fn workers() -> &'static Workers {
    static WORKERS: std::sync::LazyLock<Workers> = std::sync::LazyLock::new(|| Workers::new(1).unwrap());
    &WORKERS
}

/// An archive in memory.
///
/// # Errors
/// What opening says of an archive that is empty or not to be decoded.
pub fn source(archive: &[u8]) -> repro_build::error::Result<Source> {
    let options = OpenOptions { limits: limits(), ..OpenOptions::default() };
    Source::from_bytes("image.tar", archive.to_vec(), &options)
}

/// What a verification says of an archive; `None` if it is no image at all.
pub fn verdict(archive: &[u8]) -> Option<Verdict> {
    let request = Request { limits: limits(), ..Request::default() };
    inspect(&source(archive).ok()?, &request, workers(), &Silent, |inspected| inspected.verdict.clone()).ok()
}
