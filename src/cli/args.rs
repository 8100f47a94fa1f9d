//! Arguments that several commands share, and how they become options.

use std::path::{Path, PathBuf};

use clap::{
    ArgAction, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use crate::{
    archive::{OpenOptions, Source},
    digest::Digest,
    error::{Error, Result},
    grade::Grade,
    image::Platform,
    inspect::Request,
    limits::{LimitChanges, Limits},
    policy::Policy,
    report::{FORMATS, Format},
    verify::{Options, Setting},
};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How to show progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressChoice {
    /// Bars, if standard error is a terminal
    #[default]
    Auto,
    /// A line every few seconds, for logs
    Plain,
    /// Nothing
    None,
}

/// Arguments of every command.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Output and resources")]
pub(super) struct Global {
    /// Say less: only what is wrong
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more: notes too
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: ColorChoice,
    /// How to show progress on standard error
    #[arg(long, global = true, value_enum, default_value_t, value_name = "HOW")]
    pub(super) progress: ProgressChoice,
    /// Threads (default: the cores this process may use)
    #[arg(
        short = 'j',
        long,
        global = true,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(super) threads: usize,
}

impl Global {
    /// 0 is normal, more says more, less says less.
    pub(super) fn verbosity(&self) -> i8 {
        if self.quiet { -1 } else { i8::try_from(self.verbose).unwrap_or(i8::MAX) }
    }
}

/// Arguments that say how inputs are read.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Reading")]
pub(super) struct Reading {
    /// Only this image of the archive: a name, a digest, or where no name is so, a number counted from 1
    #[arg(long, value_name = "NAME|DIGEST|N")]
    image: Option<String>,
    /// Only images of this platform
    #[arg(long, value_name = "OS/ARCH", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// Read files instead of mapping them into memory
    #[arg(long)]
    no_mmap: bool,
    #[arg(long, value_name = "BYTES", help = limit("Largest JSON document", Limits::default().max_json))]
    max_json: Option<u64>,
    #[arg(long, value_name = "BYTES", help = limit("Largest extended header of a tar member", Limits::default().max_extension))]
    max_extension: Option<u64>,
    #[arg(long, value_name = "BYTES", help = limit("Most bytes that one layer, or a compressed archive, may unpack to", Limits::default().max_unpacked))]
    max_unpacked: Option<u64>,
    #[arg(long, value_name = "N", help = limit("Most members of one tar", Limits::default().max_members))]
    max_members: Option<u64>,
    #[arg(long, value_name = "N", help = limit("Deepest nesting of image indexes", Limits::default().max_depth as u64))]
    max_depth: Option<usize>,
    /// The limits that flags change.
    #[arg(skip)]
    usual: Limits,
}

fn limit(what: &str, default: u64) -> String {
    format!("{what} [default: {default}]")
}

impl Reading {
    /// The limits these arguments name.
    pub(super) fn limits(&self) -> Limits {
        self.usual.changed(&LimitChanges {
            max_json: self.max_json,
            max_extension: self.max_extension,
            max_unpacked: self.max_unpacked,
            max_members: self.max_members,
            max_depth: self.max_depth,
        })
    }

    /// The same with the limits of a policy; flags beat it.
    pub(super) fn under(&self, policy: &Policy) -> Reading {
        Reading { usual: policy.limits(&self.usual), ..self.clone() }
    }

    /// Whether only some images are asked for.
    pub(super) fn narrows(&self) -> bool {
        self.image.is_some() || self.platform.is_some()
    }

    /// The image that was asked for.
    pub(super) fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The platform that was asked for.
    pub(super) fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref()
    }

    /// The flag, if one is given, that matters for files only, not for an image in a registry.
    pub(super) fn of_files(&self) -> Option<&'static str> {
        let Reading { image, platform: _, no_mmap, max_json: _, max_extension, .. } = self;
        let Reading { max_unpacked, max_members, max_depth, .. } = self;
        let flags = [
            ("--image", image.is_some()),
            ("--no-mmap", *no_mmap),
            ("--max-extension", max_extension.is_some()),
            ("--max-unpacked", max_unpacked.is_some()),
            ("--max-members", max_members.is_some()),
            ("--max-depth", max_depth.is_some()),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }

    /// Opens `path`; `-` is standard input.
    pub(super) fn open(&self, path: &Path) -> Result<Source> {
        let options = OpenOptions { no_mmap: self.no_mmap, limits: self.limits() };
        if path == Path::new("-") {
            return Source::read("-", std::io::stdin().lock(), &options);
        }
        Source::open(path, &options)
    }

    /// A request for what these arguments name.
    pub(super) fn request(&self, verify: Options) -> Request {
        Request {
            verify,
            limits: self.limits(),
            image: self.image.clone(),
            platform: self.platform.clone(),
            ..Request::default()
        }
    }
}

/// Arguments that say what a verification counts.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "What counts")]
pub(super) struct Judging {
    /// Run only the checks whose id matches (a glob such as 'blob.*'); may be repeated
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
    /// Leave out checks; may be repeated
    #[arg(long, value_name = "CHECK")]
    skip: Vec<String>,
    /// Take whatever these checks find for an error; may be repeated
    #[arg(long, value_name = "CHECK")]
    deny: Vec<String>,
    /// Platforms that must be complete, or "all"
    #[arg(long, value_name = "all|PLATFORM,…", value_delimiter = ',')]
    require: Vec<String>,
    /// Nothing may be newer than this SOURCE_DATE_EPOCH
    #[arg(long, visible_alias = "source-date-epoch", value_name = "SECONDS", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    sde: Option<i64>,
    /// Of what is newer, leave out what the history shows to come from the base image (docs/building.md)
    #[arg(long)]
    newer_base: bool,
    /// Accept layers whose content cannot be looked into (encrypted ones)
    #[arg(long)]
    allow_opaque: bool,
    /// Hold the images to this policy file instead of a repro-build.toml beside each
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Do not look for a repro-build.toml beside the images
    #[arg(long, conflicts_with = "policy")]
    no_policy: bool,
}

