//! What the caller expects: digests and platforms.

use super::{
    super::{Case, Options, check::Hit},
    images,
};
use crate::{
    digest::Digest,
    image::ImageKind,
    ladder::{self, Rung},
};

pub(super) fn digest_given(options: &Options) -> Result<(), &'static str> {
    if options.expect.is_empty() { Err("no digest expected") } else { Ok(()) }
}

pub(super) fn digest(case: &Case<'_>) -> Vec<Hit> {
    let known: Vec<Digest> = case
        .images
        .iter()
        .flat_map(|image| {
            let ladder = ladder::ladder(case.graph, case.facts, image);
            // An attestation's or an artifact's layers are any bytes whatever, those of another image's manifest too.
            let counts = |rung| {
                image.kind == ImageKind::Image || !matches!(rung, Rung::Layer | Rung::DiffId | Rung::ChainId)
            };
            ladder.rungs().filter(|(rung, _)| counts(*rung)).map(|(_, digest)| digest).collect::<Vec<_>>()
        })
        .chain(ladder::headline(case.graph))
        .chain(case.graph.root.map(|root| Digest::of(crate::digest::Algorithm::Sha256, case.graph.raw(root))))
        .chain(case.facts.archive)
        .collect();
    let missing = case.options.expect.iter().filter(|expected| !known.contains(expected));
    missing
        .map(|expected| {
            let found = ladder::headline(case.graph)
                .map_or(String::new(), |digest| format!(", the image is {digest}"));
            Hit::new(case.graph.at.clone(), format!("expected {expected}{found}"))
        })
        .collect()
}

pub(super) fn archive_given(options: &Options) -> Result<(), &'static str> {
    options.expect_archive.map(|_| ()).ok_or("no digest expected of the archive")
}

pub(super) fn archive(case: &Case<'_>) -> Vec<Hit> {
    let Some(expected) = case.options.expect_archive.filter(|expected| case.facts.archive != Some(*expected))
    else {
        return Vec::new();
    };
    let found = match case.facts.archive {
        Some(found) => format!("expected {expected}, it is {found}"),
        None => format!("expected {expected}, it has none: a folder, or not read to its end"),
    };
    vec![Hit::new(case.graph.at.clone(), found)]
}

pub(super) fn platform_given(options: &Options) -> Result<(), &'static str> {
    let asked = options.require_all || !options.require.is_empty();
    if asked { Ok(()) } else { Err("no platform required") }
}

pub(super) fn platform(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for wanted in &case.options.require {
        let here = |image: &crate::image::Image| {
            image.complete && image.platform.as_ref().is_some_and(|platform| platform.matches(wanted))
        };
        if !images(case).any(here) {
            hits.push(Hit::new(case.graph.at.clone(), wanted.to_string()));
        }
    }
    if case.options.require_all {
        let absent = case.graph.faults.iter().filter(|f| f.kind == crate::image::FaultKind::PlatformAbsent);
        hits.extend(absent.map(|fault| Hit::new(fault.at.clone(), fault.detail.clone())));
        let incomplete = case.graph.images.iter().filter(|image| !image.complete);
        hits.extend(incomplete.map(|image| Hit::new(image.at.clone(), "not complete")));
    }
    hits
}
