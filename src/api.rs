//! The pipeline as plain functions: paths in, values out.
//!
//! Each opens its inputs, starts as many threads as the machine grants, and watches nothing. Whoever wants more (one pool
//! for many inputs, progress, cancelling, inputs in memory) calls what these call: [`inspect::inspect`],
//! [`normalize::normalize`](crate::normalize::normalize()), [`diff::run`]. Must not print.

use std::path::Path;

use crate::{
    archive::{OpenOptions, Source},
    diff::{self, Diff},
    error::Result,
    inspect::{self, Request},
    limits::Limits,
    measure::Workers,
    normalize::{self, Outcome},
    observe::Silent,
    report::wire,
    verify::{self, Verdict},
};

/// Verifies an image: every digest, size, document and layer, and what `options` ask for besides.
///
/// `input` is a tarball, plain or compressed as a whole, or a layout directory. What is wrong with it is in the verdict;
/// [`Verdict::passed`] tells whether any of it is an error.
///
/// # Errors
/// [`ErrorKind::Io`](crate::error::ErrorKind::Io) if it cannot be read,
/// [`ErrorKind::NotAnImage`](crate::error::ErrorKind::NotAnImage) if it holds nothing of an image, and
/// [`ErrorKind::Changed`](crate::error::ErrorKind::Changed) if it changed meanwhile.
///
/// ```
/// use repro_build::verify::Options;
///
/// let verdict = repro_build::verify("fixtures/bad/01a-flip-layer-mid.tar", &Options::default())?;
/// assert!(verdict.findings.iter().any(|finding| finding.check == "blob.digest"));
/// # Ok::<(), repro_build::error::Error>(())
/// ```
pub fn verify(input: impl AsRef<Path>, options: &verify::Options) -> Result<Verdict> {
    let request = Request { verify: options.clone(), ..Request::default() };
    let source = open(input.as_ref(), &request.limits)?;
    inspect::inspect(&source, &request, &Workers::new(0)?, &Silent, |inspected| inspected.verdict.clone())
}

/// Verifies an image and gives all that is known of it: its images with their digests and layers, what is wrong, and how
/// each check ended. This is a record of `--format json`; sizes are bytes, text from the image is
/// [escaped](crate::escape).
///
/// # Errors
/// As [`verify()`]; and [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) if no image matches the request.
///
/// ```
/// use repro_build::inspect::Request;
///
/// let known = repro_build::analyze("fixtures/good/tiny-bk-docker-rw0.tar", &Request::default())?;
/// let image = &known.images[0];
/// assert_eq!((image.platform.as_deref(), image.layers.len()), (Some("linux/amd64"), 3));
/// # Ok::<(), repro_build::error::Error>(())
/// ```
pub fn analyze(input: impl AsRef<Path>, request: &Request) -> Result<wire::Input> {
    let source = open(input.as_ref(), &request.limits)?;
    inspect::inspect(&source, request, &Workers::new(0)?, &Silent, wire::Input::of)
}

/// Writes the image `input` anew as `output`, so that builds that differ only in what the options' rules are about become
/// the same bytes. The file is replaced if there is one, and only by an archive that verifies.
///
/// # Errors
/// As [`verify()`]; [`ErrorKind::Refused`](crate::error::ErrorKind::Refused) for an input that does not verify or cannot be
/// written anew without loss, [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) for options that make no sense, and
/// what writing fails with.
///
/// ```
/// use repro_build::{normalize::Options, rules::Level};
///
/// let folder = tempfile::tempdir()?;
/// let options = Options::new(Level::Clamp, Some(0));
/// let [one, two] = ["1", "2"].map(|name| {
///     let input = format!("fixtures/pairs/tiny-plain-{name}.tar");
///     repro_build::normalize(input, folder.path().join(name), &options)
/// });
/// assert_eq!(one?.archive, two?.archive);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn normalize(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    options: &normalize::Options,
) -> Result<Outcome> {
    let input = input.as_ref();
    let source = open(input, &options.limits)?;
    normalize::to_file(&source, options, &Workers::new(0)?, &Silent, output.as_ref(), &[input])
}

/// Says why two images differ: every difference with its cause, and what would make them equal.
///
/// # Errors
/// As [`verify()`].
///
/// ```
/// use repro_build::diff::Options;
///
/// let diff = repro_build::diff(
///     "fixtures/pairs/tiny-plain-1.tar",
///     "fixtures/pairs/tiny-plain-2.tar",
///     &Options::default(),
/// )?;
/// assert!(!diff.same() && diff.remedy.is_some());
/// # Ok::<(), repro_build::error::Error>(())
/// ```
pub fn diff(left: impl AsRef<Path>, right: impl AsRef<Path>, options: &diff::Options) -> Result<Diff> {
    let limits = Limits::default();
    let (left, right) = (open(left.as_ref(), &limits)?, open(right.as_ref(), &limits)?);
    let [left, right] = [&left, &right].map(|source| diff::Input { source, image: None, platform: None });
    diff::run(&left, &right, options, &limits, &Workers::new(0)?, &Silent)
}

fn open(path: &Path, limits: &Limits) -> Result<Source> {
    Source::open(path, &OpenOptions { limits: limits.clone(), ..OpenOptions::default() })
}
