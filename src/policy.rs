//! Policies: one file that says what a team's images must keep to (`repro-build.toml`).
//!
//! Knows the file and how it changes what is verified. A policy that merely lies beside an input may be the work of
//! whoever made the input: it can ask for more, never for less.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    digest::{Algorithm, Digest},
    error::{Error, Result},
    escape::escape,
    grade::Grade,
    image::Platform,
    limits::{LimitChanges, Limits},
    location::Location,
    verify::{Options, Pattern, Selection, Setting, checks},
};

/// The name under which a policy is looked for beside an input.
pub const FILE_NAME: &str = "repro-build.toml";

/// What a policy file says. Every key may be left out; a key that is not known is an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Platforms that must be complete, or `["all"]`.
    require: Vec<String>,
    /// Nothing may be newer than this many seconds since the epoch.
    source_date_epoch: Option<u64>,
    /// What becomes of checks, by id or pattern. An id beats a pattern, a longer pattern a shorter one.
    checks: BTreeMap<String, Severity>,
    /// As the flags of the same names.
    limits: LimitChanges,
    /// What layers may hold.
    files: Files,
    /// How large and how many layers may be.
    layers: Layers,
    /// Of the file it was read from.
    #[serde(skip)]
    digest: Option<Digest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Error,
    Warning,
    Note,
    Off,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Files {
    forbid: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Layers {
    max_stored: Option<u64>,
    max_unpacked: Option<u64>,
    max_count: Option<u64>,
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// A usage error that names the line if it is no policy, or what reading fails with.
    pub fn read(path: &Path) -> Result<Policy> {
        let at = Location::new(path.as_os_str().as_encoded_bytes());
        let text =
            std::fs::read_to_string(path).map_err(|e| Error::io(at.clone(), "cannot read the policy", e))?;
        let policy = Policy::parse(&text).map_err(|error| error.at(at))?;
        Ok(Policy { digest: Some(Digest::of(Algorithm::Sha256, text.as_bytes())), ..policy })
    }

    /// The digest of the file it was read from.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Where the policy beside `input` is, if there is one.
    pub fn place_beside(input: &Path) -> PathBuf {
        input.parent().unwrap_or(Path::new("")).join(FILE_NAME)
    }

    /// The policy beside `input`, if there is one there.
    ///
    /// # Errors
    /// As [`Policy::read`]; and a usage error if it asks for less than goes without it, or is there and is no file.
    pub fn beside(input: &Path) -> Result<Option<(Policy, PathBuf)>> {
        let path = Policy::place_beside(input);
        let at = || Location::new(path.as_os_str().as_encoded_bytes());
        let absent = |e: &io::Error| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        // What is there and cannot be read must not pass for what is not there: a link that leads nowhere, a pipe.
        let target = match path.symlink_metadata() {
            Err(e) if absent(&e) => return Ok(None),
            found => found.and_then(|_| path.metadata()),
        };
        if !target.map_err(|e| Error::io(at(), "cannot read the policy", e))?.is_file() {
            return Err(Error::usage("the policy is no regular file").at(at()));
        }
        let policy = Policy::read(&path)?;
        if let Some(what) = policy.loosens() {
            let message = format!(
                "{what} asks for less than goes without it; name the file with --policy if you trust it"
            );
            return Err(Error::usage(message).at(at()));
        }
        Ok(Some((policy, path)))
    }

    /// Parses a policy.
    ///
    /// # Errors
    /// A usage error that names the line.
    pub fn parse(text: &str) -> Result<Policy> {
        let policy: Policy = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            Error::usage(format!("line {line}: {}", escape(error.message().as_bytes())))
        })?;
        policy.apply(&mut Options::default())?;
        Ok(policy)
    }

    /// Changes what is verified; what flags say is to be added afterwards and wins.
    ///
    /// # Errors
    /// A usage error if a check, a platform or a pattern is none.
    pub fn apply(&self, options: &mut Options) -> Result<()> {
        self.select(&mut options.selection)?;
        for word in &self.require {
            match word.as_str() {
                "all" => options.require_all = true,
                word => options.require.push(
                    Platform::parse(word)
                        .ok_or_else(|| Error::usage(format!("no platform: {}", escape(word.as_bytes()))))?,
                ),
            }
        }
        let epoch = self.source_date_epoch.map(|epoch| i64::try_from(epoch).unwrap_or(i64::MAX));
        options.source_date_epoch = epoch.or(options.source_date_epoch);
        options.content.forbidden =
            self.files.forbid.iter().map(|text| Pattern::new(text)).collect::<Result<_>>()?;
        options.content.max_stored = self.layers.max_stored;
        options.content.max_unpacked = self.layers.max_unpacked;
        options.content.max_layers = self.layers.max_count;
        Ok(())
    }

    /// The limits with what the policy says about them.
    pub fn limits(&self, limits: &Limits) -> Limits {
        limits.changed(&self.limits)
    }

    fn select(&self, selection: &mut Selection) -> Result<()> {
        let is_id = |glob: &str| checks().iter().any(|check| check.id == glob);
        let mut globs: Vec<(&String, &Severity)> = self.checks.iter().collect();
        globs.sort_by_key(|(glob, _)| (is_id(glob), glob.len()));
        globs.into_iter().try_for_each(|(glob, severity)| {
            selection.add(
                glob,
                match severity {
                    Severity::Error => Setting::As(Grade::Error),
                    Severity::Warning => Setting::As(Grade::Warning),
                    Severity::Note => Setting::As(Grade::Note),
                    Severity::Off => Setting::Skip,
                },
            )
        })
    }

    /// The first thing by which the policy asks for less than the defaults.
    fn loosens(&self) -> Option<&'static str> {
        let mut selection = Selection::default();
        self.select(&mut selection).ok()?;
        let lowered = checks().iter().find(|check| match selection.setting(check) {
            Setting::Run => false,
            Setting::Skip | Setting::Unselected => true,
            Setting::As(grade) => grade < check.grade,
        });
        let raised = self.limits.raise(&Limits::default());
        lowered.map(|check| check.id).or(raised.then_some("[limits]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_an_error() {
        for (text, says) in [
            ("\nrequired = []", "line 2: unknown field `required`"),
            ("[checks]\n\"no.such\" = \"off\"", "no check is called no.such"),
            ("[checks]\n\"blob.digest\" = \"fatal\"", "line 2: unknown variant `fatal`"),
            ("[files]\nforbid = [\"a[\"]", "no valid pattern"),
            ("[layers]\nmax_size = 1", "line 2: unknown field `max_size`"),
            ("require = [\"linux\"]", "no platform: linux"),
            ("source_date_epoch = -1", "line 1: "),
        ] {
            let error = Policy::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn an_id_beats_a_pattern_and_the_longer_pattern_the_shorter() {
        let text = "[checks]\n'layer.ratio' = 'error'\n'*' = 'off'\n'layer.*' = 'note'";
        let mut options = Options::default();
        Policy::parse(text).unwrap().apply(&mut options).unwrap();
        let setting =
            |id: &str| options.selection.setting(checks().iter().find(|check| check.id == id).unwrap());
        assert_eq!(setting("layer.ratio"), Setting::As(Grade::Error));
        assert_eq!(setting("layer.decode"), Setting::As(Grade::Note));
        assert_eq!(setting("blob.digest"), Setting::Skip);
    }

    #[test]
    fn asking_for_less_is_seen() {
        for (text, loosens) in [
            ("[checks]\n'blob.digest' = 'warning'", Some("blob.digest")),
            ("[checks]\n'layer.ratio' = 'off'", Some("layer.ratio")),
            ("[limits]\nmax_depth = 17", Some("[limits]")),
            ("[checks]\n'layer.ratio' = 'error'\n[limits]\nmax_depth = 2", None),
        ] {
            assert_eq!(Policy::parse(text).unwrap().loosens(), loosens, "{text}");
        }
    }
}
