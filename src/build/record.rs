//! The build record: all that a rebuild needs, as JSON, and what came out.
//!
//! Knows the record's schema (version 1; later versions only add). Holds no path of the machine that built, except
//! where a Dockerfile lies outside the context. A record is input like any other: what it says is resolved and
//! checked as if it had been typed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    context::{context_digest, dockerfile_digest},
    request::{BuildKit, BuildRequest, Builder, Context, Exporter},
    runtime::Runtime,
};
use crate::{
    error::{Error, Result},
    escape::escape,
    observe::Observer,
};

/// The schema this program writes, and the newest it reads.
const SCHEMA: u32 = 1;

/// How an image was built, and its digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BuildRecord {
    /// Version of this schema.
    pub schema: u32,
    /// The program that wrote the record.
    pub tool: Program,
    /// The container runtime.
    pub runtime: Program,
    /// The BuildKit image, where the builder was made from one.
    #[serde(default)]
    pub buildkit_image: Option<String>,
    /// The builder that was there already.
    #[serde(default)]
    pub builder: Option<String>,
    /// Whether BuildKit ran without root.
    #[serde(default)]
    pub rootless: bool,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub source_date_epoch: u64,
    /// Whether earlier builds' results could be used.
    #[serde(default)]
    pub cache: bool,
    /// The exporter's name.
    pub exporter: String,
    /// What the exporter was told of media types.
    #[serde(default)]
    pub oci_mediatypes: Option<bool>,
    /// `os/architecture[/variant]`; empty for the runtime's own.
    #[serde(default)]
    pub platforms: Vec<String>,
    /// `KEY=VALUE`
    #[serde(default)]
    pub build_args: Vec<String>,
    /// `KEY=VALUE`
    #[serde(default)]
    pub annotations: Vec<String>,
    /// Names of the image.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Words handed on to the program that builds.
    #[serde(default)]
    pub extra_args: Vec<String>,
    /// The level of `normalize` that the image was run through.
    #[serde(default)]
    pub normalize: Option<String>,
    /// What was built.
    pub context: Input,
    /// The Dockerfile: its path relative to the context, or absolute where it lies elsewhere.
    pub dockerfile: Input,
    /// The image's digest: of the first manifest or index that `index.json` names.
    #[serde(default)]
    pub digest: Option<String>,
    /// The digests that came out, from the archive's to the chain IDs.
    #[serde(default)]
    pub image: Vec<Rung>,
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Program {
    /// Its name.
    pub name: String,
    /// What it says its version is.
    pub version: String,
}

/// Something that goes into a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Input {
    /// Where it is: an address, or a path that means something on other machines too.
    #[serde(default)]
    pub address: Option<String>,
    /// Digest of its content, where it is on this machine.
    #[serde(default)]
    pub digest: Option<String>,
}

/// One digest of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rung {
    /// Which digest: `archive`, `index`, `manifest`, `config`, `layer`, `diff-id`, `chain-id`.
    pub rung: String,
    /// Of which platform.
    #[serde(default)]
    pub platform: Option<String>,
    /// The digest.
    pub digest: String,
}

/// Something that is not as the record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub what: String,
    /// What the record says.
    pub recorded: String,
    /// What is so now.
    pub now: String,
}

impl BuildRecord {
    /// The record of `request`, before anything came out.
    pub fn new(
        request: &BuildRequest,
        runtime_version: &str,
        observer: &dyn Observer,
    ) -> Result<BuildRecord> {
        let (buildkit_image, builder) = match &request.builder {
            BuildKit::Image { reference, .. } => (Some(reference.clone()), None),
            BuildKit::Existing(name) => (None, Some(name.clone())),
        };
        let (root, address) = match &request.context {
            Context::Local(root) => (Some(Path::new(root)), None),
            Context::Remote(address) => (None, Some(address.clone())),
        };
        let file = request.file.as_ref().map(|file| {
            let relative = root.and_then(|root| Path::new(file).strip_prefix(root).ok());
            relative.and_then(Path::to_str).map_or_else(|| file.clone(), str::to_owned)
        });
        let digest = |digest: Option<crate::digest::Digest>| digest.map(|digest| digest.to_string());
        Ok(BuildRecord {
            schema: SCHEMA,
            tool: Program {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            runtime: Program {
                name: request.runtime.name.to_owned(),
                version: runtime_version.trim().to_owned(),
            },
            buildkit_image,
            builder,
            rootless: request.rootless,
            source_date_epoch: request.source_date_epoch,
            cache: request.cache,
            exporter: request.exporter.name().to_owned(),
            oci_mediatypes: request.effective_oci_mediatypes(),
            platforms: request.platforms.clone(),
            build_args: request.build_args.clone(),
            annotations: request.annotations.clone(),
            tags: request.tags.clone(),
            extra_args: request.extra_args.clone(),
            normalize: None,
            context: Input { address, digest: digest(context_digest(request, observer)?) },
            dockerfile: Input { address: file, digest: digest(dockerfile_digest(request)?) },
            digest: None,
            image: Vec::new(),
        })
    }

    /// Reads a record.
    pub fn parse(json: &[u8]) -> Result<BuildRecord> {
        let wrong = |why: String| Error::usage(format!("this is no build record: {why}"));
        let record: BuildRecord = serde_json::from_slice(json)
            .map_err(|error| wrong(escape(error.to_string().as_bytes()).into()))?;
        match record.schema {
            1..=SCHEMA => Ok(record),
            other => Err(wrong(format!("its schema is {other}, and this program reads 1 to {SCHEMA}"))),
        }
    }

    /// The record as JSON, with a line end after it.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(self);
        json.map(|json| json + "\n").map_err(|error| Error::usage(format!("the record is no JSON: {error}")))
    }

