//! Layers that are somebody else's: the base image's, which normalising leaves alone.

use std::collections::HashSet;

use crate::{
    digest::{DiffId, Digest},
    error::{Error, ErrorKind, Result},
    image::{Config, ImageKind},
    inspect::Inspected,
    location::Location,
};

/// What belongs to base images.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// What it was given as; empty without one.
    name: Vec<u8>,
    digests: HashSet<Digest>,
    histories: Vec<(Vec<DiffId>, usize)>,
}

impl Base {
    /// The layers and histories of all images of an archive.
    ///
    /// # Errors
    /// A usage error if the archive has no image with layers that could be read.
    pub fn of(inspected: &Inspected<'_>) -> Result<Base> {
        let mut base = Base { name: inspected.source.name().to_owned(), ..Base::default() };
        for image in inspected.images.iter().filter(|image| image.kind == ImageKind::Image) {
            let ladder = inspected.ladder(image);
            let Some(diff_ids) = ladder.diff_ids.iter().copied().collect::<Option<Vec<_>>>() else {
                continue;
            };
            base.digests.extend(diff_ids.iter().map(|id| id.0));
            base.digests.extend(ladder.layers.iter().flatten());
            let steps = inspected.graph.config(image).and_then(|config| Some(config.history.as_ref()?.len()));
            base.histories.push((diff_ids, steps.unwrap_or(0)));
        }
        if base.digests.is_empty() {
            let message = "the base image has no layers that could be read";
            return Err(Error::usage(message).at(inspected.source.location()));
        }
        Ok(base)
    }

    /// Layers by digest or diff_id, as a list with commas between.
    ///
    /// # Errors
    /// A usage error if something in it is no digest.
    pub fn parse(list: &str) -> Result<Base> {
        let parse = |text: &str| {
            Digest::parse_lenient(text.trim()).map_err(|error| {
                Error::usage(format!(
                    "neither a file nor a digest: {}: {error}",
                    crate::escape::escape(text.as_bytes())
                ))
            })
        };
        let digests = list.split(',').map(parse).collect::<Result<_>>()?;
        Ok(Base { name: list.as_bytes().to_owned(), digests, histories: Vec::new() })
    }

    /// Refuses a base image of which nothing was `found`: it would be rewritten with the rest, without a word.
    pub(super) fn found(&self, found: bool) -> Result<()> {
        if found || self.digests.is_empty() {
            return Ok(());
        }
        let message = "no layer of the image is one of this base image's";
        Err(Error::new(ErrorKind::Refused, message).at(Location::new(self.name.clone())))
    }

    /// Whether a layer is a base image's.
    pub(super) fn has(&self, digests: impl IntoIterator<Item = Digest>) -> bool {
        digests.into_iter().any(|digest| self.digests.contains(&digest))
    }

    /// How many steps of a configuration's history are the base image's: as many as its own history has, or, if only
    /// its layers are known, up to the last of these, which are the first `layers`.
    pub(super) fn steps(&self, config: &Config, layers: usize) -> usize {
        let diff_ids: Vec<DiffId> = config.diff_ids.iter().map_while(|id| *id).collect();
        let known = self.histories.iter().filter(|(base, _)| diff_ids.starts_with(base));
        if let Some((_, steps)) = known.max_by_key(|(base, _)| base.len()) {
            return *steps;
        }
        let history = config.history.as_deref().unwrap_or_default();
        let last = history.iter().enumerate().filter(|(_, step)| !step.empty_layer).take(layers).last();
        last.map_or(0, |(position, _)| position + 1)
    }
}
