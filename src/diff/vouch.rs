//! Attestations and signatures: which manifest one is about, and what its differences come from.

use super::{
    ImageDiff,
    cause::Cause,
    side::{Opened, Side},
};
use crate::{
    digest::Digest,
    image::{Image, ImageKind},
};

/// Whether what `left` and `right` are about differs: the manifests of two images that belong together.
pub(super) fn is_outdated(opened: &Opened<'_>, left: Option<&Image>, right: Option<&Image>) -> bool {
    let of_left = left.map(|image| opened.left.subjects.of(image));
    let of_right = right.map(|image| opened.right.subjects.of(image));
    let is = |subject: &Option<Option<Digest>>, image: &Image| {
        subject.is_none_or(|subject| subject.is_some() && subject == image.digest)
    };
    let mut pairs = opened.pairs.both(opened.left.images, opened.right.images);
    pairs.any(|(a, b)| {
        let raw = |side: &'_ Side<'_>, image: &Image| image.manifest.map(|id| side.graph.raw(id).to_vec());
        is(&of_left, a) && is(&of_right, b) && raw(opened.left, a) != raw(opened.right, b)
    })
}

/// Gives the differences of something that is no image their causes: no rule changes what is in it, but it can be left
/// out if what it is about changes.
pub(super) fn settle(image: &mut ImageDiff, kind: ImageKind, is_outdated: bool) {
    if kind == ImageKind::Image {
        return;
    }
    for change in image.changes_mut().filter(|change| change.cause != Cause::Derived) {
        if is_outdated {
            change.cause = Cause::Rule("archive.attestations");
        } else if change.cause.rule().is_some() {
            change.cause = Cause::Encoding;
        }
    }
}

/// Whether two values are the digests, without their algorithm, of two manifests that belong together.
pub(super) fn are_partners(opened: &Opened<'_>, left: Option<&str>, right: Option<&str>) -> bool {
    let is = |image: &Image, value: Option<&str>| {
        image.digest.zip(value).is_some_and(|(digest, value)| digest.hex() == value.trim_matches('"'))
    };
    let mut pairs = opened.pairs.both(opened.left.images, opened.right.images);
    pairs.any(|(l, r)| is(l, left) && is(r, right))
}
