//! The published JSON schema, made from the wire types; a test holds docs/report-schema.json to it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};

use super::{
    listing::Record,
    wire::{Line, Report},
    wire_diff::DiffReport,
    wire_normalize::NormalizeReport,
};
use crate::{
    build::BuildRecord,
    digest::{ChainId, DiffId, Digest},
};

/// What any command writes as JSON, or one line of what it writes as newline-delimited JSON.
#[derive(JsonSchema)]
#[schemars(untagged, title = "repro-build report", rename = "repro-build.report/1")]
#[expect(dead_code, reason = "only its schema is wanted")]
enum Document {
    /// `analyze`, `verify` and `merge`, `--format json`.
    Report(Report),
    /// `analyze`, `verify` and `merge`, `--format ndjson`, one line.
    Line(Line),
    /// `diff --format json`.
    Diff(DiffReport),
    /// `normalize --format json`.
    Normalize(NormalizeReport<'static>),
    /// `ls --format json`.
    Listing(Vec<Record<'static>>),
    /// `ls --format ndjson`, one line.
    Listed(Record<'static>),
    /// `build --record`.
    Build(BuildRecord),
}

macro_rules! digest_schema {
    ($($name:ident $about:literal)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": $about,
                    "type": "string",
                    "pattern": "^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$",
                })
            }
        }
    )*};
}

digest_schema! {
    Digest "ALGORITHM:HEX"
    DiffId "The digest of a layer's uncompressed tar stream."
    ChainId "The digest of a stack of layers."
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Document>();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report-schema.json");
    if std::env::var_os("REPRO_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, &text).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(published == text, "docs/report-schema.json is stale: REPRO_BLESS=1 cargo test --lib schema");
}
