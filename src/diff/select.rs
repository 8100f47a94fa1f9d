//! Which causes count.

use globset::{Glob, GlobMatcher};

use super::cause::Cause;
use crate::{
    error::{Error, Result},
    escape::escape,
};

/// Which causes count: all of them, if nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Causes {
    only: Vec<GlobMatcher>,
    ignored: Vec<GlobMatcher>,
}

impl Causes {
    /// Only causes that match `glob` count, and those that an earlier call named.
    ///
    /// # Errors
    /// A usage error if the glob is none, or names no cause.
    pub fn only(&mut self, glob: &str) -> Result<()> {
        self.only.push(compile(glob)?);
        Ok(())
    }

    /// Causes that match `glob` do not count.
    ///
    /// # Errors
    /// As [`Causes::only`].
    pub fn ignore(&mut self, glob: &str) -> Result<()> {
        self.ignored.push(compile(glob)?);
        Ok(())
    }

    /// Whether a difference of this cause counts.
    pub fn count(&self, cause: Cause) -> bool {
        let any = |globs: &[GlobMatcher]| globs.iter().any(|glob| names(glob, cause));
        (self.only.is_empty() || any(&self.only)) && !any(&self.ignored)
    }
}

/// A rule is named by its id or by what follows the area in it: `layer.encoding` is `encoding` too.
fn names(glob: &GlobMatcher, cause: Cause) -> bool {
    let name = cause.name();
    glob.is_match(name) || name.rsplit('.').next().is_some_and(|short| glob.is_match(short))
}

fn compile(glob: &str) -> Result<GlobMatcher> {
    let shown = escape(glob.as_bytes()).into_owned();
    let matcher = Glob::new(glob).map_err(|e| Error::usage(format!("{shown}: {e}")))?.compile_matcher();
    if !Cause::all().any(|cause| names(&matcher, cause)) {
        let known: Vec<&str> = Cause::all().map(Cause::name).collect();
        return Err(Error::usage(format!("no cause is called {shown} (known: {})", known.join(", "))));
    }
    Ok(matcher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_and_globs_name_rules() {
        let mut causes = Causes::default();
        causes.ignore("encoding").unwrap();
        causes.ignore("config.*").unwrap();
        assert!(!causes.count(Cause::Rule("layer.encoding")) && !causes.count(Cause::Encoding));
        assert!(!causes.count(Cause::Rule("config.history")) && causes.count(Cause::Rule("layer.mtime")));
        assert!(causes.ignore("nonsense").is_err() && causes.only("[").is_err());
    }

    #[test]
    fn only_leaves_the_others_out() {
        let mut causes = Causes::default();
        causes.only("content").unwrap();
        assert!(causes.count(Cause::Content) && !causes.count(Cause::Mode));
    }
}
