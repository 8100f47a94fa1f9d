//! The values every report is made of: owned, complete, and the types of the published JSON schema.
//!
//! Additive only: fields are never renamed or removed within one schema version. Names and paths from archives are
//! escaped (see [`crate::escape`]), which loses nothing. Sizes are bytes.

use std::{borrow::Cow, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    codec::Compression,
    digest::{DiffId, Digest},
    escape::escape,
    grade::Grade,
    image::{Image, ImageKind, Layer},
    inspect::Inspected,
    ladder::Ladder,
    measure::Counts,
    policy::Policy,
    shard::Shard,
    verify::{self, Status},
};

/// Version of the schema.
pub const SCHEMA: &str = "repro-build.report/1";

/// Text that is mostly one of ours and then costs nothing.
type Text = Cow<'static, str>;

/// A whole run.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// Always `repro-build.report/1` in this version.
    pub schema: Text,
    /// The program's version.
    pub version: Text,
    /// The command that made the report.
    pub command: Text,
    /// One record for each input, in the order they were given.
    pub inputs: Vec<Input>,
    /// Totals.
    pub summary: Summary,
}

/// What is known of a run before its first input is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Header {
    /// Always `repro-build.report/1` in this version.
    pub schema: Text,
    /// The program's version.
    pub version: Text,
    /// The command that makes the report.
    pub command: Text,
    /// Records that follow, if the run comes to its end.
    pub inputs: usize,
    /// Which part of a larger run this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// SHA-256 over the names of all inputs of the larger run: shards of one run agree in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Digest>,
    /// Whether the digests of the input files themselves are reported (directories have none).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archive_digests: bool,
}

/// One line of a newline-delimited report: a header, the inputs, a footer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Line<I = Box<Input>> {
    /// The first line.
    Header(Header),
    /// One input.
    Input(I),
    /// The last line. Without it, or with fewer inputs than the header promised, the run did not come to its end.
    Footer(Summary),
}

/// Totals of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Inputs.
    pub inputs: usize,
    /// Inputs that passed.
    pub passed: usize,
    /// Inputs with at least one error.
    pub failed: usize,
    /// Inputs that could not be read as images.
    pub unreadable: usize,
}

/// How an input fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// No error.
    Pass,
    /// At least one error.
    Fail,
    /// Not to be read as an image.
    Unreadable,
}

/// One input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Input {
    /// Its place in the list of inputs, counted from 1.
    pub position: usize,
    /// The name it was given by.
    pub name: String,
    /// How it fared.
    pub outcome: Outcome,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The policy file it was held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The digest of that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<Digest>,
    /// `oci`, `docker`, `oci+docker` or `none`.
    pub layout: Text,
    /// How the archive as a whole is compressed.
    pub outer: Text,
    /// The digest of the first manifest or index that `index.json` names.
    pub image_digest: Option<Digest>,
    /// SHA-256 of the input file, where it was asked for.
    pub archive_digest: Option<Digest>,
    /// Whether it holds images that were not asked for and not looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub narrowed: bool,
    /// The images that were looked at.
    pub images: Vec<ImageRecord>,
    /// What is wrong or odd, errors first.
    pub findings: Vec<Finding>,
    /// How each check ended.
    pub checks: Vec<CheckRecord>,
}

/// One thing that is wrong or odd.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The check's id.
    pub check: Text,
    /// How much it matters here.
    pub grade: Grade,
    /// What is wrong.
    pub title: Text,
    /// Where: containers from the outside in, then a JSON pointer or a byte offset.
    pub at: String,
    /// The values that matter, in words. May be empty.
    pub detail: String,
}

/// How a check ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckRecord {
    /// The check's id.
    pub id: Text,
    /// `pass`, `note`, `warning`, `error` or `skipped`.
    pub status: Text,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
}

/// One image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageRecord {
    /// `image`, `attestation` or `artifact`.
    pub kind: Text,
    /// Its names.
    pub names: Vec<String>,
    /// `os/architecture[/variant]`.
    pub platform: Option<String>,
    /// Whether all of it is in the archive.
    pub complete: bool,
    /// Its digests.
    pub ladder: Ladder,
    /// Its layers, lowest first.
    pub layers: Vec<LayerRecord>,
}

