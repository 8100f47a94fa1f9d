//! Resolving: from an archive's root documents to everything they refer to, and whether that is an image.

use super::{FaultKind, ImageGraph, ImageKind, docker, oci, resolver::Resolver};
use crate::{archive::EntryIndex, limits::Limits, location::Location};

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
    let graph = &resolver.graph;
    let documents = graph.root.is_some() || graph.docker.is_some();
    let at = graph.at.clone();
    if !documents {
        resolver.fault(FaultKind::NoIndex, &at, "");
    } else if graph.images.is_empty()
        && graph.faults.iter().all(|f| f.kind.grade() != crate::grade::Grade::Error)
    {
        let absent = graph.faults.iter().any(|fault| fault.kind == FaultKind::PlatformAbsent);
        resolver.fault(if absent { FaultKind::NoCompleteImage } else { FaultKind::NoImages }, &at, "");
    } else if !graph.images.is_empty() && graph.images.iter().all(|image| !image.complete) {
        resolver.fault(FaultKind::NoCompleteImage, &at, "");
    }
}
