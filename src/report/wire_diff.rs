//! A diff as reports show it: owned, escaped, and part of the published JSON schema (see [`super::wire`]).

use serde::Serialize;

use super::wire::SCHEMA;
use crate::{
    diff::{self, Cause, Change, Diff, EntryDiff, ImageDiff, LayerDiff, Matched, Relation},
    digest::Digest,
    escape::{escape, escape_text},
    ladder::{Ladder, Rung},
};

/// A whole diff.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiffReport {
    /// The schema's version.
    pub schema: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// `diff`.
    pub command: &'static str,
    /// `identical-bytes`, `identical-image`, `equalizable`, `same-file-system`, `ignored` or `different`.
    pub verdict: &'static str,
    /// Whether nothing that counts differs.
    pub same: bool,
    /// What would make both sides the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<RemedyRecord>,
    /// The inputs, left and right.
    pub inputs: [SubjectRecord; 2],
    /// How many differences there are of each cause; those that no rule removes first.
    pub causes: Vec<CauseRecord>,
    /// Differences of the outer archives.
    pub archive: Vec<ChangeRecord>,
    /// Differences of the documents that hold the images together.
    pub documents: Vec<DocumentRecord>,
    /// The images, pair by pair.
    pub images: Vec<ImageDiffRecord>,
}

/// What `normalize` needs to make both sides the same.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RemedyRecord {
    /// The least level.
    pub level: &'static str,
    /// SOURCE_DATE_EPOCH, where the level needs one.
    pub epoch: Option<i64>,
    /// All arguments for `normalize`, as typed.
    pub arguments: String,
}

/// One input.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubjectRecord {
    /// The name it was given by.
    pub name: String,
    /// `oci`, `docker` or `oci+docker`.
    pub layout: &'static str,
    /// What is wrong with it.
    pub errors: Vec<String>,
}

/// How many differences of one cause there are.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CauseRecord {
    /// The cause.
    pub cause: &'static str,
    /// The least level of `normalize` that removes it; `None` if none does.
    pub level: Option<&'static str>,
    /// How many.
    pub count: usize,
    /// What a rule says of it: why it differs between equal builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
}

/// One difference.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangeRecord {
    /// What it comes from.
    pub cause: &'static str,
    /// What differs.
    pub field: String,
    /// The left value.
    pub left: Option<String>,
    /// The right value.
    pub right: Option<String>,
    /// A known reason for a field of a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<HintRecord>,
}

/// A known reason and its remedy.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HintRecord {
    /// Why it differs.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// Differences of one document.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DocumentRecord {
    /// `index.json`, `index`, `manifest.json`, `manifest` or `config`.
    pub document: &'static str,
    /// The differences by JSON pointer.
    pub changes: Vec<ChangeRecord>,
}

/// One image on one side.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageSideRecord {
    /// Its names.
    pub names: Vec<String>,
    /// Its platform.
    pub platform: Option<String>,
    /// Its digests.
    pub ladder: Ladder,
}

/// One pair of images, or one image that stands alone.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageDiffRecord {
    /// On the left.
    pub left: Option<ImageSideRecord>,
    /// On the right.
    pub right: Option<ImageSideRecord>,
    /// The first rung where the ladders part, seen from the content.
    pub parts_at: Option<Rung>,
    /// The rungs from the outside in.
    pub rungs: Vec<RungRecord>,
    /// Differences of the image as a whole.
    pub changes: Vec<ChangeRecord>,
    /// Manifest and configuration.
    pub documents: Vec<DocumentRecord>,
    /// The layers, pair by pair.
    pub layers: Vec<LayerDiffRecord>,
    /// Differing entries of the merged file systems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged: Option<Vec<EntryRecord>>,
}

/// One rung of both ladders.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RungRecord {
    /// Which.
    pub rung: Rung,
    /// The left layer, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_layer: Option<usize>,
    /// The right layer, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right_layer: Option<usize>,
    /// The left digest.
    pub left: Option<Digest>,
    /// The right digest.
    pub right: Option<Digest>,
    /// Whether both agree; `None` where a side has no such rung.
    pub same: Option<bool>,
}

/// One pair of layers, or one layer that stands alone.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LayerDiffRecord {
    /// Position on the left, counted from 1.
    pub left: Option<usize>,
    /// Position on the right, counted from 1.
    pub right: Option<usize>,
    /// `diff-id`, `content`, `position` or `alone`.
    pub matched: &'static str,
    /// `same`, `repacked`, `differs` or `alone`.
    pub relation: &'static str,
    /// The step of the history that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Entries on the left, if it was opened.
    pub left_entries: Option<usize>,
    /// Entries on the right, if it was opened.
    pub right_entries: Option<usize>,
    /// Bytes stored on the left.
    pub left_size: Option<u64>,
    /// Bytes stored on the right.
    pub right_size: Option<u64>,
    /// Differences of the layers as a whole.
    pub changes: Vec<ChangeRecord>,
    /// Differing entries.
    pub entries: Vec<EntryRecord>,
}

/// One differing entry.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EntryRecord {
    /// Its path.
    pub path: String,
    /// What differs.
    pub changes: Vec<ChangeRecord>,
    /// A known reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<HintRecord>,
    /// How the contents differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentRecord>,
}

