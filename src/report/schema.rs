//! The published JSON schema, made from the wire types; a test holds docs/report-schema.json to it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};

use super::wire::{Line, Report};
use crate::digest::{ChainId, DiffId, Digest};

/// What `--format json` writes, or one line of what `--format ndjson` writes.
#[derive(JsonSchema)]
#[schemars(untagged, title = "repro-build report", rename = "repro-build.report/1")]
#[expect(dead_code, reason = "only its schema is wanted")]
enum Document {
    Report(Report),
    Line(Line),
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
    let schema = schema_for!(Document);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report-schema.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(published == text, "docs/report-schema.json is stale: run the tests with UPDATE_DOCS=1");
}
