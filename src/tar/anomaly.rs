//! What can be odd about a tar archive: one row for each oddity, with the reason why it matters.
//!
//! Knows ids, grades and wording. Must not know how an oddity is found.

use super::Sink;
use crate::escape::escape;

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
    // What Go's reader refuses.
    HeaderChecksum Error "header-checksum" "A block is no tar header"
        "Go refuses the archive and Python stops as at its end; GNU tar and libarchive skip to the next header."
    NumberInvalid Error "number-invalid" "A number field of a header holds no number"
        "Go and libarchive refuse the archive, GNU tar skips the member; Python takes a minus sign."
    NumberOverflow Error "number-overflow" "A base-256 number needs more than 64 bits"
        "Go and libarchive refuse the archive, GNU tar skips the member; the tar crate keeps the low 64 bits."
    SizeNegative Error "size-negative" "A member's size is negative"
        "Go and libarchive refuse the archive, GNU tar skips the member; Python lists it."
    PaxRecord Error "pax-record" "An extended header is malformed"
        "Go refuses the archive; GNU tar uses the records before the bad one, libarchive none, Python reads on."
    PaxNul Error "pax-nul" "A PAX record holds a NUL where none may be"
        "Go refuses the archive; Python keeps the NUL, GNU tar and libarchive cut the text there."
    PaxNumber Error "pax-number" "A PAX record's value is no decimal number"
        "Go refuses the archive; Python takes 0, GNU tar the header block's value, libarchive the leading digits."
    PaxTime Error "pax-time" "A PAX record's value is no time"
        "Go refuses the archive; GNU tar and libarchive keep the header block's time, Python takes any float, even NaN."
    SparseMap Error "sparse-map" "The map of a sparse file is broken"
        "Go refuses it; what others extract differs from one to the next."
    SparseData Error "sparse-data" "A sparse file's map and its data disagree"
        "Go fails while it reads the data; others fill up with zeros or drop the rest."
    SparseTooLong Error "sparse-too-long" "The map of a sparse file is too long"
        "Go stops at 1 MiB (CVE-2025-58183); readers without a limit run out of memory."
    TruncatedHeader Error "truncated-header" "The archive stops inside a header"
        "Go and libarchive report it; Python and GNU tar take it for the end."
    TruncatedExtension Error "truncated-extension" "The archive stops inside an extension header"
        "Every reader reports it; what it says of its member is lost."
    TruncatedBody Error "truncated-body" "The archive stops inside a member's data"
        "Every reader reports it once it gets there; who seeks over the data may not get there."
    ZeroBlockInside Error "zero-block-inside" "One zero block, and then more"
        "Go refuses the archive; Python, GNU tar and libarchive stop there as at the end."
    // What is hidden from Go's reader, or too much.
    ExtensionWithoutMember Error "extension-without-member" "An extension header has no member behind it"
        "Go and GNU tar drop it silently at the end, Python and libarchive report it; before a global header Go drops it, and the others apply it."
    ArchiveAfterEnd Error "archive-after-end" "More members follow the end marker"
        "Go and most readers stop at the marker; GNU tar -i and libarchive's read_concatenated_archives read on."
    PaxSizeBeforeGnu Error "pax-size-before-gnu" "A PAX size stands before a GNU long name"
        "Go applies it to the member; readers that apply it to the long name see other members (GHSA-3cv2-h65g-fgmm)."
    ExtensionTooLarge Error "extension-too-large" "An extension header is larger than the limit"
        "Go stops at 1 MiB; readers without a limit keep it in memory."
    TooManyMembers Error "too-many-members" "The archive has more members than the limit"
        "The rest of the archive was not looked at."
    TooManyDirectories Error "too-many-directories" "The archive has more directories than can be kept track of"
        "Whether whiteouts and members contradict each other was not looked at behind that."
    // Where readers part, or a tool went wrong.
    ChecksumSigned Warning "checksum-signed" "A header's checksum is the sum of signed bytes"
        "Go, Python, GNU tar and libarchive accept it (old SunOS wrote it); the tar crate does not."
    NumberLead Warning "number-lead" "A base-256 number begins with an unusual byte"
        "Go takes any first byte with the high bit set; Python knows only 0x80 and 0xff."
    NumberNegative Warning "number-negative" "Mode, owner, group or device number is negative"
        "Go and Python hand it on, libarchive makes a huge number of it, GNU tar reports it."
    HeaderOnlyWithSize Warning "header-only-with-size" "A member that holds no data has a size"
        "Go reads no data, so the next block is a header; GNU tar skips as many bytes for some types, the tar crate for all."
    GnuTimes Warning "gnu-times" "A GNU header has times where ustar has its prefix"
        "Python takes the times for a prefix and lists another name."
    GnuPrefix Warning "gnu-prefix" "A GNU header has a prefix where its times belong"
        "Go before 1.8 wrote that, and Go and Python apply the prefix; GNU tar and libarchive do not."
    StrayPrefix Warning "stray-prefix" "A header without ustar magic has bytes where ustar has its prefix"
        "Python puts them before the name; Go, GNU tar and libarchive ignore them."
    GnuRealSize Warning "gnu-real-size" "A GNU header of a file that is not sparse states a real size"
        "libarchive takes it for the file's size; Go, Python and GNU tar ignore it."
    PaxDuplicateKey Warning "pax-duplicate-key" "An extended header has one keyword twice"
        "In Go, Python, GNU tar and libarchive the last one wins, in the tar crate the first for some fields."
    PaxRepeated Warning "pax-repeated" "A member has several extended headers"
        "Go and GNU tar take the last alone, Python the first."
    PaxEmpty Warning "pax-empty" "A PAX record for a header field is empty"
        "Go and libarchive keep the header block's value, as POSIX asks; Python and GNU tar take the empty one."
    PaxNumberForm Warning "pax-number-form" "A PAX number has a sign or leading zeros"
        "Go, Python and libarchive take it as decimal; GNU tar refuses a plus sign."
    PaxGlobalField Warning "pax-global-field" "A global header sets fields of members"
        "Go and libarchive apply nothing of it; Python and GNU tar apply it to all members behind it."
    PaxGnuMix Warning "pax-gnu-mix" "A member has both PAX and GNU extension headers"
        "In Go the GNU name wins; in Python, GNU tar and libarchive the PAX path does."
    GnuLongEmpty Warning "gnu-long-empty" "A GNU long name is empty"
        "Go keeps the header block's name; Python and GNU tar list an empty one, libarchive skips the member."
    GnuLongNul Warning "gnu-long-nul" "A GNU long name goes on behind a NUL"
        "Go cuts it at the NUL; the tar crate keeps all of it."
    GnuLongRepeated Warning "gnu-long-repeated" "A member has several GNU long names"
        "Go, GNU tar and libarchive take the last; Python takes the first."
    SparseVersion Warning "sparse-version" "A sparse file of a version that is not known"
        "Go takes it for a plain file; Python and GNU tar apply the real name and size."
    TruncatedPadding Warning "truncated-padding" "The archive stops inside padding"
        "All data is there, so Go is content; Python, GNU tar and libarchive report it."
    EndMarkerMissing Warning "end-marker-missing" "The archive has no end marker"
        "Nobody can tell whether it was cut at a member's end; umoci insert writes such layers."
    EndMarkerHalf Warning "end-marker-half" "The archive ends after one zero block"
        "POSIX asks for two; only GNU tar says a word."
    DataAfterEnd Warning "data-after-end" "Bytes that are no member follow the end marker"
        "No reader looks at them, yet every digest of the archive covers them."
    // What is worth knowing.
    BytesAfterNul Note "bytes-after-nul" "Bytes stand behind the NUL that ends a name"
        "All readers stop at the NUL; the rest may hide something."
    NumberBlank Note "number-blank" "A number field of a header is empty"
        "Go, Python, GNU tar and libarchive read 0; the tar crate refuses it."
    PaxSizeOverride Note "pax-size-override" "A PAX size replaces a header size that would have done"
        "Go, Python, GNU tar and libarchive use the record; readers that miss it see other members (CVE-2025-62518)."
    PaxNewline Note "pax-newline" "A PAX value holds a newline"
        "Records are framed by their length; readers that split at newlines see other records."
    PaxTimeDigits Note "pax-time-digits" "A PAX time is finer than a nanosecond"
        "Go cuts it; Python rounds it to a float."
    PaxGlobal Note "pax-global" "A global header that sets no field of a member"
        "A comment, as git archive writes it; no reader shows it as a member."
    Sparse Note "sparse" "A sparse file"
        "Its size counts its holes; not every program that unpacks layers takes it."
    PaddingNotZero Note "padding-not-zero" "Padding is not zero"
        "No reader looks at it, yet every digest of the archive covers it."
    EmptyHalfMarker Note "empty-half-marker" "An archive without members ends after one zero block"
        "POSIX asks for two; Go is content, some readers see no archive."
    TocAfterEnd Note "toc-after-end" "An eStargz table of contents follows the end marker"
        "By design: a lazy puller reads it, a tar reader does not; the diff_id covers it."
    // What names, links and whiteouts mean to who unpacks a layer.
    PathEmpty Warning "path-empty" "A member's name is empty"
        "Engines take it for the root directory or fail."
    PathAbsolute Warning "path-absolute" "A member's name is absolute"
        "Engines put it under the root of the image; tar -P and naive extractors write to the host."
    PathParent Warning "path-parent" "A member's name has .. in it"
        "Engines resolve it within the image or refuse it; naive extractors leave their directory."
    PathTrailingSlash Warning "path-trailing-slash" "A member that is no directory has a name that ends in a slash"
        "Go goes by the type flag; GNU tar, Python and libarchive make a directory of a file named so."
    PathThroughSymlink Warning "path-through-symlink" "A member lies below a symbolic link of the same archive"
        "Some engines follow the link, some replace it, some refuse."
    DuplicatePath Warning "duplicate-path" "A path stands more than once"
        "The last one wins where archives are unpacked, the first one where a member is looked up."
    DuplicateThroughSymlink Warning "duplicate-through-symlink" "A path is another one's, through a symbolic link"
        "Who follows the link overwrites the other member."
    DuplicateDirectory Note "duplicate-directory" "A directory stands more than once"
        "The last one sets owner, mode and times; tools that merge layers write such archives."
    WhiteoutAndPath Warning "whiteout-and-path" "A path is there and whited out in one layer"
        "Whiteouts are for lower layers, so the path stays in containerd; others go by the order."
    WhiteoutDot Warning "whiteout-dot" "A whiteout of nothing or of a dot directory"
        "An engine that does not refuse it removes a directory it should not."
    WhiteoutWithData Warning "whiteout-with-data" "A whiteout that is no empty file"
        "Engines drop what it holds; what it holds is hidden from who looks at the image."
    OpaqueLate Warning "opaque-late" "An opaque whiteout comes behind members of its directory"
        "Engines that go by the order remove those members too."
    OpaqueRoot Warning "opaque-root" "An opaque whiteout of the root directory"
        "It hides all that lower layers hold."
    OverlayMarker Warning "overlay-marker" "A whiteout in overlayfs form"
        "Layers have .wh. files; an engine that unpacks onto overlayfs takes this for a whiteout too, others do not."
    HardlinkToWhiteout Warning "hardlink-to-whiteout" "A hard link to a whiteout"
        "Whiteouts are not unpacked, so the link has no target."
    HardlinkMissing Warning "hardlink-missing" "A hard link's target is not before it in the archive"
        "It may be in a lower layer, where engines that unpack layers apart do not find it."
    LinkEmpty Warning "link-empty" "A link without target"
        "Engines fail or make something else of it."
    TypeUnknown Warning "type-unknown" "A type flag that container engines do not know"
        "Go lists it with its data; containerd and docker refuse it, others skip it or take it for a file."
    LinkUnused Note "link-unused" "A member that is no link has a link target"
        "Go and Python list it; nobody uses it."
    Device Note "device" "A device node"
        "It needs privileges to unpack, and gives access to hardware where it is not held back."
    SetId Note "set-id" "A file with the setuid or setgid bit"
        "It runs with its owner's rights."
    FileCapability Note "file-capability" "A file with capabilities"
        "It runs with rights of its own."
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

