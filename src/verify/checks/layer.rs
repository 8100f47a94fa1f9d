//! What layers are made of.

use std::collections::{HashMap, HashSet};

use super::{
    super::{Case, check::Hit},
    image_layers, images, layers,
};
use crate::{
    codec::Compression,
    escape::escape,
    image::BlobId,
    measure::LayerFault,
    media::{Media, Packing},
};

/// Decoded bytes for each stored byte that are worth a note.
const RATIO: u64 = 200;
/// Layers that Docker's overlay2 driver can mount.
const DEPTH: usize = 127;

pub(super) fn media_type(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (layer, facts) in image_layers(case) {
        let (Some(facts), Some(says)) = (facts, Compression::said_by(layer.media)) else { continue };
        // A docker-archive has no media types.
        if !layer.media_type.is_empty() && says != facts.compression {
            let detail = format!(
                "{}, the bytes are {}",
                escape(layer.media_type.as_bytes()),
                facts.compression.name()
            );
            hits.push(Hit::new(layer.at.clone(), detail));
        }
    }
    hits
}

pub(super) fn unknown_media_type(case: &Case<'_>) -> Vec<Hit> {
    image_layers(case)
        .filter(|(layer, _)| !layer.media_type.is_empty())
        .filter(|(layer, _)| Compression::said_by(layer.media).is_none())
        .map(|(layer, _)| Hit::new(layer.at.clone(), escape(layer.media_type.as_bytes())))
        .collect()
}

/// The layers whose content is none that a container engine reads, by whatever media type they are listed.
pub(super) fn opaque(case: &Case<'_>) -> HashSet<BlobId> {
    let readable: HashSet<BlobId> = image_layers(case)
        .filter(|(layer, facts)| facts.is_some_and(|facts| !facts.is_opaque(layer.media)))
        .filter_map(|(layer, _)| layer.blob)
        .collect();
    layers(case)
        .filter(|(blob, facts)| facts.is_opaque(Media::Other) && !readable.contains(blob))
        .map(|(blob, _)| blob)
        .collect()
}

pub(super) fn not_inspected(case: &Case<'_>) -> Vec<Hit> {
    if case.options.allow_opaque {
        return Vec::new();
    }
    let opaque = opaque(case);
    layers(case)
        .filter(|(blob, _)| opaque.contains(blob))
        .map(|(blob, facts)| {
            let what = match facts.compression {
                Compression::Plain => "neither a tar nor a compression that is known".to_owned(),
                other => format!("unsupported compression {}", other.name()),
            };
            Hit::new(case.graph.blob(blob).at.clone(), what)
        })
        .collect()
}

pub(super) fn decode(case: &Case<'_>) -> Vec<Hit> {
    let damaged = layers(case).filter_map(|(blob, facts)| match &facts.fault {
        Some(LayerFault::Decode(error)) => {
            Some(Hit::new(case.graph.blob(blob).at.clone().at(error.offset), error.to_string()))
        }
        _ => None,
    });
    // No bytes look like an empty plain tar, but no decompressor takes them for a stream.
    let empty = image_layers(case).filter(|(layer, _)| {
        let packed = matches!(layer.media, Media::Layer { packing: Packing::Gzip | Packing::Zstd, .. });
        packed && layer.blob.is_some_and(|blob| case.graph.content(blob).is_empty())
    });
    let empty = empty.map(|(layer, _)| {
        Hit::new(layer.at.clone(), format!("an empty blob is no {}", escape(layer.media_type.as_bytes())))
    });
    damaged.chain(empty).collect()
}

pub(super) fn unpacked_limit(case: &Case<'_>) -> Vec<Hit> {
    layers(case)
        .filter_map(|(blob, facts)| match facts.fault {
            Some(LayerFault::Unpacked { limit }) => {
                let detail = format!("{} bytes and more, limit {limit} (--max-unpacked)", facts.unpacked);
                Some(Hit::new(case.graph.blob(blob).at.clone(), detail))
            }
            _ => None,
        })
        .collect()
}

pub(super) fn trailing_zeros(case: &Case<'_>) -> Vec<Hit> {
    layers(case)
        .filter(|(_, facts)| facts.frames.trailing_zeros > 0)
        .map(|(blob, facts)| {
            Hit::new(case.graph.blob(blob).at.clone(), format!("{} bytes", facts.frames.trailing_zeros))
        })
        .collect()
}

pub(super) fn ratio(case: &Case<'_>) -> Vec<Hit> {
    layers(case)
        .filter_map(|(blob, facts)| {
            let packed = case.facts.blobs.get(&blob)?.size.max(1);
            (facts.unpacked / packed > RATIO).then(|| {
                let detail = format!("{packed} bytes unpack to {}", facts.unpacked);
                Hit::new(case.graph.blob(blob).at.clone(), detail)
            })
        })
        .collect()
}

pub(super) fn depth(case: &Case<'_>) -> Vec<Hit> {
    images(case)
        .filter(|image| image.layers.len() > DEPTH)
        .map(|image| Hit::new(image.at.clone(), format!("{} layers", image.layers.len())))
        .collect()
}

pub(super) fn repeated(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for image in images(case) {
        let mut times: HashMap<BlobId, usize> = HashMap::new();
        for blob in image.layers.iter().filter_map(|layer| layer.blob) {
            *times.entry(blob).or_default() += 1;
        }
        let mut repeated: Vec<_> = times.into_iter().filter(|(_, n)| *n > 1).collect();
        repeated.sort();
        let at = |blob: BlobId| case.graph.blob(blob).at.clone();
        hits.extend(repeated.into_iter().map(|(blob, n)| Hit::new(at(blob), format!("{n} times"))));
    }
    hits
}
