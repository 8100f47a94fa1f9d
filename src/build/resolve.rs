//! From what was typed to a request with nothing left open.
//!
//! Knows the precedence (flags, then REPRO_* variables, then SOURCE_DATE_EPOCH, then defaults) and which values make
//! sense together. Looks at the machine only through [`Environment`].

use std::path::Path;

use super::{
    environment::Environment,
    epoch,
    pins::{DEFAULT_PIN, DEFAULT_ROOTLESS_PIN, PINS, Pin},
    request::{BuildKit, BuildRequest, Builder, Context, Exporter},
    runtime::{RUNTIMES, Runtime},
};
use crate::{
    error::{Error, ErrorKind, Result},
    escape::escape,
};

impl BuildRequest {
    /// Resolves what was typed. A value that loses to another is not looked at; one that counts and is wrong is a
    /// usage error.
    pub fn resolve(flags: &Builder, environment: &dyn Environment) -> Result<BuildRequest> {
        let runtime = runtime(flags, environment)?;
        let rootless = flags.rootless || switch(environment, "REPRO_ROOTLESS")?.unwrap_or(false);
        if rootless && !runtime.rootless {
            return Err(Error::usage(format!(
                "--rootless cannot be had with {}; add --runtime podman or leave it out",
                runtime.name
            )));
        }
        let context = context(&flags.context, environment)?;
        let request = BuildRequest {
            runtime,
            builder: builder(flags, environment, runtime, rootless)?,
            rootless,
            source_date_epoch: source_date_epoch(flags, environment)?,
            cache: !flags.no_cache && switch(environment, "REPRO_CACHE")?.unwrap_or(true),
            file: flags.file.as_deref().map(|file| dockerfile(file, &context, environment)).transpose()?,
            context,
            output: output(flags.output.as_deref().unwrap_or("image.tar"), environment)?,
            leave_out: flags
                .leave_out
                .iter()
                .map(|file| checked_path("a file to write", environment.absolute(file)?))
                .collect::<Result<_>>()?,
            tags: flags.tags.iter().map(|tag| checked_tag(tag)).collect::<Result<_>>()?,
            build_args: build_args(&flags.build_args, environment)?,
            annotations: flags.annotations.iter().map(|text| annotation(text)).collect::<Result<_>>()?,
            platforms: platforms(&flags.platforms)?,
            extra_args: extra_args(flags, runtime)?,
            exporter: flags.exporter.unwrap_or(Exporter::Docker),
            oci_mediatypes: flags.oci_mediatypes,
            terminal: environment.terminal(),
        };
        if request.platforms.len() > 1 && request.exporter == Exporter::Docker {
            return Err(Error::usage(
                "the docker exporter writes one platform only; add --exporter oci for several",
            ));
        }
        Ok(request)
    }
}

fn runtime(flags: &Builder, environment: &dyn Environment) -> Result<&'static Runtime> {
    let named = match &flags.runtime {
        Some(name) => Some(("--runtime", name.clone())),
        None => environment.var("REPRO_RUNTIME")?.map(|name| ("REPRO_RUNTIME", name)),
    };
    let names = || RUNTIMES.iter().map(|runtime| runtime.name).collect::<Vec<_>>().join(" or ");
    match named {
        Some((origin, name)) => Runtime::by_name(&name)
            .ok_or_else(|| Error::usage(format!("{origin}: '{}' is not {}", show(&name), names()))),
        None => RUNTIMES.iter().find(|runtime| environment.has_program(runtime.name)).ok_or_else(|| {
            Error::new(ErrorKind::MissingTool, format!("no container runtime found; install {}", names()))
        }),
    }
}

/// A variable that is a yes or a no.
fn switch(environment: &dyn Environment, name: &str) -> Result<Option<bool>> {
    let Some(value) = environment.var(name)? else { return Ok(None) };
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(Some(true)),
        "0" | "false" => Ok(Some(false)),
        _ => Err(Error::usage(format!("{name}: '{}' is not 1, 0, true or false", show(&value)))),
    }
}

/// The first level that says anything counts; there it must be said in one way only.
fn source_date_epoch(flags: &Builder, environment: &dyn Environment) -> Result<u64> {
    let typed = [("--source-date-epoch", &flags.source_date_epoch), ("--datetime", &flags.datetime)];
    if let Some(seconds) = one_time(typed.map(|(name, value)| (name, value.clone())))? {
        return Ok(seconds);
    }
    epoch_of(environment)?.map(i64::cast_unsigned).ok_or_else(|| {
        Error::usage(
            "no time is given, so the build cannot be reproduced; add --datetime YYYY-MM-DD or --source-date-epoch SECONDS",
        )
    })
}

