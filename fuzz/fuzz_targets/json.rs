//! The JSON reader against serde_json, and each of the four kinds of document as part of an image.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_build::{json, json::FaultKind};
use repro_build_fuzz::{
    limits,
    support::{Doc, ImageBuilder, Layout},
    verdict,
};
use serde_json::Value;

/// Faults of documents that serde_json reads without a word.
const STRICTER: &[FaultKind] = &[
    FaultKind::TooLarge,
    FaultKind::DuplicateKey,
    FaultKind::CaseFoldKey,
    FaultKind::KeyCase,
    FaultKind::Depth,
];

fn same(ours: &json::Node, theirs: &Value) -> bool {
    match (&ours.value, theirs) {
        (json::Value::Null, Value::Null) => true,
        (json::Value::Bool(a), Value::Bool(b)) => a == b,
        (json::Value::Number(a), Value::Number(b)) => {
            // What is too large for a float serde_json gives as none at all.
            let float = a.parse::<f64>().ok().filter(|float| float.is_finite());
            *a == b.to_string() || float == b.as_f64()
        }
        (json::Value::String(a), Value::String(b)) => a == b,
        (json::Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (json::Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|field| b.get(&field.key).is_some_and(|b| same(&field.node, b)))
        }
        _ => false,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    let ours = json::parse(text, &limits());
    let theirs = serde_json::from_slice::<Value>(text);
    match (&ours.root, &theirs) {
        (Some(root), Ok(theirs)) if ours.faults.is_empty() => assert!(same(root, theirs)),
        (_, Err(error)) => assert!(!ours.faults.is_empty(), "serde_json: {error}"),
        _ => assert!(ours.faults.iter().all(|f| STRICTER.contains(&f.kind)), "{:?}", ours.faults),
    }
    let doc = match kind % 4 {
        0 => Doc::Index,
        1 => Doc::Manifest(0),
        2 => Doc::Config(0),
        _ => Doc::DockerManifest,
    };
    let layout = if doc == Doc::DockerManifest { Layout::Docker } else { Layout::Oci };
    let text = text.to_vec();
    let good = ImageBuilder::good().layout(layout);
    let archive = good.text(doc, move |bytes| *bytes = [text.as_slice(), b" "].concat()).tar();
    let verdict = verdict(&archive).expect("it is an image");
    if theirs.is_err() {
        assert!(!verdict.passed(), "a document that is not JSON passes");
    }
});
