//! The typed view of an image configuration (image-spec config.md).

use super::{DocId, Platform};
use crate::digest::DiffId;

/// What the checks and the listings need of a configuration. The raw bytes stay the truth.
#[derive(Clone, Debug)]
pub struct Config {
    /// The document.
    pub document: DocId,
    /// `os`, `architecture`, `variant`.
    pub platform: Platform,
    /// `created`, as written.
    pub created: Option<String>,
    /// `rootfs.type`, as written.
    pub rootfs_type: Option<String>,
    /// `rootfs.diff_ids`; `None` for one that is no digest.
    pub diff_ids: Vec<Option<DiffId>>,
    /// `history`, or `None` where the configuration has none.
    pub history: Option<Vec<History>>,
}

/// One step of an image's history.
#[derive(Clone, Debug)]
pub struct History {
    /// `created`, as written.
    pub created: Option<String>,
    /// `created_by`, as written.
    pub created_by: Option<String>,
    /// Whether the step made no layer.
    pub empty_layer: bool,
}

impl Config {
    /// How many layers the history speaks of.
    pub fn history_layers(&self) -> Option<usize> {
        self.history.as_ref().map(|steps| steps.iter().filter(|step| !step.empty_layer).count())
    }
}
