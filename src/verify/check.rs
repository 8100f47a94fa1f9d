//! What a check is: what it is called, how much it matters, what it needs to look, and what it says.

use super::{Case, Options};
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
    pub(super) applies: Applies,
}

/// When there is something for a check to look at; otherwise the reason why not.
#[derive(Clone, Copy)]
pub(super) enum Applies {
    /// In every image.
    Always,
    /// In images that have what it looks at.
    If(fn(&Case<'_>) -> Result<(), &'static str>),
    /// Where the caller asked for it, by naming what to verify against.
    Asked(fn(&Options) -> Result<(), &'static str>),
}

impl Check {
    /// Whether there is anything for it to look at, or why not.
    pub(super) fn applies(&self, case: &Case<'_>) -> Result<(), &'static str> {
        match self.applies {
            Applies::Always => Ok(()),
            Applies::If(applies) => applies(case),
            Applies::Asked(asked) => asked(case.options),
        }
    }

    /// Whether the caller asked for this very check, by naming what to verify against.
    pub(super) fn is_asked_for(&self, options: &Options) -> bool {
        matches!(self.applies, Applies::Asked(asked) if asked(options).is_ok())
    }

    /// The check whose findings reading makes.
    pub(super) fn of_row(row: &'static FaultRow, stage: Stage) -> Check {
        let FaultRow { id, grade, title, why } = *row;
        Check { id, grade, stage, title, why, run: None, applies: Applies::Always }
    }
}
