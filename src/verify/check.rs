//! The table of checks: what each is called, how much it matters, and what it needs to look.

use std::sync::LazyLock;

use super::{Case, checks as own};
use crate::{archive, grade::FaultRow, grade::Grade, image, json, location::Location, tar};

/// What must have been measured before a check can look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The archive's entries and documents.
    Documents,
    /// Digests of blobs.
    Digests,
    /// What is in layers.
    Layers,
}

/// One place a check found something at.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) at: Location,
    pub(super) detail: String,
}

impl Hit {
    pub(super) fn new(at: Location, detail: impl Into<String>) -> Hit {
        Hit { at, detail: detail.into() }
    }
}

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// Stable name, `area.kebab-case`; never renamed or reused.
    pub id: &'static str,
    /// How much a finding of it matters.
    pub grade: Grade,
    /// What must have been measured.
    pub stage: Stage,
    /// What is wrong when it finds something.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// Looks. `None` where reading the archive found it out already.
    pub(super) run: Option<fn(&Case<'_>) -> Vec<Hit>>,
    /// Whether there is anything for it to look at.
    pub(super) applies: fn(&Case<'_>) -> Result<(), &'static str>,
}

impl Check {
    fn of_row(row: &'static FaultRow, stage: Stage) -> Check {
        let FaultRow { id, grade, title, why } = *row;
        Check { id, grade, stage, title, why, run: None, applies: |_| Ok(()) }
    }
}

/// All checks: what reading can find, then what judging can find.
pub fn checks() -> &'static [Check] {
    static CHECKS: LazyLock<Vec<Check>> = LazyLock::new(|| {
        let documents = |row| Check::of_row(row, Stage::Documents);
        let layers = |row| Check::of_row(row, Stage::Layers);
        archive::FaultKind::ALL
            .iter()
            .map(|kind| documents(kind.row()))
            .chain(image::FaultKind::ALL.iter().map(|kind| documents(kind.row())))
            .chain(json::FaultKind::ALL.iter().map(|kind| documents(kind.row())))
            .chain(tar::AnomalyKind::ALL.iter().map(|kind| layers(kind.row())))
            .chain(own::OWN.iter().copied())
            .collect()
    });
    &CHECKS
}
