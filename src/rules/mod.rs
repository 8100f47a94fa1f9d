//! What normalisation changes: one table, by which `normalize` rewrites an image and `diff` names a difference's cause.
//!
//! Knows tar members and JSON values, and the form that each of their fields is brought to. Must not know archives,
//! streams, digests or how a rule's change gets into an image.

mod field;
mod markdown;
mod member;
mod select;
mod table;

pub use field::{Change, DocumentKind, FieldCanon};
pub use markdown::markdown;
pub use member::{MemberCanon, apply_all};
pub use select::Active;
pub use table::RULES;

/// How much is normalised. Each level does all that the ones before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The outer archive only: no digest changes.
    Archive,
    /// No time later than SOURCE_DATE_EPOCH, as BuildKit's `rewrite-timestamp` does it.
    Clamp,
    /// One form for everything that containers cannot see.
    Canonical,
    /// Members in one order too.
    Sorted,
}

impl Level {
    /// All levels, least first.
    pub const ALL: [Level; 4] = [Level::Archive, Level::Clamp, Level::Canonical, Level::Sorted];

    /// The level's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Level::Archive => "archive",
            Level::Clamp => "clamp",
            Level::Canonical => "canonical",
            Level::Sorted => "sorted",
        }
    }

    /// The level of that name.
    pub fn by_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The outer archive and the documents that no digest covers: `oci-layout`, `index.json`, `manifest.json`.
    Archive,
    /// Manifests and indexes.
    Manifest,
    /// Image configurations.
    Config,
    /// Layers: their members, their tar streams, their compression.
    Layer,
}

/// What the rules need to know of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// SOURCE_DATE_EPOCH: seconds since 1970-01-01T00:00:00Z.
    pub epoch: i64,
}

/// How a rule brings what it is about to its canonical form.
#[derive(Clone, Copy, Debug)]
pub enum Canon {
    /// Fields of one member of a layer.
    Member(MemberCanon),
    /// A field of a document.
    Field(FieldCanon),
    /// Something that only whoever writes the whole can do: order, encoding, form.
    Whole,
    /// The same where no `--rule` and no `--no-rule` decides whether it is done; what does, in half a sentence.
    Fixed(&'static str),
}

/// One thing that normalisation changes.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable name, `area.kebab-case`; never renamed or reused. `diff` names causes by it.
    pub id: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// The least level that applies it; `None` if only `--rule` (or an option of its own) does.
    pub level: Option<Level>,
    /// What it does, in half a sentence.
    pub title: &'static str,
    /// Why that differs between equal builds.
    pub why: &'static str,
    /// What is lost; empty if nothing is.
    pub loses: &'static str,
    /// What other tools do about it.
    pub elsewhere: Elsewhere,
    /// How it is done.
    pub canon: Canon,
}

/// What other tools do about a rule's subject; empty where they do nothing.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    /// BuildKit with SOURCE_DATE_EPOCH and `rewrite-timestamp=true`.
    pub buildkit: &'static str,
    /// buildah's `--timestamp`, or `--source-date-epoch` with `--rewrite-timestamp`.
    pub buildah: &'static str,
    /// kaniko's `--reproducible`.
    pub kaniko: &'static str,
    /// regctl's `image mod`.
    pub regctl: &'static str,
}

impl Rule {
    /// The rule of that id.
    pub fn by_id(id: &str) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.id == id)
    }

    /// What rules are ordered by to find the one of the least level; those that no level applies come last.
    pub(crate) fn rank(&self) -> impl Ord {
        (self.level.is_none(), self.level)
    }

    /// How it treats members, if members are what it is about.
    pub fn member(&self) -> Option<&MemberCanon> {
        match &self.canon {
            Canon::Member(canon) => Some(canon),
            Canon::Field(_) | Canon::Whole | Canon::Fixed(_) => None,
        }
    }

    /// How it treats a document's field, if that is what it is about.
    pub fn field(&self) -> Option<&FieldCanon> {
        match &self.canon {
            Canon::Field(canon) => Some(canon),
            Canon::Member(_) | Canon::Whole | Canon::Fixed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
