//! `normalize`: an image tarball written anew, so that equal builds are equal bytes.

use std::path::{Path, PathBuf};

use super::{
    args::{Global, Reading},
    exit::Outcome,
    output,
    progress::Progress,
    stop,
};
use crate::{
    archive::Source,
    build::{System, epoch_of},
    codec::Compression,
    error::{Error, Result},
    inspect::inspect,
    measure::Workers,
    normalize::{self, Attestations, Base, Layout, Options},
    report::wire_normalize::NormalizeReport,
    rules::{Active, Level, RULES},
    verify,
};
use clap::{ArgAction, ValueEnum};

/// Write an image tarball anew, so that builds that differ only in time, machine or tool become the same bytes.
///
/// What each rule does, and what is lost by it, is in docs/rules.md; --list-rules prints the table.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build normalize image.tar -o out.tar --sde 0
  repro-build normalize image.tar --check --sde 1700000000
  repro-build normalize saved.tar -o out.tar --sde 0 --level canonical --layout oci --drop-names")]
#[command(mut_arg("image", |arg| arg.hide(true)), mut_arg("platform", |arg| arg.hide(true)))]
pub(super) struct Args {
    /// Image tarball, layout directory, or - for standard input
    #[arg(value_name = "IN", required_unless_present = "list_rules")]
    input: Option<PathBuf>,
    /// The new tarball
    #[arg(short, long, value_name = "OUT", required_unless_present_any = ["list_rules", "check"])]
    output: Option<PathBuf>,
    /// No time may be later than this; --level archive needs none [env: REPRO_SOURCE_DATE_EPOCH, SOURCE_DATE_EPOCH]
    #[arg(
        long,
        visible_alias = "source-date-epoch",
        value_name = "SECONDS",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(i64).range(0..)
    )]
    sde: Option<i64>,
    /// How much is normalised
    #[arg(long, value_enum, default_value = "clamp")]
    level: LevelChoice,
    /// Leave the layers and history of this base image alone: a tarball, or layer digests with commas between
    #[arg(long, value_name = "TAR|DIGESTS")]
    base: Option<String>,
    /// Layout of the output
    #[arg(long, value_enum, default_value = "keep")]
    layout: LayoutChoice,
    /// Compression of the layers [default: keep; gzip from --level canonical on]
    #[arg(long, value_enum)]
    compression: Option<CompressionChoice>,
    /// Apply this rule too, whatever the level; may be repeated
    #[arg(long, value_name = "ID")]
    rule: Vec<String>,
    /// Leave this rule out; may be repeated
    #[arg(long, value_name = "ID")]
    no_rule: Vec<String>,
    /// What becomes of attestations and signatures of a manifest that changes
    #[arg(long, value_enum, default_value = "fail")]
    attestations: AttestationChoice,
    /// Remove names from index.json and manifest.json
    #[arg(long)]
    drop_names: bool,
    /// Write nothing; exit 1 if anything would change
    #[arg(long, conflicts_with = "output")]
    check: bool,
    /// Take input that does not verify
    #[arg(long)]
    force: bool,
    /// Keep layers that cannot be written anew (sparse files, unknown types) as they are
    #[arg(long)]
    allow_passthrough: bool,
    /// Accept layers whose content cannot be looked into (encrypted ones)
    #[arg(long)]
    allow_opaque: bool,
    /// Print the table of rules
    #[arg(long, action = ArgAction::SetTrue)]
    list_rules: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value = "text")]
    format: FormatChoice,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelChoice {
    /// The outer archive only; no digest changes
    Archive,
    /// No time later than SOURCE_DATE_EPOCH
    Clamp,
    /// One form for all that containers cannot see
    Canonical,
    /// Members in one order too
    Sorted,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LayoutChoice {
    /// That of the input
    Keep,
    /// An OCI image layout
    Oci,
    /// An OCI image layout with manifest.json, which docker loads
    Docker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CompressionChoice {
    /// That of each layer
    Keep,
    /// gzip, level 6
    Gzip,
    /// zstd, level 3
    Zstd,
    /// Plain tar
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AttestationChoice {
    /// Refuse to write anything
    Fail,
    /// Keep them, tied to the new manifest
    Keep,
    /// Leave them out
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatChoice {
    /// For people
    Text,
    /// One JSON document
    Json,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    if args.list_rules {
        list_rules(args.format)?;
        return Ok(Outcome::Good);
    }
    let Some(input) = &args.input else { return Err(Error::usage("no input")) };
    if args.reading.narrows() {
        return Err(Error::usage("normalize works on whole archives: --image and --platform do not apply"));
    }
    if args.output.as_deref() == Some(Path::new("-")) {
        let message = "the output is verified before it is given out, so it needs a file: -o cannot be -";
        return Err(Error::usage(message));
    }
    stop::soon();
    let workers = Workers::new(global.threads)?;
    let progress = Progress::new(global);
    let options = options(args, &workers, &progress)?;
    let source = args.reading.open(input)?;
    let outcome = match &args.output {
        Some(path) => {
            let base = args.base.as_deref().map(Path::new);
            let inputs: Vec<&Path> = [input.as_path()].into_iter().chain(base).collect();
            normalize::to_file(&source, &options, &workers, &progress, path, &inputs)?
        }
        None => normalize::normalize(&source, &options, &workers, &progress, &mut std::io::sink())?,
    };
    print(args, global, input, &outcome)?;
    Ok(if args.check && outcome.changed { Outcome::Bad } else { Outcome::Good })
}

fn options(args: &Args, workers: &Workers, progress: &Progress) -> Result<Options> {
    let level = match args.level {
        LevelChoice::Archive => Level::Archive,
        LevelChoice::Clamp => Level::Clamp,
        LevelChoice::Canonical => Level::Canonical,
        LevelChoice::Sorted => Level::Sorted,
    };
    let mut active = Active::new(level);
    if args.compression == Some(CompressionChoice::Keep) {
        active.remove("layer.encoding")?;
    }
    if args.drop_names {
        active.add("archive.names")?;
    }
    args.rule.iter().try_for_each(|id| active.add(id))?;
    args.no_rule.iter().try_for_each(|id| active.remove(id))?;
    let sde = match args.sde {
        None if active.limits_times() => epoch_of(&System)?,
        sde => sde,
    };
    Ok(Options {
        active,
        base: args
            .base
            .as_deref()
            .map_or(Ok(Base::default()), |base| self::base(base, args, workers, progress))?,
        layout: match args.layout {
            LayoutChoice::Keep => None,
            LayoutChoice::Oci => Some(Layout::Oci),
            LayoutChoice::Docker => Some(Layout::Docker),
        },
        compression: match args.compression {
            None | Some(CompressionChoice::Keep) => None,
            Some(CompressionChoice::Gzip) => Some(Compression::Gzip),
            Some(CompressionChoice::Zstd) => Some(Compression::Zstd),
            Some(CompressionChoice::None) => Some(Compression::Plain),
        },
        attestations: match args.attestations {
            AttestationChoice::Fail => Attestations::Fail,
            AttestationChoice::Keep => Attestations::Keep,
            AttestationChoice::Drop => Attestations::Drop,
        },
        force: args.force,
        allow_passthrough: args.allow_passthrough,
        allow_opaque: args.allow_opaque,
        limits: args.reading.request(verify::Options::default()).limits,
        ..Options::new(level, sde)
    })
}

/// The base image: a tarball if there is one of that name, else digests.
fn base(text: &str, args: &Args, workers: &Workers, progress: &Progress) -> Result<Base> {
    if !Path::new(text).exists() {
        return Base::parse(text);
    }
    let source: Source = args.reading.open(Path::new(text))?;
    inspect(&source, &args.reading.request(verify::Options::default()), workers, progress, Base::of)?
}

fn print(args: &Args, global: &Global, input: &Path, outcome: &normalize::Outcome) -> Result<()> {
    output::stdout(|out| match args.format {
        FormatChoice::Text if global.verbosity() < 0 => Ok(()),
        FormatChoice::Text => outcome.write(out),
        FormatChoice::Json => {
            let report = NormalizeReport::new(input, args.output.as_deref(), outcome);
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)
        }
    })
}

fn list_rules(format: FormatChoice) -> Result<()> {
    output::stdout(|out| {
        if format == FormatChoice::Json {
            let rule = |rule: &crate::rules::Rule| {
                serde_json::json!({
                    "id": rule.id, "scope": rule.scope, "level": rule.level, "title": rule.title,
                    "why": rule.why, "loses": rule.loses,
                })
            };
            serde_json::to_writer_pretty(&mut *out, &RULES.iter().map(rule).collect::<Vec<_>>())?;
            return writeln!(out);
        }
        for rule in RULES {
            let level = rule.level.map_or("option", Level::name);
            writeln!(out, "{:<24} {level:<10} {}", rule.id, rule.title)?;
        }
        Ok(())
    })
}