impl Judging {
    /// The policy that `input` is held to, and the file it is from.
    pub(super) fn policy(&self, input: &Path) -> Result<Option<(Policy, PathBuf)>> {
        match &self.policy {
            Some(file) => Policy::read(file).map(|policy| Some((policy, file.clone()))),
            None if self.no_policy || input == Path::new("-") => Ok(None),
            None => Policy::beside(input),
        }
    }

    /// Where the policy that `input` is held to is, if there is one.
    pub(super) fn policy_file(&self, input: &Path) -> Option<PathBuf> {
        match &self.policy {
            Some(file) => Some(file.clone()),
            None if self.no_policy || input == Path::new("-") => None,
            None => Some(Policy::place_beside(input)),
        }
    }

    /// The options these arguments name, on top of a policy.
    pub(super) fn options(&self, expect: Vec<Digest>, policy: Option<&Policy>) -> Result<Options> {
        let mut options = Options { expect, allow_opaque: self.allow_opaque, ..Options::default() };
        if let Some(policy) = policy {
            policy.apply(&mut options)?;
        }
        let selection = &mut options.selection;
        selection.only(&self.only)?;
        self.skip.iter().try_for_each(|glob| selection.add(glob, Setting::Skip))?;
        self.deny.iter().try_for_each(|glob| selection.add(glob, Setting::As(Grade::Error)))?;
        options.require_all |= self.require.iter().any(|word| word == "all");
        for word in self.require.iter().filter(|word| *word != "all") {
            options.require.push(parse_platform(word).map_err(Error::usage)?);
        }
        options.source_date_epoch = self.sde.or(options.source_date_epoch);
        options.newer_base = self.newer_base;
        Ok(options)
    }
}

/// Arguments that say where a report goes and how it looks.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Report")]
pub(super) struct Reporting {
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format_parser())]
    pub(super) format: &'static Format,
    /// Write the report to a file as well; may be repeated
    #[arg(long = "report", value_name = "FORMAT=FILE", value_parser = parse_report)]
    pub(super) reports: Vec<(&'static Format, PathBuf)>,
    /// Write an unsigned in-toto statement for each image
    #[arg(long, value_name = "FILE")]
    pub(super) attestation: Option<PathBuf>,
}

impl Reporting {
    /// Every file that is to be written, with its format.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static Format, &Path)> {
        let attestation = self.attestation.as_deref().zip(Format::by_name("in-toto"));
        let reports = self.reports.iter().map(|(format, file)| (*format, file.as_path()));
        reports.chain(attestation.map(|(file, format)| (format, file)))
    }

    /// Whether some report shows the digests of the input files themselves.
    pub(super) fn archive_digest(&self) -> bool {
        self.format.archive_digest || self.files().any(|(format, _)| format.archive_digest)
    }
}

/// Arguments of commands that verify images.
#[derive(clap::Args, Debug)]
pub(super) struct Verifying {
    #[command(flatten)]
    pub(super) reporting: Reporting,
    #[command(flatten)]
    pub(super) judging: Judging,
    #[command(flatten)]
    pub(super) reading: Reading,
}

impl Verifying {
    /// Says what is wrong with the arguments themselves, before any work is done.
    pub(super) fn check(&self) -> Result<()> {
        self.judging.options(Vec::new(), None)?;
        self.judging.policy(Path::new("-")).map(drop)
    }

    /// Opens an input, and says what it is to be held to: what the arguments say, on top of its policy.
    pub(super) fn open(
        &self,
        path: &Path,
        policy: Option<&Policy>,
        expect: Vec<Digest>,
    ) -> Result<(Source, Request)> {
        let reading = policy.map_or_else(|| self.reading.clone(), |policy| self.reading.under(policy));
        let request = reading.request(self.judging.options(expect, policy)?);
        Ok((reading.open(path)?, request))
    }
}

fn format_parser() -> impl TypedValueParser<Value = &'static Format> {
    one_of(FORMATS.iter().map(|format| (PossibleValue::new(format.name).help(format.about), format)))
}

/// Takes the name of a row of a table; help and completions show all of them.
pub(super) fn one_of<T: Clone + Send + Sync + 'static>(
    rows: impl IntoIterator<Item = (PossibleValue, T)>,
) -> impl TypedValueParser<Value = T> {
    let rows: Vec<(PossibleValue, T)> = rows.into_iter().collect();
    let values: Vec<PossibleValue> = rows.iter().map(|(value, _)| value.clone()).collect();
    PossibleValuesParser::new(values).try_map(move |name| {
        let row = rows.iter().find(|(value, _)| value.get_name() == name);
        row.map(|(_, row)| row.clone()).ok_or("no such name")
    })
}

fn parse_report(text: &str) -> std::result::Result<(&'static Format, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("want FORMAT=FILE, such as sarif=findings.sarif")?;
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    let format = Format::by_name(name);
    let format = format.ok_or_else(|| format!("no format of that name (known: {})", names.join(", ")))?;
    Ok((format, file.into()))
}

fn parse_platform(text: &str) -> std::result::Result<Platform, String> {
    let shown = crate::escape::escape(text.as_bytes());
    Platform::parse(text).ok_or_else(|| format!("no platform: {shown} (want os/arch, such as linux/amd64)"))
}