/// One layer of one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LayerRecord {
    /// Digest of the layer as its descriptor gives it.
    pub digest: Option<Digest>,
    /// Whether the content has that digest; `None` if nothing was claimed or measured.
    pub digest_ok: Option<bool>,
    /// Media type as written.
    pub media_type: String,
    /// What the bytes are.
    pub compression: Option<Text>,
    /// What made the gzip stream, as far as can be told: `go` (up to Go 1.26), `go-1.27`, `pgzip`, `gzip`, `pigz`,
    /// `zlib`, …, or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// Bytes as stored; `None` if the layer is not here.
    pub size: Option<u64>,
    /// Bytes of the tar stream.
    pub unpacked: Option<u64>,
    /// Digest of the tar stream.
    pub diff_id: Option<DiffId>,
    /// Whether the configuration names that diff_id; `None` if there was nothing to compare.
    pub diff_id_ok: Option<bool>,
    /// Members by kind; `None` if the layer was not opened.
    pub counts: Option<Counts>,
}

impl Header {
    /// The header of a run of `command` over that many inputs.
    pub fn new(command: &'static str, inputs: usize) -> Header {
        let (schema, version) = (SCHEMA.into(), env!("CARGO_PKG_VERSION").into());
        Header {
            schema,
            version,
            command: command.into(),
            inputs,
            shard: None,
            list: None,
            archive_digests: false,
        }
    }
}

impl Summary {
    /// Counts one more input.
    pub fn add(&mut self, input: &Input) {
        self.inputs += 1;
        *match input.outcome {
            Outcome::Pass => &mut self.passed,
            Outcome::Fail => &mut self.failed,
            Outcome::Unreadable => &mut self.unreadable,
        } += 1;
    }
}

impl From<&verify::Finding> for Finding {
    fn from(finding: &verify::Finding) -> Finding {
        Finding {
            check: finding.check.into(),
            grade: finding.grade,
            title: finding.title.into(),
            at: finding.at.to_string(),
            detail: finding.detail.clone(),
        }
    }
}

impl Input {
    /// The record of an input that was inspected.
    pub fn of(inspected: &Inspected<'_>) -> Input {
        let graph = inspected.graph;
        Input {
            position: 1,
            name: escape(inspected.source.name()).into_owned(),
            outcome: if inspected.verdict.passed() { Outcome::Pass } else { Outcome::Fail },
            error: None,
            policy: None,
            policy_digest: None,
            layout: graph.layout().into(),
            outer: inspected.source.outer().name().into(),
            image_digest: inspected.headline(),
            archive_digest: inspected.facts.archive,
            narrowed: inspected.images.len() < graph.images.len(),
            images: inspected.images.iter().map(|image| ImageRecord::of(inspected, image)).collect(),
            findings: inspected.verdict.findings.iter().map(Finding::from).collect(),
            checks: inspected
                .verdict
                .statuses
                .iter()
                .map(|(id, status)| CheckRecord::of(id, *status))
                .collect(),
        }
    }

    /// Notes the policy that the input was held to, and the file it is from.
    pub fn held_to(&mut self, policy: &Policy, file: &Path) {
        self.policy = Some(escape(file.as_os_str().as_encoded_bytes()).into_owned());
        self.policy_digest = policy.digest();
    }

