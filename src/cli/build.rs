//! `build`: the drop-in for the reference's command; what it built is verified.

use std::path::PathBuf;

use clap::{
    ArgAction,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use super::{
    args::Global,
    built::{self, Built},
    diff,
    exit::Outcome,
    remote::{self, Expected},
    stop,
};
use crate::{
    build::{BuildRequest, Builder, DEFAULT_PIN, DEFAULT_ROOTLESS_PIN, Exporter, PINS, RUNTIMES, System},
    error::Result,
    image::Platform,
    ladder::Rung,
    limits::Limits,
    rules::Level,
};

/// Build an image reproducibly with BuildKit, and verify what comes out.
///
/// The same context, Dockerfile, arguments, BuildKit and SOURCE_DATE_EPOCH give the same image. Flags win over REPRO_*
/// variables, those over SOURCE_DATE_EPOCH.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build build --datetime 2025-01-01 .
  repro-build build --sde 0 --tag app:1 --output app.tar .
  repro-build build --sde 0 --expected-image-digest sha256:… .
  repro-build build --sde 0 --platform linux/amd64,linux/arm64 --exporter oci .")]
pub(super) struct Args {
    /// Directory, or a git or http address
    #[arg(value_name = "CONTEXT")]
    context: String,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    image: Image,
    #[command(flatten)]
    buildkit: BuildKit,
    #[command(flatten)]
    after: After,
    /// Print the commands of this build, with the image straight at its place, and run nothing
    #[arg(long, help_heading = "After the build, or instead of it")]
    dry: bool,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "What is built")]
struct Input {
    /// Time of everything in the image: an ISO date or date and time, UTC unless it says otherwise [env: REPRO_DATETIME]
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    datetime: Option<String>,
    /// The same as seconds since 1970 [env: REPRO_SOURCE_DATE_EPOCH, SOURCE_DATE_EPOCH]
    #[arg(long, visible_alias = "sde", value_name = "SECONDS", allow_hyphen_values = true)]
    source_date_epoch: Option<String>,
    /// Dockerfile [default: the context's own]
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// Build argument; a bare NAME takes its value from the environment; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// Platforms, as in linux/amd64; several need --exporter oci [default: the runtime's own]
    #[arg(long, value_name = "OS/ARCH,…")]
    platform: Vec<String>,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "What comes out")]
struct Image {
    /// Where the image tarball goes
    #[arg(short, long, value_name = "FILE", default_value = "image.tar")]
    output: String,
    /// Name of the image; may be repeated
    #[arg(short, long, value_name = "NAME:TAG")]
    tag: Vec<String>,
    /// Annotation, as buildx takes it; may be repeated
    #[arg(long, value_name = "[TYPE:]KEY=VALUE")]
    annotation: Vec<String>,
    /// Form of the tarball: what docker load takes, of one platform; or an OCI layout
    #[arg(long, value_name = "FORM", default_value = Exporter::ALL[0].name(), value_parser = exporter_parser())]
    exporter: Exporter,
    /// Whether the documents get OCI's media types or Docker's [default: what a known BuildKit does by itself]
    #[arg(long, value_name = "true|false", action = ArgAction::Set)]
    oci_mediatypes: Option<bool>,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "BuildKit")]
struct BuildKit {
    /// Container runtime [default: the first that is installed] [env: REPRO_RUNTIME]
    #[arg(long, value_name = "RUNTIME", value_parser = runtime_parser())]
    runtime: Option<String>,
    #[arg(long, value_name = "PIN|IMAGE", help = buildkit_help())]
    buildkit_image: Option<String>,
    /// Use this buildx builder as it is; docker only
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    builder: Option<String>,
    /// Use nothing of earlier builds [env: REPRO_CACHE=0]
    #[arg(long)]
    no_cache: bool,
    /// Run BuildKit without root; podman only [env: REPRO_ROOTLESS]
    #[arg(long)]
    rootless: bool,
    /// More arguments for buildctl, as a shell would read them; podman only
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    buildkit_args: Option<String>,
    /// More arguments for docker buildx build, as a shell would read them; docker only
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    buildx_args: Option<String>,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "After the build, or instead of it")]
struct After {
    /// The digest the image must have, or the published image that has it
    #[arg(long, value_name = "DIGEST|REGISTRY/NAME:TAG", value_parser = remote::parse_expected)]
    expected_image_digest: Option<Expected>,
    /// Build a second time, both times without cache, and compare
    #[arg(long)]
    check_reproducible: bool,
    /// Run what comes out through `normalize`, base image included
    #[arg(long, value_name = "LEVEL", value_parser = diff::level_parser())]
    normalize: Option<Level>,
    /// Write what a rebuild needs
    #[arg(long, value_name = "FILE.json")]
    record: Option<PathBuf>,
}