/// The time that the environment gives, in seconds since 1970-01-01T00:00:00Z: by REPRO_* variables, else by
/// SOURCE_DATE_EPOCH.
///
/// # Errors
/// A usage error where the variable that counts is wrong.
pub fn epoch_of(environment: &dyn Environment) -> Result<Option<i64>> {
    let var = |name| environment.var(name).map(|value| (name, value));
    let seconds = match one_time([var("REPRO_SOURCE_DATE_EPOCH")?, var("REPRO_DATETIME")?])? {
        None => one_time([var("SOURCE_DATE_EPOCH")?, ("", None)])?,
        seconds => seconds,
    };
    Ok(seconds.map(u64::cast_signed))
}

/// The time that one level gives, as seconds or as a date: name and value of each.
fn one_time([seconds, datetime]: [(&str, Option<String>); 2]) -> Result<Option<u64>> {
    match (seconds, datetime) {
        ((_, None), (_, None)) => Ok(None),
        ((name, Some(seconds)), (_, None)) => epoch::from_seconds(name, &seconds).map(Some),
        ((_, None), (name, Some(datetime))) => epoch::from_datetime(name, &datetime).map(Some),
        ((seconds, _), (datetime, _)) => {
            Err(Error::usage(format!("{seconds} and {datetime} exclude each other; give one of them")))
        }
    }
}

fn builder(
    flags: &Builder,
    environment: &dyn Environment,
    runtime: &'static Runtime,
    rootless: bool,
) -> Result<BuildKit> {
    if let Some(name) = &flags.builder {
        if !runtime.builders {
            return Err(Error::usage(format!("--builder: {} has no builders; leave it out", runtime.name)));
        }
        if flags.buildkit_image.is_some() {
            return Err(Error::usage(
                "--builder and --buildkit-image exclude each other: a builder has its image",
            ));
        }
        let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        return if well_formed {
            Ok(BuildKit::Existing(name.clone()))
        } else {
            Err(Error::usage(format!("--builder: '{}' is no builder's name", show(name))))
        };
    }
    let default = if rootless { DEFAULT_ROOTLESS_PIN } else { DEFAULT_PIN };
    let asked = match &flags.buildkit_image {
        Some(image) => Some(image.clone()),
        None => environment.var("REPRO_BUILDKIT_IMAGE")?,
    };
    let text = asked.as_deref().unwrap_or(default.name);
    let pin = Pin::find(text);
    if let Some(pin) = pin.filter(|pin| rootless && !pin.rootless) {
        return Err(Error::usage(format!(
            "the BuildKit image {0} needs root; with --rootless take {0}-rootless",
            pin.name
        )));
    }
    let reference = pin.filter(|pin| pin.name == text).map_or(text, |pin| pin.image);
    if is_reference(reference) && (pin.is_some() || reference.contains(['/', ':', '@'])) {
        return Ok(BuildKit::Image { reference: reference.to_owned(), pin });
    }
    let names = PINS.iter().map(|pin| pin.name).collect::<Vec<_>>().join(", ");
    Err(Error::usage(format!(
        "'{}' is no BuildKit image; give NAME:TAG@DIGEST or one of {names}",
        show(text)
    )))
}

/// Whether `text` has only the characters of an image reference, so that it can be no option and no second field.
fn is_reference(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c))
}

/// A directory, or what buildx takes as an address. A directory wins, as it does there.
fn context(text: &str, environment: &dyn Environment) -> Result<Context> {
    const SCHEMES: [&str; 6] = ["http://", "https://", "git://", "ssh://", "git@", "github.com/"];
    if text.is_empty() {
        return Err(Error::usage("the build context is empty; name a directory, such as ."));
    }
    let path = environment.absolute(text)?;
    if environment.is_dir(&path) {
        return Ok(Context::Local(checked_path("the build context", path)?));
    }
    if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(Context::Remote(checked_path("the build context", text.to_owned())?));
    }
    Err(Error::usage(format!(
        "the build context '{}' is neither a directory nor a git or http address",
        show(text)
    )))
}

/// A relative Dockerfile belongs to a remote context, an absolute one to this machine; both as buildx has it.
fn dockerfile(file: &str, context: &Context, environment: &dyn Environment) -> Result<String> {
    if file.is_empty() {
        return Err(Error::usage("--file is empty; name a Dockerfile or leave it out"));
    }
    let remote = matches!(context, Context::Remote(_)) && !Path::new(file).is_absolute();
    checked_path("--file", if remote { file.to_owned() } else { environment.absolute(file)? })
}

