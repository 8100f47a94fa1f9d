//! Which checks count: `--only`, `--skip`, `--deny` and a policy's severities, all by glob over check ids.

use globset::{Glob, GlobMatcher};

use super::{Check, checks};
use crate::{
    error::{Error, Result},
    grade::Grade,
};

/// What becomes of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// It counts with its own grade.
    Run,
    /// It does not run.
    Skip,
    /// Only others were selected.
    Unselected,
    /// Whatever it finds is of this grade.
    As(Grade),
}

/// Rules in the order they were given; the last that matches a check decides.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    rules: Vec<(GlobMatcher, Setting)>,
}

impl Selection {
    /// Adds a rule for the checks whose id matches `glob`.
    ///
    /// # Errors
    /// A usage error if the glob is malformed or matches no check.
    pub fn add(&mut self, glob: &str, setting: Setting) -> Result<()> {
        let matcher = Glob::new(glob)
            .map_err(|e| Error::usage(format!("no valid pattern for checks: {e}")))?
            .compile_matcher();
        if !checks().iter().any(|check| matcher.is_match(check.id)) {
            let message =
                format!("no check is called {}; see docs/checks.md", crate::escape::escape(glob.as_bytes()));
            return Err(Error::usage(message));
        }
        self.rules.push((matcher, setting));
        Ok(())
    }

    /// Lets only the checks that match one of `globs` count.
    ///
    /// # Errors
    /// As [`Selection::add`].
    pub fn only(&mut self, globs: &[String]) -> Result<()> {
        if !globs.is_empty() {
            self.add("*", Setting::Unselected)?;
            globs.iter().try_for_each(|glob| self.add(glob, Setting::Run))?;
        }
        Ok(())
    }

    /// What becomes of `check`.
    pub fn setting(&self, check: &Check) -> Setting {
        let last = self.rules.iter().rev().find(|(matcher, _)| matcher.is_match(check.id));
        last.map_or(Setting::Run, |(_, setting)| *setting)
    }
}
