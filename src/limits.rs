//! How much of anything a file may ask for before it is refused.
//!
//! Knows the documented defaults. A limit that is hit is reported with its value and the limit, never passed over.

use serde::Deserialize;

/// Limits on what an input may make the program do. All sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Largest JSON document (index, manifest, config, manifest.json).
    pub max_json: u64,
    /// Deepest nesting inside a JSON document.
    pub max_json_depth: usize,
    /// Largest PAX or GNU long-name body of one tar member. Go's archive/tar has the same limit.
    pub max_extension: u64,
    /// Most decoded bytes of one layer.
    pub max_unpacked: u64,
    /// Most members of one tar (outer archive or layer).
    pub max_members: u64,
    /// Most members of an outer archive, where `max_members` allows more: each takes some hundred bytes of memory.
    pub max_entries: u64,
    /// Most bytes behind an archive's end marker. Tools fill up the last block of theirs, 10 KiB and seldom more.
    pub max_trailing: u64,
    /// Deepest chain of nested image indexes.
    pub max_depth: usize,
    /// Largest zstd window, as a power of two (27 is 128 MiB, what `zstd -d` takes by default).
    pub zstd_window_log: u32,
    /// Most bytes of an input that is decoded as a whole, read from standard input or read instead of mapped that stay
    /// in memory; more goes to an unlinked temporary file.
    pub max_in_memory: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_json: 8 << 20,
            max_json_depth: 128,
            max_extension: 1 << 20,
            max_unpacked: 1 << 40,
            max_members: 10_000_000,
            max_entries: 1_000_000,
            max_trailing: 64 << 20,
            max_depth: 16,
            zstd_window_log: 27,
            max_in_memory: 64 << 20,
        }
    }
}

/// Limits that somebody sets otherwise, by a flag or a policy. What is `None` stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitChanges {
    /// [`Limits::max_json`]
    pub max_json: Option<u64>,
    /// [`Limits::max_extension`]
    pub max_extension: Option<u64>,
    /// [`Limits::max_unpacked`]
    pub max_unpacked: Option<u64>,
    /// [`Limits::max_members`]
    pub max_members: Option<u64>,
    /// [`Limits::max_depth`]
    pub max_depth: Option<usize>,
}

impl LimitChanges {
    /// Whether some limit would be higher than in `limits`.
    pub fn raise(&self, limits: &Limits) -> bool {
        let LimitChanges { max_json, max_extension, max_unpacked, max_members, max_depth } = *self;
        max_json > Some(limits.max_json)
            || max_extension > Some(limits.max_extension)
            || max_unpacked > Some(limits.max_unpacked)
            || max_members > Some(limits.max_members)
            || max_depth > Some(limits.max_depth)
    }
}

impl Limits {
    /// These limits with `changes` to them.
    #[must_use]
    pub fn changed(&self, changes: &LimitChanges) -> Limits {
        let LimitChanges { max_json, max_extension, max_unpacked, max_members, max_depth } = *changes;
        Limits {
            max_json: max_json.unwrap_or(self.max_json),
            max_extension: max_extension.unwrap_or(self.max_extension),
            max_unpacked: max_unpacked.unwrap_or(self.max_unpacked),
            max_members: max_members.unwrap_or(self.max_members),
            max_depth: max_depth.unwrap_or(self.max_depth),
            ..self.clone()
        }
    }

    /// Limits that only a file made to exhaust the machine would hit.
    pub fn permissive() -> Limits {
        Limits {
            max_json: 1 << 30,
            max_json_depth: 128,
            max_extension: 1 << 30,
            max_unpacked: u64::MAX,
            max_members: u64::MAX,
            max_entries: u64::MAX,
            max_trailing: u64::MAX,
            max_depth: 64,
            zstd_window_log: 31,
            max_in_memory: 1 << 30,
        }
    }
}
