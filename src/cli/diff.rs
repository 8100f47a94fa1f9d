//! `diff`: why two images differ.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, TypedValueParser};

use super::{
    args::{Global, Reading, one_of},
    exit::Outcome,
    output,
    progress::Progress,
    stop,
};
use crate::{
    archive::Source,
    diff::{self, Causes, Input, LayerMatch, Options},
    error::Result,
    measure::Workers,
    report::{DIFF_FORMATS, DiffFormat, wire_diff::DiffReport},
    rules::Level,
};

/// Say why two images differ, and what would make them equal.
///
/// Both inputs may be of any kind: OCI layout or docker-archive, compressed or not, tarball or directory. FILE#IMAGE
/// means one image of several: a platform, a name, a digest or a number counted from 1.
///
/// Every difference bears one cause: content, added, removed, mode, ownership, xattr, order, encoding, derived (it only
/// follows from another), or the rule of `normalize` that removes it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build diff published.tar rebuilt.tar
  repro-build diff --level clamp published.tar rebuilt.tar    # exit 0 if only times differ
  repro-build diff multi.tar#linux/amd64 multi.tar#linux/arm64
  repro-build diff --merged --only content --only mode a.tar b.tar

Exit code 0: nothing that counts differs. 1: something does. 2: could not compare.")]
pub(super) struct Args {
    /// Image tarball or layout directory, or - for standard input; with #IMAGE, one image of it
    #[arg(value_name = "A")]
    left: PathBuf,
    /// What to compare it with
    #[arg(value_name = "B")]
    right: PathBuf,
    /// How layers find their partners
    #[arg(long, value_name = "HOW", default_value = "content", value_parser = match_parser())]
    layer_match: LayerMatch,
    /// Compare the file systems that the layers make together: whiteouts and the split into layers do not count
    #[arg(long)]
    merged: bool,
    /// Differences of these causes do not count (globs: 'layer.*'); may be repeated
    #[arg(long, value_name = "CAUSE", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Only differences of these causes count; may be repeated
    #[arg(long, value_name = "CAUSE", value_delimiter = ',')]
    only: Vec<String>,
    /// What `normalize --level LEVEL` makes equal does not count
    #[arg(long, value_name = "LEVEL", value_parser = level_parser())]
    level: Option<Level>,
    /// SOURCE_DATE_EPOCH for `normalize` (default: the latest that makes both equal)
    #[arg(long, visible_alias = "source-date-epoch", value_name = "SECONDS", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    sde: Option<i64>,
    /// Most lines shown of each changed text file
    #[arg(long, value_name = "N", default_value_t = Options::default().content_lines)]
    content_lines: usize,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format_parser())]
    format: &'static DiffFormat,
    /// Exit with 0 whether or not anything differs
    #[arg(long)]
    exit_zero: bool,
    #[command(flatten)]
    reading: Reading,
}

fn match_parser() -> impl TypedValueParser<Value = LayerMatch> {
    let content = PossibleValue::new("content").help("by diff_id, then by what is in them, then by position");
    let position =
        PossibleValue::new("position").help("the first with the first, the second with the second");
    one_of([(content, LayerMatch::Content), (position, LayerMatch::Position)])
}

pub(super) fn level_parser() -> impl TypedValueParser<Value = Level> {
    one_of(Level::ALL.map(|level| (PossibleValue::new(level.name()), level)))
}

fn format_parser() -> impl TypedValueParser<Value = &'static DiffFormat> {
    one_of(DIFF_FORMATS.iter().map(|format| (PossibleValue::new(format.name).help(format.about), format)))
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    stop::soon();
    let (left, image_left) = open(args, &args.left)?;
    let (right, image_right) = open(args, &args.right)?;
    let (left, right) = (input(args, &left, image_left), input(args, &right, image_right));
    let mut causes = Causes::default();
    args.ignore.iter().try_for_each(|glob| causes.ignore(glob))?;
    args.only.iter().try_for_each(|glob| causes.only(glob))?;
    let options = Options {
        layer_match: args.layer_match,
        merged: args.merged,
        causes,
        level: args.level,
        epoch: args.sde,
        content_lines: args.content_lines,
    };
    let (workers, progress) = (Workers::new(global.threads)?, Progress::new(global));
    let limits = args.reading.limits();
    let diff = diff::run(&left, &right, &options, &limits, &workers, &progress)?;
    let report = DiffReport::new(&diff);
    output::stdout(|out| (args.format.write)(&report, &output::style(global), out))?;
    Ok(if diff.same() || args.exit_zero { Outcome::Good } else { Outcome::Bad })
}

/// What is compared of an input: the image that its own #IMAGE names, else what --image and --platform do.
fn input<'i>(args: &Args, source: &'i Source, image: Option<String>) -> Input<'i> {
    let platform = args.reading.platform().filter(|_| image.is_none()).cloned();
    Input { source, image: image.or_else(|| args.reading.image().map(str::to_owned)), platform }
}

/// Opens an input; what follows the last `#` names an image, unless there is a file of the whole name.
fn open(args: &Args, path: &Path) -> Result<(Source, Option<String>)> {
    let text = path.to_string_lossy();
    match text.rsplit_once('#') {
        Some((file, image)) if !path.exists() && !file.is_empty() && !image.is_empty() => {
            Ok((args.reading.open(Path::new(file))?, Some(image.to_owned())))
        }
        _ => Ok((args.reading.open(path)?, None)),
    }
}