fn exporter_parser() -> impl clap::builder::TypedValueParser<Value = Exporter> {
    PossibleValuesParser::new(Exporter::ALL.map(Exporter::name))
        .map(|name| Exporter::by_name(&name).unwrap_or(Exporter::ALL[0]))
}

pub(super) fn runtime_parser() -> PossibleValuesParser {
    PossibleValuesParser::new(RUNTIMES.iter().map(|runtime| runtime.name))
}

fn buildkit_help() -> String {
    let names = PINS.iter().map(|pin| pin.name).collect::<Vec<_>>().join(", ");
    format!(
        "BuildKit image: {names}, or a reference, best with its digest [default: {}, with --rootless {}] \
         [env: REPRO_BUILDKIT_IMAGE]",
        DEFAULT_PIN.name, DEFAULT_ROOTLESS_PIN.name
    )
}

impl Args {
    fn flags(&self) -> Builder {
        let (input, image, buildkit) = (&self.input, &self.image, &self.buildkit);
        let record = self.after.record.iter().map(|path| path.to_string_lossy().into_owned());
        Builder {
            runtime: buildkit.runtime.clone(),
            datetime: input.datetime.clone(),
            source_date_epoch: input.source_date_epoch.clone(),
            buildkit_image: buildkit.buildkit_image.clone(),
            builder: buildkit.builder.clone(),
            no_cache: buildkit.no_cache || self.after.check_reproducible,
            rootless: buildkit.rootless,
            file: input.file.clone(),
            output: Some(image.output.clone()),
            tags: image.tag.clone(),
            build_args: input.build_arg.clone(),
            annotations: image.annotation.clone(),
            platforms: input.platform.clone(),
            buildkit_args: buildkit.buildkit_args.clone(),
            buildx_args: buildkit.buildx_args.clone(),
            exporter: Some(image.exporter),
            oci_mediatypes: image.oci_mediatypes,
            leave_out: record.chain([built::second(&image.output)]).collect(),
            context: self.context.clone(),
        }
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    let after = &args.after;
    let request = BuildRequest::resolve(&args.flags(), &System)?;
    built::announce(&request, global);
    if args.dry {
        return built::dry(&request, after.record.is_some(), after.check_reproducible);
    }
    let expected = after.expected_image_digest.as_ref();
    let (rung, platform) = asked(&request);
    let expected =
        expected.map(|expected| expected.resolve(rung, platform.as_ref(), &Limits::default())).transpose()?;
    // Not before: nothing is there to tidy up, and a registry that does not answer would be waited for.
    stop::gently();
    let record = after.record.as_ref().map(|_| built::record(&request, global)).transpose()?;
    let image = Built::make(&request, after.normalize, global)?;
    let mut outcome = image.show(expected, global)?;
    if let (Some(path), Some(record)) = (&after.record, record) {
        built::write_record(&image.complete(record, after.normalize), path)?;
    }
    if after.check_reproducible {
        outcome = outcome.and(image.again(&request, after.normalize, global)?);
    }
    Ok(outcome)
}

/// What of a published image is to be compared with what is built: one platform's manifest, or the index of several.
fn asked(request: &BuildRequest) -> (Option<Rung>, Option<Platform>) {
    match request.platforms.as_slice() {
        [] => (Some(Rung::Manifest), None),
        [platform] => (Some(Rung::Manifest), Platform::parse(platform)),
        _ => (None, None),
    }
}
