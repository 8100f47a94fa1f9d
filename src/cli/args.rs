//! Arguments that several commands share, and how they become options.

use std::path::Path;

use clap::{ArgAction, ValueEnum};

use crate::{
    archive::{OpenOptions, Source},
    digest::Digest,
    error::{Error, Result},
    image::Platform,
    inspect::Request,
    limits::Limits,
    verify::{Options, Selection, Setting},
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
    /// Say less: errors only
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
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Reading")]
pub(super) struct Reading {
    /// Only this image of the archive: a name, a digest, or a number counted from 1
    #[arg(long, value_name = "NAME|DIGEST|N")]
    image: Option<String>,
    /// Only images of this platform
    #[arg(long, value_name = "OS/ARCH", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// Read files instead of mapping them into memory
    #[arg(long)]
    no_mmap: bool,
    /// Largest JSON document
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().max_json)]
    max_json: u64,
    /// Largest extended header of a tar member
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().max_extension)]
    max_extension: u64,
    /// Most bytes that one layer, or a compressed archive, may unpack to
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().max_unpacked)]
    max_unpacked: u64,
    /// Most members of one tar
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_members)]
    max_members: u64,
    /// Deepest nesting of image indexes
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_depth)]
    max_depth: usize,
}

impl Reading {
    fn limits(&self) -> Limits {
        Limits {
            max_json: self.max_json,
            max_extension: self.max_extension,
            max_unpacked: self.max_unpacked,
            max_members: self.max_members,
            max_depth: self.max_depth,
            ..Limits::default()
        }
    }

    /// Whether only some images are asked for.
    pub(super) fn narrows(&self) -> bool {
        self.image.is_some() || self.platform.is_some()
    }

    /// The platform that was asked for.
    pub(super) fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref()
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
    /// With --sde: leave out what the history shows to come from the base image (docs/building.md)
    #[arg(long, requires = "sde")]
    newer_base: bool,
    /// Accept layers whose content cannot be looked into (encrypted ones)
    #[arg(long)]
    allow_opaque: bool,
}

impl Judging {
    /// The options these arguments name.
    pub(super) fn options(&self, expect: Vec<Digest>) -> Result<Options> {
        let mut selection = Selection::default();
        selection.only(&self.only)?;
        self.skip.iter().try_for_each(|glob| selection.add(glob, Setting::Skip))?;
        self.deny.iter().try_for_each(|glob| selection.add(glob, Setting::Deny))?;
        let require_all = self.require.iter().any(|word| word == "all");
        let platforms = self.require.iter().filter(|word| *word != "all");
        let require =
            platforms.map(|word| parse_platform(word).map_err(Error::usage)).collect::<Result<_>>()?;
        Ok(Options {
            selection,
            expect,
            require,
            require_all,
            source_date_epoch: self.sde,
            newer_base: self.newer_base,
            allow_opaque: self.allow_opaque,
        })
    }
}

fn parse_platform(text: &str) -> std::result::Result<Platform, String> {
    let shown = crate::escape::escape(text.as_bytes());
    Platform::parse(text).ok_or_else(|| format!("no platform: {shown} (want os/arch, such as linux/amd64)"))
}

/// The format of that name.
pub(super) fn parse_format(name: &str) -> std::result::Result<&'static crate::report::Format, String> {
    crate::report::Format::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = crate::report::FORMATS.iter().map(|format| format.name).collect();
        format!("no format of that name (known: {})", names.join(", "))
    })
}
