//! In-toto statements: that an image of this digest was verified, and how it fared. Not signed; signing tools do that.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{
    Style,
    form::Stream,
    wire::{Header, Input, Outcome},
};

/// One Statement (in-toto v1) a line, with a predicate of type verification summary (SLSA, v1). An input without an
/// image digest has no subject a statement could be about, and no line. No time is in it: the same run gives the same
/// bytes.
pub(super) const STREAM: Stream = Stream { begin: |_, _| Ok(()), input: statement, end: |_, _, _, _| Ok(()) };

fn statement(header: &Header, input: &Input, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Some(digest) = input.headline() else { return Ok(()) };
    let digests: Map<String, Value> =
        Map::from_iter([(digest.algorithm().name().to_owned(), digest.hex().into())]);
    let passed = input.outcome == Outcome::Pass;
    let mut policy = json!({ "name": "built-in checks", "uri": format!("pkg:cargo/repro-build@{}#checks", header.version) });
    if let Some(file) = &input.policy {
        policy["name"] = file.clone().into();
    }
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": input.name, "digest": digests }],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": { "id": format!("pkg:cargo/repro-build@{}", header.version) },
            "resourceUri": input.images.iter().flat_map(|image| &image.names).next().unwrap_or(&input.name),
            "policy": policy,
            "verificationResult": if passed { "PASSED" } else { "FAILED" },
            "verifiedLevels": [if passed { "SLSA_BUILD_LEVEL_UNEVALUATED" } else { "FAILED" }],
        },
    });
    serde_json::to_writer(&mut *out, &statement)?;
    writeln!(out)
}
