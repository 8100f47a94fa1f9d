//! What the library says of an archive in memory.

use repro_build::{
    archive::{OpenOptions, Source},
    digest::Digest,
    error::Result,
    grade::Grade,
    inspect::{Request, inspect},
    ladder::Rung,
    measure::Workers,
    observe::Silent,
    verify::Verdict,
};

/// The threads that all tests share.
pub static WORKERS: std::sync::LazyLock<Workers> = std::sync::LazyLock::new(|| Workers::new(0).unwrap());

/// The names of every image in an archive, and every digest by which people name it.
pub fn ladders(archive: Vec<u8>) -> Result<Vec<(Vec<String>, Vec<Digest>)>> {
    let source = Source::from_bytes("image.tar", archive, &OpenOptions::default())?;
    inspect(&source, &Request::default(), &WORKERS, &Silent, |inspected| {
        let rungs = |image| {
            inspected
                .ladder(image)
                .rungs()
                .filter(|(rung, _)| *rung != Rung::Index)
                .map(|(_, digest)| digest)
                .collect()
        };
        inspected.images.iter().map(|image| (image.names.clone(), rungs(image))).collect()
    })
}

/// Every rung of the ladder of an archive's first image.
pub fn rungs(archive: Vec<u8>) -> Result<Vec<(Rung, Digest)>> {
    let source = Source::from_bytes("image.tar", archive, &OpenOptions::default())?;
    inspect(&source, &Request::default(), &WORKERS, &Silent, |inspected| {
        inspected.ladder(inspected.images[0]).rungs().collect()
    })
}

/// The verdict on an archive called `image.tar`.
pub fn judge_with(archive: Vec<u8>, request: &Request) -> Result<Verdict> {
    let options = OpenOptions { limits: request.limits.clone(), ..OpenOptions::default() };
    let source = Source::from_bytes("image.tar", archive, &options)?;
    inspect(&source, request, &WORKERS, &Silent, |inspected| inspected.verdict.clone())
}

/// As [`judge_with`], without wishes.
pub fn judge(archive: Vec<u8>) -> Result<Verdict> {
    judge_with(archive, &Request::default())
}

/// How an archive fared: refused (an error, or no image at all), warned of, or clean. Notes do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fared {
    Clean,
    Warned,
    Refused,
}

impl Fared {
    pub fn of(verdict: &Result<Verdict>) -> Fared {
        match verdict {
            Ok(verdict) if verdict.count(Grade::Error) > 0 => Fared::Refused,
            Ok(verdict) if verdict.count(Grade::Warning) > 0 => Fared::Warned,
            Ok(_) => Fared::Clean,
            Err(_) => Fared::Refused,
        }
    }
}

/// The findings as lines, for messages.
pub fn told(verdict: &Result<Verdict>) -> String {
    match verdict {
        Ok(verdict) => verdict.findings.iter().map(|f| format!("\n    {f}")).collect(),
        Err(error) => format!("\n    {error}"),
    }
}
