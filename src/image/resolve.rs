//! Resolving: from an archive's root documents to everything they refer to, and whether that is an image.

use std::collections::{HashMap, HashSet};

use super::{
    Descriptor, DocId, FaultKind, ImageGraph, ImageKind, Node, Target, docker, images::name_of, oci,
    resolver::Resolver,
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
    resolver.graph.images = std::mem::take(&mut resolver.images.list);
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
    let mut above: HashMap<DocId, Vec<DocId>> = HashMap::new();
    let (mut complete, mut lacking) = (Vec::new(), Vec::new());
    for (position, document) in graph.documents.iter().enumerate() {
        let (Node::Index(children), id) = (&document.node, DocId::at(position)) else { continue };
        for child in children {
            match child.target.blob().and_then(|blob| graph.document_of(blob)) {
                Some(child) => above.entry(child).or_default().push(id),
                None if child.target == Target::Absent => lacking.push(id),
                None => {}
            }
        }
    }
    for image in &graph.images {
        let Some(manifest) = image.manifest else { continue };
        match image.kind {
            _ if !image.complete => lacking.push(manifest),
            ImageKind::Image => complete.push(manifest),
            _ => {}
        }
    }
    let [complete, lacking] = [complete, lacking].map(|below| upwards(&above, below));
    let lacks = |entry: &&Descriptor| match entry.target.blob().map(|blob| graph.document_of(blob)) {
        Some(id) => id.is_some_and(|id| lacking.contains(&id) && !complete.contains(&id)),
        None => entry.target == Target::Absent,
    };
    let entries = graph.children(root).iter().filter(lacks);
    entries.map(|entry| (entry.at.clone(), name_of(entry).unwrap_or_default().to_owned())).collect()
}

/// All documents that these stand below, and these.
fn upwards(above: &HashMap<DocId, Vec<DocId>>, mut below: Vec<DocId>) -> HashSet<DocId> {
    let mut found = HashSet::new();
    while let Some(id) = below.pop() {
        if found.insert(id) {
            below.extend(above.get(&id).into_iter().flatten());
        }
    }
    found
}
