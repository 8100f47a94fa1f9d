//! Verification: judges what was read and measured.
//!
//! Knows the checks. A pure function of graph, facts and options: no I/O, no threads, the same answer every time. A
//! wrong image is a finding, never an error.

mod check;
mod checks;
mod finding;
mod select;

pub use check::{Check, Stage};
pub use checks::{Content, Pattern, checks};
pub use finding::{Finding, Status, Verdict};
pub use select::{Selection, Setting};

use crate::{
    digest::Digest,
    image::{Image, ImageGraph, Platform},
    measure::{Facts, Needs},
};

/// What to verify beyond the image itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which checks count, and how much.
    pub selection: Selection,
    /// Digests of which each must stand on some rung of some image's ladder.
    pub expect: Vec<Digest>,
    /// The SHA-256 that the archive itself must have, as a file.
    pub expect_archive: Option<Digest>,
    /// Platforms that must be complete.
    pub require: Vec<Platform>,
    /// Every listed platform must be complete.
    pub require_all: bool,
    /// SOURCE_DATE_EPOCH that nothing may be newer than.
    pub source_date_epoch: Option<i64>,
    /// What an image has from its base image may be newer all the same.
    pub newer_base: bool,
    /// What layers may hold.
    pub content: Content,
    /// Content that cannot be looked into (encrypted layers) does not fail.
    pub allow_opaque: bool,
}

impl Options {
    /// What becomes of `check`. What was asked for by name (a digest, a platform, an epoch) is looked at whatever else is
    /// selected; only who leaves it out by name does without.
    pub fn setting(&self, check: &Check) -> Setting {
        match self.selection.setting(check) {
            Setting::Unselected if check.is_asked_for(self) => Setting::Run,
            Setting::Unselected => Setting::Skip,
            setting => setting,
        }
    }

    /// What must be measured for the checks that count.
    pub fn needs(&self) -> Needs {
        let stage =
            |stage: Stage| checks().iter().any(|c| c.stage == stage && self.setting(c) != Setting::Skip);
        let layers = stage(Stage::Layers);
        Needs {
            digests: layers || stage(Stage::Digests),
            layers,
            archive: !self.expect.is_empty() || self.expect_archive.is_some(),
            listing: layers && !self.content.forbidden.is_empty(),
            file_digests: false,
            source_date_epoch: self.source_date_epoch,
        }
    }
}

/// What a check looks at.
pub struct Case<'c> {
    /// The documents.
    pub graph: &'c ImageGraph<'c>,
    /// What was measured.
    pub facts: &'c Facts,
    /// The images that were asked for.
    pub images: &'c [&'c Image],
    /// What to verify against.
    pub options: &'c Options,
}

/// Most findings of one check that are told one by one; more are told as a count.
const TOLD_SINGLY: usize = 50;

/// Runs every check that counts.
pub fn verify(case: &Case<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let recorded = checks::recorded(case);
    for check in checks() {
        let setting = case.options.setting(check);
        if setting == Setting::Skip {
            verdict.statuses.push((check.id, Status::LEFT_OUT));
            continue;
        }
        let hits = match check.run {
            Some(run) => run(case),
            None => recorded.get(check.id).cloned().unwrap_or_default(),
        };
        let grade = if let Setting::As(grade) = setting { grade } else { check.grade };
        let status = match (hits.is_empty(), check.applies(case)) {
            (false, _) => Status::Found(grade),
            (true, Ok(())) => Status::Pass,
            (true, Err(reason)) => Status::Skipped(reason),
        };
        verdict.statuses.push((check.id, status));
        let more = hits.len().saturating_sub(TOLD_SINGLY);
        for hit in hits.into_iter().take(TOLD_SINGLY) {
            verdict.findings.push(Finding {
                check: check.id,
                grade,
                title: check.title,
                at: hit.at,
                detail: hit.detail,
            });
        }
        if more > 0 {
            let detail = format!("{more} more like this");
            verdict.findings.push(Finding {
                check: check.id,
                grade,
                title: check.title,
                at: case.graph.at.clone(),
                detail,
            });
        }
    }
    verdict.findings.sort_by_key(|finding| std::cmp::Reverse(finding.grade));
    verdict
}
