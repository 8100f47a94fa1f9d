//! A machine that is what a test says it is.

use std::collections::BTreeMap;

use repro_build::{
    build::{BuildRequest, Builder, Environment},
    error::{Error, Result},
};

/// Working directory `/home/u`, docker and podman installed, `/home/u/app` a directory.
pub(crate) struct Machine {
    pub(crate) vars: BTreeMap<&'static str, &'static str>,
    pub(crate) programs: Vec<&'static str>,
    pub(crate) terminal: bool,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine { vars: BTreeMap::new(), programs: vec!["docker", "podman"], terminal: false }
    }
}

impl Environment for Machine {
    fn var(&self, name: &str) -> Result<Option<String>> {
        Ok(self.vars.get(name).map(|value| (*value).to_owned()))
    }

    fn has_program(&self, name: &str) -> bool {
        self.programs.contains(&name)
    }

    fn is_dir(&self, path: &str) -> bool {
        path.starts_with("/home/u/app") || path == "/home/u"
    }

    fn absolute(&self, path: &str) -> Result<String> {
        Ok(if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/home/u/{}", path.trim_start_matches("./"))
        })
    }

    fn file(&self, path: &str) -> Result<String> {
        Ok(path.to_owned())
    }

    fn terminal(&self) -> bool {
        self.terminal
    }
}

/// The least that can be asked for.
pub(crate) fn flags() -> Builder {
    Builder {
        context: "app".to_owned(),
        source_date_epoch: Some("1735689600".to_owned()),
        ..Builder::default()
    }
}

pub(crate) fn resolve(flags: &Builder) -> Result<BuildRequest> {
    BuildRequest::resolve(flags, &Machine::default())
}

/// What a usage error says; fails for anything else.
pub(crate) fn usage<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error: Error = result.expect_err("a usage error");
    assert_eq!(error.kind, repro_build::error::ErrorKind::Usage, "{error}");
    error.to_string()
}
