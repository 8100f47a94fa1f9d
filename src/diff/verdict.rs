//! The answer: whether two inputs are the same, and if not, what would make them so.

use super::{Diff, DocumentDiff, Relation, Role, cause::Cause};
use crate::{
    digest::Digest,
    rfc3339,
    rules::{Level, Scope},
};

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The inputs are the same, byte for byte.
    IdenticalBytes,
    /// The images are the same, digest for digest; the archives around them are not.
    IdenticalImage,
    /// `normalize` would make them the same.
    Equalizable,
    /// Their file systems are the same, though their layers are not; asked for with `merged`.
    SameFileSystem,
    /// What differs was asked not to count.
    Ignored,
    /// Something differs that no rule explains.
    Different,
}

impl Verdict {
    /// The stable name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::IdenticalBytes => "identical-bytes",
            Verdict::IdenticalImage => "identical-image",
            Verdict::Equalizable => "equalizable",
            Verdict::SameFileSystem => "same-file-system",
            Verdict::Ignored => "ignored",
            Verdict::Different => "different",
        }
    }
}

/// What `normalize` needs to make both sides the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The least level that does it.
    pub level: Level,
    /// SOURCE_DATE_EPOCH: the one given, or the second before the earliest time that differs, or, if none does, the
    /// latest time there is, so that none changes. `None` where the level needs none.
    pub epoch: Option<i64>,
    /// Options beyond the level.
    pub options: Vec<&'static str>,
}

impl Remedy {
    /// Arguments for `normalize`.
    pub fn arguments(&self) -> String {
        let mut arguments = format!("--level {}", self.level.name());
        if let Some(epoch) = self.epoch {
            arguments.push_str(&format!(" --sde {epoch}"));
        }
        for option in &self.options {
            arguments.push(' ');
            arguments.push_str(option);
        }
        arguments
    }
}

const DROP_ATTESTATIONS: &str = "--attestations drop";

/// Rules that only an option of their own applies.
const BY_OPTION: [(&str, &str); 3] = [
    ("archive.names", "--drop-names"),
    ("archive.layout", "--layout oci"),
    ("archive.attestations", DROP_ATTESTATIONS),
];

/// What would make both sides the same, if rules are all that keeps them apart.
pub(super) fn remedy(diff: &Diff, given: Option<i64>, latest: impl Fn() -> i64) -> Option<Remedy> {
    let mut remedy = Remedy { level: Level::Archive, epoch: None, options: Vec::new() };
    let (mut earliest, mut earliest_in_layers) = (None, None);
    for change in diff.changes().filter(|change| change.cause != Cause::Derived) {
        let rule = change.cause.rule()?;
        match rule.level {
            Some(level) => remedy.level = remedy.level.max(level),
            None => {
                let (_, option) = BY_OPTION.iter().find(|(id, _)| *id == rule.id)?;
                if !remedy.options.contains(option) {
                    remedy.options.push(option);
                }
            }
        }
        if rule.level == Some(Level::Clamp) {
            let times = [&change.left, &change.right];
            let time = times.into_iter().flatten().filter_map(|text| seconds(text)).min();
            earliest = [earliest, time].into_iter().flatten().min();
            if rule.scope == Scope::Layer {
                earliest_in_layers = [earliest_in_layers, time].into_iter().flatten().min();
            }
        }
    }
    remedy.epoch = earliest.map(|earliest: i64| given.unwrap_or(earliest.saturating_sub(1).max(0)));
    if remedy.level > Level::Archive {
        remedy.epoch = remedy.epoch.or(given).or_else(|| Some(latest()));
        // What vouches for a manifest that changes cannot stay as it is.
        let mut sides = diff.images.iter().flat_map(|image| [&image.left, &image.right]).flatten();
        if sides.any(|side| side.vouches) && !remedy.options.contains(&DROP_ATTESTATIONS) {
            remedy.options.push(DROP_ATTESTATIONS);
        }
    }
    // A layer in which nothing is later stays as it is, compression and all; then only one side would be written anew.
    if earliest_in_layers.zip(remedy.epoch).is_some_and(|(earliest, epoch)| earliest <= epoch) {
        remedy.level = remedy.level.max(Level::Canonical);
    }
    remedy.options.sort_unstable();
    Some(remedy)
}

/// The whole seconds of a time as it stands in a document or an entry.
fn seconds(text: &str) -> Option<i64> {
    let time = rfc3339::parse(text.trim_matches('"'))?;
    Some(time.as_secs() - i64::from(time.subsec_nanos() < 0))
}

/// The answer, from what is left to count.
pub(super) fn verdict(diff: &Diff, identical: bool, same_images: bool, merged: bool) -> Verdict {
    if identical {
        return Verdict::IdenticalBytes;
    }
    if same_images {
        return Verdict::IdenticalImage;
    }
    match (diff.same(), &diff.remedy) {
        (true, _) if merged => Verdict::SameFileSystem,
        (true, _) => Verdict::Ignored,
        (false, Some(_)) => Verdict::Equalizable,
        (false, None) => Verdict::Different,
    }
}

/// Whether every image has its like on the other side, by manifest where both have one, else by configuration, and so
/// has every index by whose digest several of them are known.
pub(super) fn same_images(diff: &Diff) -> bool {
    let is_index = |document: &&DocumentDiff| document.role == Role::Index;
    let same_indexes = diff.documents.iter().filter(is_index).all(|document| document.changes.is_empty());
    same_indexes
        && diff.images.iter().all(|image| {
            let (Some(left), Some(right)) = (&image.left, &image.right) else { return false };
            let same = |left: Option<Digest>, right: Option<Digest>| left.is_some() && left == right;
            let by_manifest = left.ladder.manifest.is_some() && right.ladder.manifest.is_some();
            let layers = image.layers.iter().all(|layer| match layer.relation {
                Relation::Same => true,
                Relation::Repacked => !by_manifest,
                Relation::Differs | Relation::Alone => false,
            });
            layers
                && if by_manifest {
                    same(left.ladder.manifest, right.ladder.manifest)
                } else {
                    same(left.ladder.config, right.ladder.config)
                }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_on_both_sides_of_the_epoch() {
        assert_eq!(seconds("\"1970-01-01T00:00:05.9Z\""), Some(5));
        assert_eq!(seconds("1969-12-31T23:59:59.5Z"), Some(-1));
        assert_eq!(seconds("1969-12-31T23:59:59Z"), Some(-1));
        assert_eq!(seconds("yesterday"), None);
    }

    #[test]
    fn options_are_those_of_rules_that_no_level_applies() {
        for rule in crate::rules::RULES.iter().filter(|rule| rule.level.is_none()) {
            assert!(BY_OPTION.iter().any(|(id, _)| *id == rule.id), "{}", rule.id);
        }
    }
}
