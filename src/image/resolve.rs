//! Resolving: from an archive's root documents to everything they refer to, and whether that is an image.

use std::collections::{HashMap, HashSet};

use super::{
    Descriptor, DocId, FaultKind, Image, ImageGraph, ImageKind, Target, docker, oci, resolver::Resolver,
};
use crate::{
    archive::{EntryIndex, Found},
    escape::escape,
    grade::Grade,
    limits::Limits,
    location::Location,
};

/// Reads every document of an archive, from its root documents on.
pub fn resolve<'a>(index: &'a EntryIndex<'a>, at: Location, limits: &Limits) -> ImageGraph<'a> {
    let mut resolver = Resolver::new(index, at, limits);
    oci::resolve(&mut resolver);
    docker::resolve(&mut resolver);
    judge_completeness(&mut resolver);
    resolver.graph
}

fn judge_completeness(resolver: &mut Resolver<'_>) {
    let unreadable = resolver
        .graph
        .images
        .iter()
        .filter(|image| image.kind == ImageKind::Image && resolver.graph.config(image).is_none());
    let places: Vec<Location> = unreadable.map(|image| image.at.clone()).collect();
    for at in places {
        resolver.fault(FaultKind::ConfigUnreadable, &at, "");
    }
    for (at, name) in incomplete(&resolver.graph) {
        resolver.fault(FaultKind::NoCompleteImage, &at, escape(name.as_bytes()));
    }
    let graph = &resolver.graph;
    let at = graph.at.clone();
    if graph.root.is_none() && graph.docker.is_none() {
        // What is wrong with one that is there, but cannot be read, is said already.
        if [oci::INDEX, docker::MANIFEST].iter().all(|name| graph.index.find(name) == Found::Missing) {
            resolver.fault(FaultKind::NoIndex, &at, "");
        }
    } else if graph.images.is_empty() && graph.faults.iter().all(|f| f.kind.grade() != Grade::Error) {
        resolver.fault(FaultKind::NoImages, &at, "");
    }
}

/// The entries of `index.json`, or without one of `manifest.json`, that lack something and lead to no image that is
/// complete. What other entries lead to does not help: importing any of them fails.
fn incomplete(graph: &ImageGraph<'_>) -> Vec<(Location, String)> {
    let Some(root) = graph.root else {
        let images = graph.images.iter().filter(|image| !image.complete);
        return images.map(|image| (image.at.clone(), image.names.join(", "))).collect();
    };
    let images: HashMap<DocId, &Image> =
        graph.images.iter().filter_map(|image| Some((image.manifest?, image))).collect();
    let lacks = |entry: &&Descriptor| {
        let (mut complete, mut lacking) = (false, false);
        let (mut seen, mut rest) = (HashSet::new(), vec![*entry]);
        while let Some(descriptor) = rest.pop() {
            lacking |= descriptor.target == Target::Absent;
            let document = descriptor.target.blob().and_then(|blob| graph.document_of(blob));
            let Some(id) = document.filter(|id| seen.insert(*id)) else { continue };
            rest.extend(graph.children(id));
            if let Some(image) = images.get(&id) {
                complete |= image.complete && image.kind == ImageKind::Image;
                lacking |= !image.complete;
            }
        }
        lacking && !complete
    };
    let entries = graph.children(root).iter().filter(lacks);
    entries.map(|entry| (entry.at.clone(), oci::names_of(entry).join(", "))).collect()
}
