//! What a normalisation did, as reports show it (see [`super::wire`]).

use std::path::Path;

use serde::Serialize;

use crate::{escape::escape, normalize::Outcome};

/// Version of the schema.
pub const SCHEMA: &str = "repro-build.normalize/1";

/// A whole normalisation.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NormalizeReport<'r> {
    /// Always `repro-build.normalize/1` in this version.
    pub schema: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// `normalize`.
    pub command: &'static str,
    /// The input.
    pub input: String,
    /// The new archive; `None` if none was written.
    pub output: Option<String>,
    /// What was done.
    #[serde(flatten)]
    pub outcome: &'r Outcome,
}

impl<'r> NormalizeReport<'r> {
    /// The report of a normalisation.
    pub fn new(input: &Path, output: Option<&Path>, outcome: &'r Outcome) -> NormalizeReport<'r> {
        let shown = |path: &Path| escape(path.as_os_str().as_encoded_bytes()).into_owned();
        NormalizeReport {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            command: "normalize",
            input: shown(input),
            output: output.map(shown),
            outcome,
        }
    }
}
