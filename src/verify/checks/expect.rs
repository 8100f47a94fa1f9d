//! What the caller expects: digests and platforms.

use std::collections::HashSet;

use super::{
    super::{Case, Options, check::Hit},
    images,
};
use crate::{
    digest::Digest,
    escape::escape,
    image::{Image, ImageKind},
    ladder::{self, Rung},
};

pub(super) fn digest_given(options: &Options) -> Result<(), &'static str> {
    if options.expect.is_empty() { Err("no digest expected") } else { Ok(()) }
}

pub(super) fn digest(case: &Case<'_>) -> Vec<Hit> {
    let ladders: Vec<_> =
        case.images.iter().map(|image| (image.kind, ladder::ladder(case.graph, case.facts, image))).collect();
    let known: Vec<Digest> = ladders
        .iter()
        .flat_map(|(kind, ladder)| {
            // An attestation's or an artifact's layers are any bytes whatever, those of another image's manifest too.
            let counts = |rung| {
                *kind == ImageKind::Image || !matches!(rung, Rung::Layer | Rung::DiffId | Rung::ChainId)
            };
            ladder.rungs().filter(move |(rung, _)| counts(*rung)).map(|(_, digest)| digest)
        })
        .chain(ladder::headline(case.graph))
        .chain(case.graph.root.map(|root| Digest::of(crate::digest::Algorithm::Sha256, case.graph.raw(root))))
        .chain(case.facts.archive)
        .collect();
    let missing: Vec<_> = case.options.expect.iter().filter(|expected| !known.contains(expected)).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let images = ladders.iter().filter(|(kind, _)| *kind == ImageKind::Image);
    let images = images.filter_map(|(_, ladder)| ladder.manifest.or(ladder.config));
    let there =
        there(ladder::headline(case.graph).into_iter().chain(images).map(|digest| digest.to_string()));
    let hit = |expected| Hit::new(case.graph.at.clone(), format!("expected {expected}, {there}"));
    missing.into_iter().map(hit).collect()
}

/// Most things that are named of what there is.
const NAMED: usize = 10;

/// What there is, in words: each once, in this order.
fn there(all: impl Iterator<Item = String>) -> String {
    let mut seen = HashSet::new();
    let mut names: Vec<String> = all.filter(|name| seen.insert(name.clone())).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match (names.is_empty(), more) {
        (true, _) => "there is no image".to_owned(),
        (false, 0) => format!("there is {}", names.join(", ")),
        (false, _) => format!("there is {} and {more} more", names.join(", ")),
    }
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
        let here = |image: &Image| {
            image.complete && image.platform.as_ref().is_some_and(|platform| platform.matches(wanted))
        };
        if !images(case).any(here) {
            let there = there(images(case).map(platform_of));
            hits.push(Hit::new(case.graph.at.clone(), format!("{wanted}, {there}")));
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

fn platform_of(image: &Image) -> String {
    let platform = image.platform.as_ref().map_or("an image of no platform".to_owned(), ToString::to_string);
    let state = if image.complete { "" } else { " (not complete)" };
    format!("{}{state}", escape(platform.as_bytes()))
}