/// What stops the parser: an anomaly that does not yet know its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: AnomalyKind,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn new(kind: AnomalyKind, detail: String) -> Fault {
        Fault { kind, detail }
    }
}

/// Something odd at one place of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// Where it is, in bytes from the archive's beginning.
    pub offset: u64,
    /// The member it concerns, as far as it is known; raw bytes, at most [`MAX_NAME`].
    pub name: Vec<u8>,
    /// The values that matter, in words; names inside are escaped.
    pub detail: String,
}

/// How many anomalies of one kind are told one by one; the rest is told as a count when the archive ends.
pub const TOLD_SINGLY: u64 = 32;

/// How many bytes of a name an anomaly keeps: a name may be a MiB long, and a hostile archive full of them.
pub const MAX_NAME: usize = 1024;

/// Longest text from a file that is quoted in a detail, in bytes.
const MAX_QUOTE: usize = 256;

/// Text from a file as a detail shows it: escaped, and cut where it is long.
pub(super) fn shown(bytes: &[u8]) -> String {
    match bytes.get(..MAX_QUOTE) {
        Some(start) if start.len() < bytes.len() => format!("{}…", escape(start)),
        _ => escape(bytes).into_owned(),
    }
}

/// Passes anomalies on, and counts where they get too many.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    counts: [u64; ROWS.len()],
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { counts: [0; ROWS.len()] }
    }
}

impl Tally {
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
            let name = name.get(..MAX_NAME).unwrap_or(name).to_vec();
            sink.anomaly(Anomaly { kind, offset, name, detail: detail() });
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