    /// The record of an input that could not be read.
    pub fn unreadable(name: &[u8], error: &crate::error::Error) -> Input {
        Input {
            position: 1,
            name: escape(name).into_owned(),
            outcome: Outcome::Unreadable,
            error: Some(error.to_string()),
            policy: None,
            policy_digest: None,
            layout: "none".into(),
            outer: Compression::Plain.name().into(),
            image_digest: None,
            archive_digest: None,
            narrowed: false,
            images: Vec::new(),
            findings: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// The digest that stands for the input: the image digest, or in a docker-archive, which has none, the first
    /// image's ID.
    pub fn headline(&self) -> Option<Digest> {
        self.image_digest.or_else(|| self.images.first().and_then(|image| image.ladder.config))
    }

    /// How many checks that can fail it the caller left out.
    pub fn left_out(&self) -> usize {
        let Status::Skipped(left_out) = Status::LEFT_OUT else { return 0 };
        let fails =
            |id: &str| verify::checks().iter().any(|check| check.id == id && check.grade == Grade::Error);
        let skipped = self.checks.iter().filter(|check| check.reason.as_deref() == Some(left_out));
        skipped.filter(|check| fails(&check.id)).count()
    }

    /// Whether everything that `digest` vouches for was looked at: an index vouches for all its images.
    pub fn covers(&self, digest: Digest) -> bool {
        let own = |image: &ImageRecord| [image.ladder.manifest, image.ladder.config].contains(&Some(digest));
        !self.narrowed || self.images.iter().any(own)
    }

    /// Bytes that its layers take as stored.
    pub fn stored(&self) -> u64 {
        let layers = self.images.iter().flat_map(|image| &image.layers);
        layers.filter_map(|layer| layer.size).fold(0, u64::saturating_add)
    }

    /// How many findings are of a grade.
    pub fn count(&self, grade: Grade) -> usize {
        self.findings.iter().filter(|finding| finding.grade == grade).count()
    }
}

impl CheckRecord {
    fn of(id: &'static str, status: Status) -> CheckRecord {
        let (status, reason) = match status {
            Status::Pass => ("pass", None),
            Status::Found(grade) => (grade.name(), None),
            Status::Skipped(reason) => ("skipped", Some(reason)),
        };
        CheckRecord { id: id.into(), status: status.into(), reason: reason.map(Text::from) }
    }
}

impl ImageRecord {
    fn of(inspected: &Inspected<'_>, image: &Image) -> ImageRecord {
        let kind = match image.kind {
            ImageKind::Image => "image",
            ImageKind::Attestation => "attestation",
            ImageKind::Artifact => "artifact",
        };
        let escaped = |text: &str| escape(text.as_bytes()).into_owned();
        let config = inspected.graph.config(image);
        let layers = image.layers.iter().enumerate().map(|(i, layer)| {
            let expected = config.and_then(|config| config.diff_ids.get(i).copied().flatten());
            LayerRecord::of(inspected, layer, expected)
        });
        ImageRecord {
            kind: kind.into(),
            names: image.names.iter().map(|name| escaped(name)).collect(),
            platform: image.platform.as_ref().map(|platform| escaped(&platform.to_string())),
            complete: image.complete,
            ladder: inspected.ladder(image),
            layers: layers.collect(),
        }
    }
}

impl LayerRecord {
    /// What it is compressed with, for people.
    pub fn packing(&self) -> &str {
        match (&self.compression, self.size) {
            (Some(compression), _) => compression,
            (None, Some(_)) => "-",
            (None, None) => "absent",
        }
    }

    fn of(inspected: &Inspected<'_>, layer: &Layer, expected: Option<DiffId>) -> LayerRecord {
        let blob = layer.blob.and_then(|blob| inspected.facts.blobs.get(&blob));
        let facts = blob.and_then(|blob| blob.layer.as_deref());
        let measured = layer.digest.and_then(|digest| blob?.digest(digest.algorithm()));
        let inspected = facts.filter(|facts| !facts.is_opaque(layer.media));
        let diff_id = inspected.and_then(|facts| {
            expected.and_then(|id| facts.diff_id(id.0.algorithm())).or(facts.diff_ids.first().copied())
        });
        LayerRecord {
            digest: layer.digest.or_else(|| blob?.digests.first().copied()),
            digest_ok: measured.map(|measured| Some(measured) == layer.digest),
            media_type: escape(layer.media_type.as_bytes()).into_owned(),
            compression: facts.map(|facts| facts.compression.name().into()),
            encoder: facts
                .and_then(|facts| facts.fingerprint.as_ref())
                .map(|made| made.maker.name().to_owned()),
            size: blob.map(|blob| blob.size),
            unpacked: inspected.map(|facts| facts.unpacked),
            diff_id,
            diff_id_ok: diff_id.zip(expected).map(|(actual, expected)| actual == expected),
            counts: inspected.map(|facts| facts.counts),
        }
    }
}
