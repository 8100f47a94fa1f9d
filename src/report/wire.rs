//! The values every report is made of: owned, complete, and the types of the published JSON schema.
//!
//! Additive only: fields are never renamed or removed within one schema version. Names and paths from archives are
//! escaped (see [`crate::escape`]), which loses nothing. Sizes are bytes.

use serde::Serialize;

use crate::{
    codec::Compression,
    digest::{DiffId, Digest},
    grade::Grade,
    image::{Image, ImageKind, Layer},
    inspect::Inspected,
    ladder::Ladder,
    measure::{Counts, LayerFault},
    verify::{Finding, Status},
};

/// Version of the schema.
pub const SCHEMA: &str = "repro-build.report/1";

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// The command that made the report.
    pub command: &'static str,
    /// One record for each input, in the order they were given.
    pub inputs: Vec<Input>,
    /// Totals.
    pub summary: Summary,
}

/// Totals of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The name it was given by.
    pub name: String,
    /// How it fared.
    pub outcome: Outcome,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `oci`, `docker`, `oci+docker` or `none`.
    pub layout: &'static str,
    /// How the archive as a whole is compressed.
    pub outer: &'static str,
    /// The digest of the first manifest or index that `index.json` names.
    pub image_digest: Option<Digest>,
    /// SHA-256 of the input file, where it was asked for.
    pub archive_digest: Option<Digest>,
    /// The images that were looked at.
    pub images: Vec<ImageRecord>,
    /// What is wrong or odd, errors first.
    pub findings: Vec<Finding>,
    /// How each check ended.
    pub checks: Vec<CheckRecord>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CheckRecord {
    /// The check's id.
    pub id: &'static str,
    /// `pass`, `note`, `warning`, `error` or `skipped`.
    pub status: &'static str,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// One image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageRecord {
    /// `image`, `attestation` or `artifact`.
    pub kind: &'static str,
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
#[derive(Clone, Debug, Serialize)]
pub struct LayerRecord {
    /// Digest of the layer as its descriptor gives it.
    pub digest: Option<Digest>,
    /// Whether the content has that digest; `None` if nothing was claimed or measured.
    pub digest_ok: Option<bool>,
    /// Media type as written.
    pub media_type: String,
    /// What the bytes are.
    pub compression: Option<&'static str>,
    /// What made the compressed stream, as far as can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
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

impl Input {
    /// The record of an input that was inspected.
    pub fn of(inspected: &Inspected<'_>) -> Input {
        let graph = inspected.graph;
        Input {
            name: crate::escape::escape(inspected.source.name().as_bytes()).into_owned(),
            outcome: if inspected.verdict.passed() { Outcome::Pass } else { Outcome::Fail },
            error: None,
            layout: graph.layout(),
            outer: inspected.source.outer().name(),
            image_digest: inspected.headline(),
            archive_digest: inspected.facts.archive,
            images: inspected.images.iter().map(|image| ImageRecord::of(inspected, image)).collect(),
            findings: inspected.verdict.findings.clone(),
            checks: inspected
                .verdict
                .statuses
                .iter()
                .map(|(id, status)| CheckRecord::of(id, *status))
                .collect(),
        }
    }

    /// The record of an input that could not be read.
    pub fn unreadable(name: &str, error: &crate::error::Error) -> Input {
        Input {
            name: crate::escape::escape(name.as_bytes()).into_owned(),
            outcome: Outcome::Unreadable,
            error: Some(error.to_string()),
            layout: "none",
            outer: Compression::Plain.name(),
            image_digest: None,
            archive_digest: None,
            images: Vec::new(),
            findings: Vec::new(),
            checks: Vec::new(),
        }
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
        CheckRecord { id, status, reason }
    }
}

impl ImageRecord {
    fn of(inspected: &Inspected<'_>, image: &Image) -> ImageRecord {
        let kind = match image.kind {
            ImageKind::Image => "image",
            ImageKind::Attestation => "attestation",
            ImageKind::Artifact => "artifact",
        };
        let escaped = |text: &str| crate::escape::escape(text.as_bytes()).into_owned();
        let config = inspected.graph.config(image);
        let layers = image.layers.iter().enumerate().map(|(i, layer)| {
            let expected = config.and_then(|config| config.diff_ids.get(i).copied().flatten());
            LayerRecord::of(inspected, layer, expected)
        });
        ImageRecord {
            kind,
            names: image.names.iter().map(|name| escaped(name)).collect(),
            platform: image.platform.as_ref().map(|platform| escaped(&platform.to_string())),
            complete: image.complete,
            ladder: inspected.ladder(image),
            layers: layers.collect(),
        }
    }
}

impl LayerRecord {
    fn of(inspected: &Inspected<'_>, layer: &Layer, expected: Option<DiffId>) -> LayerRecord {
        let blob = layer.blob.and_then(|blob| inspected.facts.blobs.get(&blob));
        let facts = blob.and_then(|blob| blob.layer.as_ref());
        let measured = layer.digest.and_then(|digest| blob?.digest(digest.algorithm()));
        let diff_id = facts.and_then(|facts| {
            expected.and_then(|id| facts.diff_id(id.0.algorithm())).or(facts.diff_ids.first().copied())
        });
        let inspected = facts.filter(|facts| !matches!(facts.fault, Some(LayerFault::NotInspected)));
        LayerRecord {
            digest: layer.digest.or_else(|| blob?.digests.first().copied()),
            digest_ok: measured.map(|measured| Some(measured) == layer.digest),
            media_type: crate::escape::escape(layer.media_type.as_bytes()).into_owned(),
            compression: facts.map(|facts| facts.compression.name()),
            encoder: facts.and_then(|facts| facts.fingerprint.as_ref()).map(|made| made.maker.to_string()),
            size: blob.map(|blob| blob.size),
            unpacked: inspected.map(|facts| facts.unpacked),
            diff_id,
            diff_id_ok: diff_id.zip(expected).map(|(actual, expected)| actual == expected),
            counts: inspected.map(|facts| facts.counts),
        }
    }
}

impl Report {
    /// A report of `inputs`.
    pub fn new(command: &'static str, inputs: Vec<Input>) -> Report {
        let count = |outcome| inputs.iter().filter(|input| input.outcome == outcome).count();
        let summary = Summary {
            inputs: inputs.len(),
            passed: count(Outcome::Pass),
            failed: count(Outcome::Fail),
            unreadable: count(Outcome::Unreadable),
        };
        Report { schema: SCHEMA, version: env!("CARGO_PKG_VERSION"), command, inputs, summary }
    }
}
