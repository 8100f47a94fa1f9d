//! What a check is: what it is called, how much it matters, what it needs to look, and what it says.

use super::Case;
use crate::{
    grade::{FaultRow, Grade},
    location::Location,
};

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
    /// The check whose findings reading makes.
    pub(super) fn of_row(row: &'static FaultRow, stage: Stage) -> Check {
        let FaultRow { id, grade, title, why } = *row;
        Check { id, grade, stage, title, why, run: None, applies: |_| Ok(()) }
    }
}
