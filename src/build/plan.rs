//! From a request to command lines, without touching anything.
//!
//! Knows what all runtimes share: the exporter's fields, and which files a run reads and writes. Must not look at the
//! file system: a plan is a pure value, and tests compare it.

use super::{
    command::{CommandSpec, csv_record},
    request::{BuildKit, BuildRequest},
};
use crate::escape::escape;

/// The files of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Where the runtime writes the image; an absolute path.
    pub output: String,
    /// The Dockerfile, where it is not simply the context's own.
    pub dockerfile: Option<Dockerfile>,
    /// What a container that exists only for this run is called.
    pub container: String,
}

/// The Dockerfile of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// Its absolute path, or where `local` is false its name inside a remote context.
    pub path: String,
    /// The `.dockerignore` that belongs to it alone.
    pub ignore: Option<String>,
    /// Whether it is a file of this machine.
    pub local: bool,
}

/// What is to be run, in order, and what the user should know first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The commands.
    pub commands: Vec<CommandSpec>,
    /// One line each.
    pub warnings: Vec<String>,
}

/// The commands that carry out `request` with these `files`.
pub fn plan(request: &BuildRequest, files: &Files) -> Plan {
    let mut warnings = (request.runtime.warnings)(request);
    warnings.extend(match &request.builder {
        BuildKit::Image { reference, .. } if reference.contains("@sha256:") => None,
        BuildKit::Image { reference, .. } => Some(format!(
            "the BuildKit image '{}' has no digest, so this build is not pinned; name it with @sha256:...",
            escape(reference.as_bytes())
        )),
        BuildKit::Existing(name) => Some(format!(
            "the builder '{}' runs whatever BuildKit it was made with, so this build is not pinned",
            escape(name.as_bytes())
        )),
    });
    Plan { commands: (request.runtime.commands)(request, files), warnings }
}

/// The value of `--output`: the image goes to `destination`; `more` are the fields only this runtime puts here.
pub(super) fn output_value(
    request: &BuildRequest,
    destination: &str,
    more: impl IntoIterator<Item = (String, String)>,
) -> String {
    let mut fields = vec![
        ("type".to_owned(), request.exporter.name().to_owned()),
        ("dest".to_owned(), destination.to_owned()),
        ("rewrite-timestamp".to_owned(), "true".to_owned()),
    ];
    fields
        .extend(request.effective_oci_mediatypes().map(|oci| ("oci-mediatypes".to_owned(), oci.to_string())));
    fields.extend(more);
    csv_record(fields.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}
