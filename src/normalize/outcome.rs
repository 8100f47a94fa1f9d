//! What a normalisation did: the list of changes, the map of digests, what is to be said about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use serde::Serialize;

use crate::{
    digest::Digest,
    escape::escape,
    image::{BlobId, ImageGraph},
    ladder::Rung,
    rules::Level,
};

/// What one rule changed in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// The rule's id.
    pub rule: &'static str,
    /// The layer or document as it is called in the input, escaped; `archive` for the archive as a whole.
    pub subject: String,
    /// How many members, fields or files.
    pub count: u64,
}

/// A digest that became another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moved {
    /// What has the digest.
    pub rung: Rung,
    /// In the input.
    pub old: Digest,
    /// In the output.
    pub new: Digest,
}

/// What a normalisation did.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The level.
    pub level: Level,
    /// SOURCE_DATE_EPOCH, where times were limited.
    pub source_date_epoch: Option<i64>,
    /// The layout of the output: `oci`, `docker` or `oci+docker`.
    pub layout: &'static str,
    /// What compressed the layers that were rewritten, each once.
    pub encoders: BTreeSet<String>,
    /// Whether the output differs from the input in any byte.
    pub changed: bool,
    /// What was changed, by rule.
    pub changes: Vec<Change>,
    /// Which digests became which, the archive's first.
    pub digests: Vec<Moved>,
    /// What else is to be known, one sentence each.
    pub notes: Vec<String>,
    /// SHA-256 of the output.
    pub archive: Digest,
}

/// Collects what is done while it is done.
#[derive(Default)]
pub(super) struct Ledger {
    changes: BTreeMap<(&'static str, String), u64>,
    digests: BTreeSet<Moved>,
    notes: BTreeSet<String>,
}

impl Ledger {
    pub(super) fn change(&mut self, rule: &'static str, subject: &str, count: u64) {
        if count > 0 {
            *self.changes.entry((rule, subject.to_owned())).or_default() += count;
        }
    }

    /// Takes in what another has collected.
    pub(super) fn add(&mut self, other: Ledger) {
        for (change, count) in other.changes {
            *self.changes.entry(change).or_default() += count;
        }
        self.digests.extend(other.digests);
        self.notes.extend(other.notes);
    }

    pub(super) fn moved(&mut self, rung: Rung, old: Digest, new: Digest) {
        if old != new {
            self.digests.insert(Moved { rung, old, new });
        }
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.insert(note.into());
    }

    pub(super) fn has_moved(&self, rung: Rung) -> bool {
        self.digests.iter().any(|moved| moved.rung == rung)
    }

    /// The changes in the order of the table of rules, the digests from the outside in, the notes.
    pub(super) fn finish(self) -> (Vec<Change>, Vec<Moved>, Vec<String>) {
        let position = |id: &str| crate::rules::RULES.iter().position(|rule| rule.id == id);
        let changes = self.changes.into_iter();
        let mut changes: Vec<Change> =
            changes.map(|((rule, subject), count)| Change { rule, subject, count }).collect();
        changes.sort_by_key(|change| position(change.rule));
        (changes, self.digests.into_iter().collect(), self.notes.into_iter().collect())
    }
}

impl Outcome {
    /// Writes the outcome for people.
    ///
    /// # Errors
    /// Whatever the output says.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.changed {
            writeln!(out, "nothing to change at level {}", self.level.name())?;
        }
        if !self.changes.is_empty() {
            writeln!(out, "changes at level {}", self.level.name())?;
        }
        for Change { rule, subject, count } in &self.changes {
            writeln!(out, "  {rule:<24} {count:>8}  {subject}")?;
        }
        if !self.digests.is_empty() {
            writeln!(out, "digests")?;
        }
        for Moved { rung, old, new } in &self.digests {
            writeln!(out, "  {:<9} {old}\n         -> {new}", rung.name())?;
        }
        for encoder in &self.encoders {
            writeln!(out, "encoder    {encoder}")?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        writeln!(out, "archive    {}", self.archive)
    }
}

/// The name of a blob's file in the input, escaped.
pub(super) fn subject(graph: &ImageGraph<'_>, blob: BlobId) -> String {
    let blob = graph.blob(blob);
    match blob.entry {
        Some(entry) => escape(graph.index.entry(entry).path()).into_owned(),
        None => blob.at.to_string(),
    }
}