    /// The flags that ask for the same build of `context`. Whatever the user types now (output, another Dockerfile or
    /// runtime) is put over them before they are resolved.
    pub fn flags(&self, context: &str) -> Result<Builder> {
        let exporter = Exporter::by_name(&self.exporter).ok_or_else(|| {
            Error::usage(format!(
                "the record asks for an unknown exporter '{}'",
                escape(self.exporter.as_bytes())
            ))
        })?;
        let extra = shlex::try_join(self.extra_args.iter().map(String::as_str))
            .map_err(|_| Error::usage("the record's extra arguments hold a NUL"))?;
        let extra = Some(extra).filter(|extra| !extra.is_empty());
        let option = Runtime::by_name(&self.runtime.name).map(|runtime| runtime.args_option);
        let extra_for = |name| extra.clone().filter(|_| option == Some(name));
        let file = self.dockerfile.address.as_ref().map(|file| match &self.context.address {
            Some(_) => file.clone(),
            None => Path::new(context).join(file).to_string_lossy().into_owned(),
        });
        Ok(Builder {
            runtime: Some(self.runtime.name.clone()),
            source_date_epoch: Some(self.source_date_epoch.to_string()),
            buildkit_image: self.buildkit_image.clone(),
            builder: self.builder.clone(),
            no_cache: !self.cache,
            rootless: self.rootless,
            file,
            tags: self.tags.clone(),
            build_args: self.build_args.clone(),
            annotations: self.annotations.clone(),
            platforms: self.platforms.clone(),
            buildkit_args: extra_for("--buildkit-args"),
            buildx_args: extra_for("--buildx-args"),
            exporter: Some(exporter),
            oci_mediatypes: self.oci_mediatypes,
            context: context.to_owned(),
            ..Builder::default()
        })
    }

    /// What of `now` is not as in this record: the context first, then the other things that go in, then what came
    /// out.
    pub fn differences(&self, now: &BuildRecord) -> Vec<Difference> {
        let some = |text: &Option<String>| text.clone().unwrap_or_else(absent);
        let list = |values: &[String]| if values.is_empty() { absent() } else { values.join(", ") };
        let fields = |record: &BuildRecord| {
            [
                ("context address", some(&record.context.address)),
                ("context", some(&record.context.digest)),
                ("Dockerfile", some(&record.dockerfile.digest)),
                ("SOURCE_DATE_EPOCH", record.source_date_epoch.to_string()),
                ("BuildKit image", some(&record.buildkit_image)),
                ("builder", some(&record.builder)),
                ("build args", list(&record.build_args)),
                ("annotations", list(&record.annotations)),
                ("tags", list(&record.tags)),
                ("platforms", list(&record.platforms)),
                ("exporter", record.exporter.clone()),
                ("OCI media types", some(&record.oci_mediatypes.map(|value| value.to_string()))),
                ("extra arguments", list(&record.extra_args)),
                ("normalize", some(&record.normalize)),
                ("runtime", record.runtime.name.clone()),
                ("runtime's version", record.runtime.version.clone()),
                ("rootless", record.rootless.to_string()),
                ("repro-build's version", record.tool.version.clone()),
            ]
        };
        let inputs = fields(self)
            .into_iter()
            .zip(fields(now))
            .map(|((what, recorded), (_, now))| (what.to_owned(), recorded, now));
        let inputs = inputs.filter(|(_, recorded, now)| recorded != now);
        let inputs = inputs.map(|(what, recorded, now)| Difference { what, recorded, now });
        inputs.chain(rung_differences(&self.image, &now.image)).collect()
    }
}

/// Which digests of two images differ.
pub fn rung_differences(recorded: &[Rung], now: &[Rung]) -> Vec<Difference> {
    let digest = |rung: Option<&Rung>| rung.map_or_else(absent, |rung| rung.digest.clone());
    let pairs = (0..recorded.len().max(now.len())).map(|i| (recorded.get(i), now.get(i)));
    let differing = pairs.filter(|(recorded, now)| recorded != now);
    differing
        .map(|(recorded, now)| Difference {
            what: recorded.or(now).map_or_else(String::new, Rung::name),
            recorded: digest(recorded),
            now: digest(now),
        })
        .collect()
}

fn absent() -> String {
    "(none)".to_owned()
}

impl Rung {
    fn name(&self) -> String {
        match &self.platform {
            Some(platform) => format!("{} ({platform})", self.rung),
            None => self.rung.clone(),
        }
    }
}
