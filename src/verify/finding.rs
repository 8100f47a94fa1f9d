//! What a verification says.

use crate::{grade::Grade, location::Location};

/// One thing that is wrong or odd.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Finding {
    /// The check's id.
    pub check: &'static str,
    /// How much it matters here.
    pub grade: Grade,
    /// The check's title: what is wrong.
    pub title: &'static str,
    /// Where.
    pub at: Location,
    /// The values that matter, in words; escaped. May be empty.
    pub detail: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]: {}", self.grade.name(), self.check, self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if !self.at.is_empty() {
            write!(f, " (at {})", self.at)?;
        }
        Ok(())
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It looked and found nothing.
    Pass,
    /// It found something of this grade.
    Found(Grade),
    /// It did not look, and this is why. Never to be shown as a pass.
    Skipped(&'static str),
}

impl Status {
    /// The caller's own selection left the check out.
    pub const LEFT_OUT: Status = Status::Skipped("not selected");
}

/// All findings, worst first, and how every check ended.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The findings, errors first, else in the order of the checks.
    pub findings: Vec<Finding>,
    /// Every check with how it ended, in the order of the table.
    pub statuses: Vec<(&'static str, Status)>,
}

impl Verdict {
    /// Whether the image may be trusted: no finding is an error.
    pub fn passed(&self) -> bool {
        self.count(Grade::Error) == 0
    }

    /// How many findings are of a grade.
    pub fn count(&self, grade: Grade) -> usize {
        self.findings.iter().filter(|finding| finding.grade == grade).count()
    }
}