fn output(file: &str, environment: &dyn Environment) -> Result<String> {
    if file.is_empty() || file == "-" || file.ends_with('/') || environment.is_dir(file) {
        return Err(Error::usage(format!("--output: '{}' is no file name; name the tarball", show(file))));
    }
    let path = checked_path("--output", environment.absolute(file)?)?;
    checked_path("--output", environment.file(&path)?)
}

/// Paths with control characters cannot be handed through every comma-separated form unchanged.
fn checked_path(name: &str, path: String) -> Result<String> {
    if path.chars().any(char::is_control) {
        return Err(Error::usage(format!(
            "{name}: '{}' holds a control character, which container runtimes do not take; rename it",
            show(&path)
        )));
    }
    Ok(path)
}

/// BuildKit takes several names with commas between them, so a comma would make two of one.
fn checked_tag(tag: &str) -> Result<String> {
    if tag.is_empty() || tag.chars().any(|c| c == ',' || c.is_whitespace() || c.is_control()) {
        return Err(Error::usage(format!(
            "--tag: '{}' is no image name; repeat --tag for several names",
            show(tag)
        )));
    }
    Ok(tag.to_owned())
}

/// `KEY=VALUE`; a bare `KEY` takes its value from the environment and is left out where that has none, as docker
/// does. It is looked up here so that both runtimes and the build record see the same value.
fn build_args(args: &[String], environment: &dyn Environment) -> Result<Vec<String>> {
    let mut resolved = Vec::with_capacity(args.len());
    for arg in args {
        let (key, value) = match arg.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (arg.as_str(), environment.var(arg)?),
        };
        if key.is_empty() || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::usage(format!("--build-arg: '{}' has no name; give NAME=VALUE", show(arg))));
        }
        if key == "SOURCE_DATE_EPOCH" {
            return Err(Error::usage("--build-arg SOURCE_DATE_EPOCH: give --source-date-epoch instead"));
        }
        resolved.extend(value.map(|value| format!("{key}={value}")));
    }
    Ok(resolved)
}

fn annotation(text: &str) -> Result<String> {
    const TYPES: [&str; 4] = ["manifest", "manifest-descriptor", "index", "index-descriptor"];
    let wrong = |why: &str| {
        Err(Error::usage(format!("--annotation: '{}' {why}; give KEY=VALUE or TYPE:KEY=VALUE", show(text))))
    };
    let Some((full, value)) = text.split_once('=') else { return wrong("has no value") };
    // In the comma-separated form some of Go's readers take one before a newline away and others leave it.
    if value.contains('\r') {
        return wrong("holds a carriage return, which not every container runtime keeps");
    }
    let (types, key) = full.split_once(':').map_or((None, full), |(types, key)| (Some(types), key));
    if key.is_empty() || full.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return wrong("has no key");
    }
    let known = |kind: &str| {
        let name = match kind.strip_suffix(']').and_then(|kind| kind.split_once('[')) {
            Some((name, platform)) if is_platform(platform) => name,
            Some(_) => return false,
            None => kind,
        };
        TYPES.contains(&name)
    };
    match types {
        Some(types) if !types.split(',').all(known) => wrong("has an unknown type before the colon"),
        _ => Ok(text.to_owned()),
    }
}

fn platforms(values: &[String]) -> Result<Vec<String>> {
    let each = values.iter().flat_map(|value| value.split(',')).map(str::trim);
    each.map(|platform| match is_platform(platform) {
        true => Ok(platform.to_owned()),
        false => Err(Error::usage(format!("--platform: '{}' is not like linux/amd64", show(platform)))),
    })
    .collect()
}

fn is_platform(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_-.()".contains(c))
}

fn extra_args(flags: &Builder, runtime: &Runtime) -> Result<Vec<String>> {
    let mut extra = Vec::new();
    for (option, text) in [("--buildkit-args", &flags.buildkit_args), ("--buildx-args", &flags.buildx_args)] {
        let Some(text) = text.as_ref().filter(|text| !text.is_empty()) else { continue };
        if option != runtime.args_option {
            return Err(Error::usage(format!(
                "{option} says nothing to {}; there it is {}",
                runtime.name, runtime.args_option
            )));
        }
        extra = shlex::split(text)
            .ok_or_else(|| Error::usage(format!("{option}: a quote is not closed in '{}'", show(text))))?;
    }
    Ok(extra)
}

fn show(text: &str) -> String {
    escape(text.as_bytes()).into_owned()
}
