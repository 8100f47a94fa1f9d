//! Digests and sizes of content.

use super::super::{Case, check::Hit};
use crate::image::BlobId;

pub(super) fn digest(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (position, blob) in case.graph.blobs.iter().enumerate() {
        let Some(facts) = case.facts.blobs.get(&BlobId::at(position)) else { continue };
        for claim in &blob.claims {
            let actual = facts.digest(claim.digest.algorithm());
            if let Some(actual) = actual.filter(|actual| *actual != claim.digest) {
                let detail = format!("expected {}, found {actual}; named by {}", claim.digest, claim.at);
                hits.push(Hit::new(blob.at.clone(), detail));
            }
        }
    }
    hits
}

pub(super) fn size(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (position, blob) in case.graph.blobs.iter().enumerate() {
        let actual = case.graph.content(BlobId::at(position)).len() as u64;
        for claim in &blob.claims {
            if let Some(expected) = claim.size.filter(|expected| *expected != actual) {
                let detail = format!("expected {expected} bytes, found {actual}; {}", blob.at);
                hits.push(Hit::new(claim.at.clone(), detail));
            }
        }
    }
    hits
}

pub(super) fn unreferenced(case: &Case<'_>) -> Vec<Hit> {
    case.facts
        .unreferenced
        .iter()
        .map(|(entry, _)| {
            let bytes = case.graph.index.bytes(*entry).len();
            Hit::new(
                case.graph.at.then(case.graph.index.entry(*entry).path().to_vec()),
                format!("{bytes} bytes"),
            )
        })
        .collect()
}

pub(super) fn unreferenced_digest(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (entry, digest) in &case.facts.unreferenced {
        let path = case.graph.index.entry(*entry).path();
        if path != digest.blob_path().as_bytes() {
            hits.push(Hit::new(case.graph.at.then(path), format!("found {digest}")));
        }
    }
    hits
}
