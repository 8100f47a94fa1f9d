//! What can be odd about a tar archive: one row for each oddity, with the reason why it matters.
//!
//! Knows ids, grades and wording. Must not know how an oddity is found.

use super::Sink;

/// How much an anomaly matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Worth knowing; real tools write such archives.
    Note,
    /// Readers part, or a tool went wrong; what Go's reader sees is still clear.
    Warning,
    /// Go's reader refuses the archive, or something is hidden from it.
    Error,
}

macro_rules! anomalies {
    ($($variant:ident $grade:ident $id:literal $title:literal $why:literal)*) => {
        /// A kind of anomaly.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AnomalyKind {
            $(#[doc = concat!($title, ".")] $variant,)*
        }

        /// The rows, in the order of the variants.
        const ROWS: &[Row] = &[
            $(Row { kind: AnomalyKind::$variant, id: $id, grade: Grade::$grade, title: $title, why: $why },)*
        ];
    };
}

struct Row {
    kind: AnomalyKind,
    id: &'static str,
    grade: Grade,
    title: &'static str,
    why: &'static str,
}

anomalies! {
    HeaderChecksum Error "header-checksum" "A block is no tar header"
        "Go, Python and libarchive stop here; GNU tar skips to the next block that looks like a header."
}

impl AnomalyKind {
    /// Every kind, in the table's order.
    pub const ALL: &[AnomalyKind] = &{
        let mut all = [ROWS[0].kind; ROWS.len()];
        let mut i = 0;
        while i < ROWS.len() {
            all[i] = ROWS[i].kind;
            i += 1;
        }
        all
    };

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The stable kebab-case id.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// How much it matters.
    pub fn grade(self) -> Grade {
        self.row().grade
    }

    /// What is odd, in a few words.
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// Which readers part over it, and how, in one sentence.
    pub fn why(self) -> &'static str {
        self.row().why
    }
}

/// Something odd at one place of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// Where it is, in bytes from the archive's beginning.
    pub offset: u64,
    /// The member it concerns, as far as it is known; raw bytes.
    pub name: Vec<u8>,
    /// The values that matter, in words; names inside are escaped.
    pub detail: String,
}

/// How many anomalies of one kind are told one by one; the rest is told as a count when the archive ends.
pub const TOLD_SINGLY: u64 = 32;

/// Passes anomalies on, and counts where they get too many.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    counts: [u64; ROWS.len()],
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally { counts: [0; ROWS.len()] }
    }

    /// Tells of an anomaly, unless there were enough of its kind.
    pub(super) fn tell(
        &mut self,
        sink: &mut impl Sink,
        kind: AnomalyKind,
        offset: u64,
        name: &[u8],
        detail: impl FnOnce() -> String,
    ) {
        let Some(count) = self.counts.get_mut(kind as usize) else { return };
        *count = count.saturating_add(1);
        if *count <= TOLD_SINGLY {
            sink.anomaly(Anomaly { kind, offset, name: name.to_vec(), detail: detail() });
        }
    }

    /// Tells how many were left out of each kind.
    pub(super) fn finish(&self, sink: &mut impl Sink, offset: u64) {
        for (row, count) in ROWS.iter().zip(self.counts) {
            if let Some(more @ 1..) = count.checked_sub(TOLD_SINGLY) {
                let detail = format!("{more} more like this, {count} in all");
                sink.anomaly(Anomaly { kind: row.kind, offset, name: Vec::new(), detail });
            }
        }
    }
}