/// How the contents of two files differ.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ContentRecord {
    /// Offset of the first byte that differs; `None` if it lies behind what was looked at.
    pub first_difference: Option<u64>,
    /// Lines of a unified diff, each with its sign.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// How many more lines there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl DiffReport {
    /// The report of a diff.
    pub fn new(diff: &Diff) -> DiffReport {
        let subject = |subject: &diff::Subject| SubjectRecord {
            name: escape(&subject.name).into_owned(),
            layout: subject.layout,
            errors: subject.errors.clone(),
        };
        DiffReport {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            command: "diff",
            verdict: diff.verdict.name(),
            same: diff.same(),
            remedy: diff.remedy.as_ref().map(|remedy| RemedyRecord {
                level: remedy.level.name(),
                epoch: remedy.epoch,
                arguments: remedy.arguments(),
            }),
            inputs: [subject(&diff.left), subject(&diff.right)],
            causes: diff.tally.iter().map(|(cause, count)| CauseRecord::of(cause, count)).collect(),
            archive: changes(&diff.archive),
            documents: documents(&diff.documents),
            images: diff.images.iter().map(ImageDiffRecord::of).collect(),
        }
    }
}

impl CauseRecord {
    fn of(cause: Cause, count: usize) -> CauseRecord {
        let rule = cause.rule();
        let level = rule.and_then(|rule| rule.level).map(|level| level.name());
        CauseRecord { cause: cause.name(), level, count, why: rule.map(|rule| rule.why) }
    }
}

fn shown(text: &str) -> String {
    escape(text.as_bytes()).into_owned()
}

fn hint(culprit: &diff::Culprit) -> HintRecord {
    HintRecord { why: culprit.why, remedy: culprit.remedy }
}

/// JSON and what is escaped already keep their backslashes, on one line. Line breaks in JSON stand between values only.
fn visible(text: &str) -> String {
    escape_text(text.as_bytes()).replace('\n', "\\n").replace('\t', "\\t")
}

fn changes(changes: &[Change]) -> Vec<ChangeRecord> {
    let record = |change: &Change| ChangeRecord {
        cause: change.cause.name(),
        field: visible(&change.field),
        left: change.left.as_deref().map(visible),
        right: change.right.as_deref().map(visible),
        hint: diff::culprit_of_field(change).map(hint),
    };
    changes.iter().map(record).collect()
}

/// Documents in which something differs.
fn documents(documents: &[diff::DocumentDiff]) -> Vec<DocumentRecord> {
    let record = |document: &diff::DocumentDiff| DocumentRecord {
        document: document.role.name(),
        changes: changes(&document.changes),
    };
    documents.iter().filter(|document| !document.changes.is_empty()).map(record).collect()
}

impl ImageDiffRecord {
    fn of(image: &ImageDiff) -> ImageDiffRecord {
        let side = |side: &diff::ImageSide| ImageSideRecord {
            names: side.names.iter().map(|name| shown(name)).collect(),
            platform: side.platform.as_ref().map(|platform| shown(&platform.to_string())),
            ladder: side.ladder.clone(),
        };
        let rung = |rung: &diff::RungDiff| {
            let (left_layer, right_layer) = rung.layers.unwrap_or_default();
            RungRecord {
                rung: rung.rung,
                left_layer: left_layer.map(|at| at + 1),
                right_layer: right_layer.map(|at| at + 1),
                left: rung.left,
                right: rung.right,
                same: rung.same(),
            }
        };
        ImageDiffRecord {
            left: image.left.as_ref().map(side),
            right: image.right.as_ref().map(side),
            parts_at: image.parts_at(),
            rungs: image.rungs.iter().map(rung).collect(),
            changes: changes(&image.changes),
            documents: documents(&image.documents),
            layers: image.layers.iter().map(LayerDiffRecord::of).collect(),
            merged: image.merged.as_ref().map(|entries| entries.iter().map(EntryRecord::of).collect()),
        }
    }
}

impl LayerDiffRecord {
    fn of(layer: &LayerDiff) -> LayerDiffRecord {
        LayerDiffRecord {
            left: layer.left.map(|at| at + 1),
            right: layer.right.map(|at| at + 1),
            matched: match layer.matched {
                Matched::DiffId => "diff-id",
                Matched::Content => "content",
                Matched::Position => "position",
                Matched::Alone => "alone",
            },
            relation: match layer.relation {
                Relation::Same => "same",
                Relation::Repacked => "repacked",
                Relation::Differs => "differs",
                Relation::Alone => "alone",
            },
            step: layer.step.clone(),
            left_entries: layer.counts.0,
            right_entries: layer.counts.1,
            left_size: layer.sizes.0,
            right_size: layer.sizes.1,
            changes: changes(&layer.changes),
            entries: layer.entries.iter().map(EntryRecord::of).collect(),
        }
    }
}

impl EntryRecord {
    fn of(entry: &EntryDiff) -> EntryRecord {
        let line = |line: &diff::Line| format!("{}{}", line.sign.character(), escape(&line.text));
        EntryRecord {
            path: escape(&entry.path).into_owned(),
            changes: changes(&entry.changes),
            hint: entry.culprit.map(hint),
            content: entry.content.as_ref().map(|content| ContentRecord {
                first_difference: content.first_difference,
                lines: content.lines.iter().map(line).collect(),
                more: content.more,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_escapes_and_stays_on_one_line() {
        let change = Change {
            cause: Cause::Content,
            field: "/created_by".into(),
            left: Some(r#""a\nb""#.to_owned()),
            right: Some("{\n\t\u{202e}}".to_owned()),
        };
        let [record] = changes(&[change]).try_into().unwrap();
        assert_eq!(record.left.as_deref(), Some(r#""a\nb""#));
        assert_eq!(record.right.as_deref(), Some(r"{\n\t\u{202e}}"));
    }
}
