//! How much something matters, and the one table form for kinds of fault.
//!
//! Each stage (tar, json, archive, image) lists what it can find wrong as one table; `verify` makes a check of every
//! row. Must not know any stage.

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Worth knowing; normal in images that real tools write.
    Note,
    /// Odd: readers may part, or a standard is bent. Does not fail a verification.
    Warning,
    /// Wrong: the image must not be trusted.
    Error,
}

impl Grade {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Grade::Note => "note",
            Grade::Warning => "warning",
            Grade::Error => "error",
        }
    }
}

/// What is to be said about one kind of fault, whatever the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultRow {
    /// Stable name, `area.kebab-case`; never renamed or reused.
    pub id: &'static str,
    /// How much it matters.
    pub grade: Grade,
    /// What is wrong, in half a sentence.
    pub title: &'static str,
    /// Why it matters: who reads what differently.
    pub why: &'static str,
}

/// Defines an enum of fault kinds and its table: `Variant Grade "area.id" "title" "why"`, one row each.
macro_rules! fault_kinds {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $grade:ident $id:literal $title:literal $why:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $id, "`: ", $title, ".")] $variant,)*
        }

        impl $name {
            /// Every kind, in the table's order.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            const ROWS: &'static [$crate::grade::FaultRow] = &[
                $($crate::grade::FaultRow {
                    id: $id,
                    grade: $crate::grade::Grade::$grade,
                    title: $title,
                    why: $why,
                }),*
            ];

            /// The table's row of this kind.
            #[expect(clippy::indexing_slicing, reason = "the enum and its rows are made by one macro")]
            pub fn row(self) -> &'static $crate::grade::FaultRow {
                &Self::ROWS[self as usize]
            }

            /// The stable id.
            pub fn id(self) -> &'static str {
                self.row().id
            }

            /// How much it matters.
            pub fn grade(self) -> $crate::grade::Grade {
                self.row().grade
            }
        }
    };
}

pub(crate) use fault_kinds;
