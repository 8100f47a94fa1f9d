//! What configurations say, against manifests, layers and the clock.

use super::{
    super::{Case, check::Hit},
    images,
    layer::opaque,
};
use crate::{escape::escape, image::Config, location::Location};

/// Every image with its configuration and where that stands.
pub(super) fn configs<'c>(
    case: &'c Case<'_>,
) -> impl Iterator<Item = (&'c crate::image::Image, &'c Config, &'c Location)> {
    images(case).filter_map(|image| {
        let config = case.graph.config(image)?;
        Some((image, config, case.graph.place(config.document)))
    })
}

pub(super) fn rootfs_type(case: &Case<'_>) -> Vec<Hit> {
    configs(case)
        .filter(|(_, config, _)| config.rootfs_type.as_deref() != Some("layers"))
        .map(|(_, config, at)| {
            let found =
                config.rootfs_type.as_deref().map_or("missing".into(), |text| escape(text.as_bytes()));
            Hit::new(at.clone().pointer("/rootfs/type"), found)
        })
        .collect()
}

pub(super) fn diff_id_count(case: &Case<'_>) -> Vec<Hit> {
    configs(case)
        .filter(|(image, config, _)| image.layers.len() != config.diff_ids.len())
        .map(|(image, config, at)| {
            let detail = format!("{} layers, {} diff_ids", image.layers.len(), config.diff_ids.len());
            Hit::new(at.clone().pointer("/rootfs/diff_ids"), detail)
        })
        .collect()
}

/// Whether there is a layer to take a diff_id of.
pub(super) fn has_diff_ids(case: &Case<'_>) -> Result<(), &'static str> {
    let of_layers = |image: &crate::image::Image| !image.layers.is_empty();
    if !configs(case).any(|(image, ..)| of_layers(image)) {
        return Err("no configuration with layers");
    }
    let opaque = opaque(case);
    let looked_into = |layer: &crate::image::Layer| {
        layer.blob.is_some_and(|blob| {
            !opaque.contains(&blob) && case.facts.blobs.get(&blob).is_some_and(|facts| facts.layer.is_some())
        })
    };
    if configs(case).any(|(image, ..)| image.layers.iter().any(looked_into)) {
        Ok(())
    } else {
        Err("no layer could be looked into")
    }
}

pub(super) fn diff_id(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    // What could not be looked into has no diff_id to compare, and a finding of its own.
    let opaque = opaque(case);
    for (image, config, at) in configs(case) {
        for (i, (layer, expected)) in image.layers.iter().zip(&config.diff_ids).enumerate() {
            let blob = layer.blob.filter(|blob| !opaque.contains(blob));
            let facts = blob.and_then(|blob| case.facts.blobs.get(&blob)?.layer.as_deref());
            let (Some(facts), Some(expected)) = (facts, expected) else { continue };
            // A layer without any diff_id was not decoded to its end, which is a finding of its own.
            let Some(actual) = facts.diff_id(expected.0.algorithm()) else { continue };
            if actual != *expected {
                let detail = format!("expected {expected}, found {actual}; layer {} {}", i + 1, layer.at);
                hits.push(Hit::new(at.clone().pointer(format!("/rootfs/diff_ids/{i}")), detail));
            }
        }
    }
    hits
}

pub(super) fn history_count(case: &Case<'_>) -> Vec<Hit> {
    configs(case)
        .filter_map(|(image, config, at)| {
            let steps = config.history_layers().filter(|steps| {
                *steps != image.layers.len() && config.history.as_ref().is_some_and(|h| !h.is_empty())
            })?;
            let detail = format!("{} layers, {steps} steps that make layers", image.layers.len());
            Some(Hit::new(at.clone().pointer("/history"), detail))
        })
        .collect()
}

pub(super) fn platform(case: &Case<'_>) -> Vec<Hit> {
    configs(case)
        .filter_map(|(image, config, at)| {
            if config.platform.os.is_empty() || config.platform.architecture.is_empty() {
                return Some(Hit::new(at.clone(), "os or architecture is missing"));
            }
            let index = image.platform.as_ref()?;
            let same = index.os == config.platform.os && index.architecture == config.platform.architecture;
            let variant = index.variant.is_empty()
                || config.platform.variant.is_empty()
                || index.variant == config.platform.variant;
            let detail = format!("index {index}, configuration {}", config.platform);
            (!(same && variant)).then(|| Hit::new(at.clone(), escape(detail.as_bytes())))
        })
        .collect()
}
