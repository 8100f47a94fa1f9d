//! SARIF 2.1.0 (OASIS): checks are its rules, findings its results.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{
    Style,
    wire::{Finding, Input, Report},
};
use crate::{
    digest::{Algorithm, Digest},
    escape::unescape,
    grade::Grade,
    verify::{Check, checks},
};

pub(super) fn write(report: &Report, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    let results: Vec<Value> = report.inputs.iter().flat_map(results).collect();
    let unreadable: Vec<Value> = report.inputs.iter().filter_map(notification).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "repro-build",
                "version": report.version,
                "rules": checks().iter().map(rule).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": unreadable.is_empty(),
                "toolExecutionNotifications": unreadable,
            }],
            "artifacts": report.inputs.iter().map(|input| json!({ "location": artifact(input) })).collect::<Vec<_>>(),
            "results": results,
            "columnKind": "unicodeCodePoints",
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn rule(check: &Check) -> Value {
    json!({
        "id": check.id,
        "shortDescription": { "text": check.title },
        "fullDescription": { "text": check.why },
        "defaultConfiguration": { "level": check.grade.name() },
        "properties": { "tags": [check.id.split('.').next().unwrap_or_default()] },
    })
}

fn results(input: &Input) -> impl Iterator<Item = Value> + '_ {
    input.findings.iter().map(move |finding| {
        let mut result = json!({
            "ruleId": finding.check,
            "level": finding.grade.name(),
            "message": { "text": message(finding) },
            "locations": [{
                "physicalLocation": { "artifactLocation": artifact(input) },
                "logicalLocations": [{ "fullyQualifiedName": finding.at, "kind": "member" }],
            }],
            "partialFingerprints": { "finding/v1": fingerprint(input, finding) },
        });
        // Without a place in the table, a rule of another version is known by its id alone.
        if let Some(index) = checks().iter().position(|check| check.id == finding.check) {
            result["ruleIndex"] = index.into();
        }
        result
    })
}

fn message(finding: &Finding) -> String {
    let Finding { title, detail, at, .. } = finding;
    if detail.is_empty() { format!("{title} (at {at})") } else { format!("{title}: {detail} (at {at})") }
}

/// What stays the same when the same finding is reported again.
fn fingerprint(input: &Input, finding: &Finding) -> String {
    let at = finding.at.strip_prefix(&input.name).unwrap_or(&finding.at);
    let of = format!("{}\n{at}\n{}", finding.check, finding.detail);
    Digest::of(Algorithm::Sha256, of.as_bytes()).hex().chars().take(32).collect()
}

/// An input that could not be read.
fn notification(input: &Input) -> Option<Value> {
    Some(json!({
        "level": Grade::Error.name(),
        "message": { "text": input.error.as_ref()? },
        "locations": [{ "physicalLocation": { "artifactLocation": artifact(input) } }],
    }))
}

/// The input as a URI reference (RFC 3986): what is not unreserved, or `/`, as %XX.
fn artifact(input: &Input) -> Value {
    let raw = unescape(&input.name).unwrap_or_else(|| input.name.clone().into_bytes());
    let mut uri = String::with_capacity(raw.len());
    for byte in raw {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    // A path that begins with two slashes would name a host.
    json!({ "uri": if uri.starts_with("//") { format!("/.{uri}") } else { uri } })
}
