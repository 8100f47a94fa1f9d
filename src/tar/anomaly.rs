//! What can be odd about a tar archive: one row for each oddity, with the reason why it matters.
//!
//! Knows ids, grades and wording. Must not know how an oddity is found.

use super::Sink;
use crate::escape::escape;
use crate::grade::fault_kinds;

fault_kinds! {
    /// A kind of anomaly.
    AnomalyKind {
        // What Go's reader refuses.
        HeaderChecksum Error "tar.header-checksum"
            "a block is no tar header"
            "Go refuses the archive and Python stops as at its end; GNU tar and libarchive skip to the next header"
        NumberInvalid Error "tar.number-invalid"
            "a number field of a header holds no number"
            "Go and libarchive refuse the archive, GNU tar skips the member; Python takes a minus sign"
        NumberOverflow Error "tar.number-overflow"
            "a base-256 number needs more than 64 bits"
            "Go and libarchive refuse the archive, GNU tar skips the member; the tar crate keeps the low 64 bits"
        SizeNegative Error "tar.size-negative"
            "a member's size is negative"
            "Go and libarchive refuse the archive, GNU tar skips the member; Python lists it"
        PaxRecord Error "tar.pax-record"
            "an extended header is malformed"
            "Go refuses the archive; GNU tar uses the records before the bad one, libarchive none, Python reads on"
        PaxNul Error "tar.pax-nul"
            "a PAX record holds a NUL where none may be"
            "Go refuses the archive; Python keeps the NUL, GNU tar and libarchive cut the text there"
        PaxNumber Error "tar.pax-number"
            "a PAX record's value is no decimal number"
            "Go refuses the archive; Python takes 0, GNU tar the header block's value, libarchive the leading digits"
        PaxTime Error "tar.pax-time"
            "a PAX record's value is no time"
            "Go refuses the archive; GNU tar and libarchive keep the header block's time, Python takes any float, even NaN"
        SparseMap Error "tar.sparse-map"
            "the map of a sparse file is broken"
            "Go refuses it; what others extract differs from one to the next"
        SparseData Error "tar.sparse-data"
            "a sparse file's map and its data disagree"
            "Go fails while it reads the data; others fill up with zeros or drop the rest"
        SparseTooLong Error "tar.sparse-too-long"
            "the map of a sparse file is too long"
            "Go stops at 1 MiB (CVE-2025-58183); readers without a limit run out of memory"
        TruncatedHeader Error "tar.truncated-header"
            "the archive stops inside a header"
            "Go and libarchive report it; Python and GNU tar take it for the end"
        TruncatedExtension Error "tar.truncated-extension"
            "the archive stops inside an extension header"
            "every reader reports it; what it says of its member is lost"
        TruncatedBody Error "tar.truncated-body"
            "the archive stops inside a member's data"
            "every reader reports it once it gets there; who seeks over the data may not get there"
        ZeroBlockInside Error "tar.zero-block-inside"
            "one zero block, and then more"
            "Go refuses the archive; Python, GNU tar and libarchive stop there as at the end"
        // What is hidden from Go's reader, or too much.
        ExtensionWithoutMember Error "tar.extension-without-member"
            "an extension header has no member behind it"
            "Go and GNU tar drop it silently at the end, Python and libarchive report it; before a global header Go drops it, and the others apply it"
        ArchiveAfterEnd Error "tar.archive-after-end"
            "more members follow the end marker"
            "Go and most readers stop at the marker; GNU tar -i and libarchive's read_concatenated_archives read on"
        PaxSizeBeforeGnu Error "tar.pax-size-before-gnu"
            "a PAX size stands before a GNU long name"
            "Go applies it to the member; readers that apply it to the long name see other members (GHSA-3cv2-h65g-fgmm)"
        ExtensionTooLarge Error "tar.extension-too-large"
            "an extension header is larger than the limit"
            "Go stops at 1 MiB; readers without a limit keep it in memory"
        TooManyMembers Error "tar.too-many-members"
            "the archive has more members than the limit"
            "the rest of the archive was not looked at"
        TooManyDirectories Error "tar.too-many-directories"
            "the archive has more directories, or more links to follow, than can be kept track of"
            "whether whiteouts and members contradict each other was not looked at behind that"
        // Where readers part, or a tool went wrong.
        ChecksumSigned Warning "tar.checksum-signed"
            "a header's checksum is the sum of signed bytes"
            "Go, Python, GNU tar and libarchive accept it (old SunOS wrote it); the tar crate does not"
        NumberLead Warning "tar.number-lead"
            "a base-256 number begins with an unusual byte"
            "Go takes any first byte with the high bit set; Python knows only 0x80 and 0xff"
        NumberNul Warning "tar.number-nul"
            "a NUL stands before or among the digits of a number"
            "Go takes the first digits there are, Python and GNU tar end at the NUL, libarchive does the one or fails"
        NumberSpaces Warning "tar.number-spaces"
            "a number field of a header holds nothing but spaces"
            "Go, Python and libarchive read 0; GNU tar reports it, and skips a member whose size is so"
        NumberNegative Warning "tar.number-negative"
            "mode, owner, group or device number is negative"
            "Go and Python hand it on, libarchive makes a huge number of it, GNU tar reports it"
        HeaderOnlyWithSize Warning "tar.header-only-with-size"
            "a member that holds no data has a size"
            "Go reads no data, so the next block is a header; GNU tar skips as many bytes for some types, the tar crate for all"
        GnuTimes Warning "tar.gnu-times"
            "a GNU header has times where ustar has its prefix"
            "Python takes the times for a prefix and lists another name"
        GnuPrefix Warning "tar.gnu-prefix"
            "a GNU header has a prefix where its times belong"
            "Go before 1.8 wrote that, and Go and Python apply the prefix; GNU tar and libarchive do not"
        StrayPrefix Warning "tar.stray-prefix"
            "a header without ustar magic has bytes where ustar has its prefix"
            "Python puts them before the name; Go, GNU tar and libarchive ignore them"
        GnuRealSize Warning "tar.gnu-real-size"
            "a GNU header of a file that is not sparse states a real size"
            "libarchive takes it for the file's size; Go, Python and GNU tar ignore it"
        PaxDuplicateKey Warning "tar.pax-duplicate-key"
            "an extended header has one keyword twice"
            "in Go, Python, GNU tar and libarchive the last one wins, in the tar crate the first for some fields"
        PaxRepeated Warning "tar.pax-repeated"
            "a member has several extended headers"
            "Go and GNU tar take the last alone, Python the first"
        PaxEmpty Warning "tar.pax-empty"
            "a PAX record for a header field is empty"
            "Go and libarchive keep the header block's value, as POSIX asks; Python and GNU tar take the empty one"
        PaxNumberForm Warning "tar.pax-number-form"
            "a PAX number has a sign or leading zeros"
            "Go, Python and libarchive take it as decimal; GNU tar refuses a plus sign"
        PaxRecordForm Warning "tar.pax-record-form"
            "a PAX record's length has a plus sign, or its keyword begins with a blank"
            "Go takes both as they are; GNU tar passes over the blank and refuses the sign, Python and libarchive drop the record"
        PaxGlobalField Warning "tar.pax-global-field"
            "a global header sets fields of members"
            "Go and libarchive apply nothing of it; Python and GNU tar apply it to all members behind it"
        PaxGnuMix Warning "tar.pax-gnu-mix"
            "a member has both PAX and GNU extension headers"
            "in Go the GNU name wins; in Python, GNU tar and libarchive the PAX path does"
        GnuLongEmpty Warning "tar.gnu-long-empty"
            "a GNU long name is empty"
            "Go keeps the header block's name; Python and GNU tar list an empty one, libarchive skips the member"
        GnuLongNul Warning "tar.gnu-long-nul"
            "a GNU long name goes on behind a NUL"
            "Go cuts it at the NUL; the tar crate keeps all of it"
        GnuLongRepeated Warning "tar.gnu-long-repeated"
            "a member has several GNU long names"
            "Go, GNU tar and libarchive take the last; Python takes the first"
        SparseVersion Warning "tar.sparse-version"
            "a sparse file of a version that is not known"
            "Go takes it for a plain file; Python and GNU tar apply the real name and size"
        SparseStray Warning "tar.sparse-stray"
            "PAX records speak of a sparse file, but none says which format it has"
            "Go takes it for a plain file; Python, GNU tar and libarchive apply its real name or size"
        SparseGnu Note "tar.sparse-gnu"
            "a sparse file of type S, as GNU tar writes it"
            "Go, GNU tar and libarchive read it; docker, containerd, podman and umoci refuse to unpack the layer"
        TruncatedPadding Warning "tar.truncated-padding"
            "the archive stops inside padding"
            "all data is there, so Go is content; Python, GNU tar and libarchive report it"
        EndMarkerMissing Warning "tar.end-marker-missing"
            "the archive has no end marker"
            "nobody can tell whether it was cut at a member's end; umoci insert writes such layers"
        EndMarkerHalf Warning "tar.end-marker-half"
            "the archive ends after one zero block"
            "POSIX asks for two; only GNU tar says a word"
        DataAfterEnd Warning "tar.data-after-end"
            "bytes that are no member follow the end marker"
            "no reader looks at them, yet every digest of the archive covers them"
        // What is worth knowing.
        BytesAfterNul Note "tar.bytes-after-nul"
            "bytes stand behind the NUL that ends a name"
            "all readers stop at the NUL; the rest may hide something"
        NumberBlank Note "tar.number-blank"
            "a number field of a header is empty"
            "Go, Python, GNU tar and libarchive read 0; the tar crate refuses it"
        PaxSizeOverride Note "tar.pax-size-override"
            "a PAX size replaces a header size that would have done"
            "Go, Python, GNU tar and libarchive use the record; readers that miss it see other members (CVE-2025-62518)"
        PaxNewline Note "tar.pax-newline"
            "a PAX value holds a newline"
            "records are framed by their length; readers that split at newlines see other records"
        PaxTimeDigits Note "tar.pax-time-digits"
            "a PAX time is finer than a nanosecond"
            "Go cuts it; Python rounds it to a float"
        PaxGlobal Note "tar.pax-global"
            "a global header that sets no field of a member"
            "a comment, as git archive writes it; no reader shows it as a member"
        Sparse Note "tar.sparse"
            "a sparse file"
            "its size counts its holes; not every program that unpacks layers takes it"
        PaddingNotZero Note "tar.padding-not-zero"
            "padding is not zero"
            "no reader looks at it, yet every digest of the archive covers it"
        EmptyHalfMarker Note "tar.empty-half-marker"
            "an archive without members ends after one zero block"
            "POSIX asks for two; Go is content, some readers see no archive"
        TocAfterEnd Note "tar.toc-after-end"
            "an eStargz table of contents follows the end marker"
            "by design: a lazy puller reads it, a tar reader does not; the diff_id covers it"
        // What names, links and whiteouts mean to who unpacks a layer.
        PathEmpty Warning "tar.path-empty"
            "a member's name is empty"
            "engines take it for the root directory or fail"
        PathAbsolute Warning "tar.path-absolute"
            "a member's name is absolute"
            "engines put it under the root of the image; tar -P and naive extractors write to the host"
        PathParent Warning "tar.path-parent"
            "a member's name has .. in it"
            "engines resolve it within the image or refuse it; naive extractors leave their directory"
        PathDeep Note "tar.path-deep"
            "a member lies more than 128 directories deep"
            "whether what stands above it contradicts it was not looked at to its end"
        PathTrailingSlash Warning "tar.path-trailing-slash"
            "a member that is no directory has a name that ends in a slash"
            "Go goes by the type flag; GNU tar, Python and libarchive make a directory of a file named so"
        PathThroughSymlink Warning "tar.path-through-symlink"
            "a member lies below a symbolic link of the same archive"
            "some engines follow the link, some replace it, some refuse"
        DuplicatePath Warning "tar.duplicate-path"
            "a path stands more than once"
            "the last one wins where archives are unpacked, the first one where a member is looked up"
        DuplicateThroughSymlink Warning "tar.duplicate-through-symlink"
            "a path is another one's, through a symbolic link"
            "who follows the link overwrites the other member"
        DuplicateDirectory Note "tar.duplicate-directory"
            "a directory stands more than once"
            "the last one sets owner, mode and times; tools that merge layers write such archives"
        WhiteoutAndPath Warning "tar.whiteout-and-path"
            "a path is there and whited out in one layer"
            "whiteouts are for lower layers, so the path stays in containerd; others go by the order"
        WhiteoutDot Warning "tar.whiteout-dot"
            "a whiteout of nothing or of a dot directory"
            "an engine that does not refuse it removes a directory it should not"
        WhiteoutWithData Warning "tar.whiteout-with-data"
            "a whiteout that is no empty file"
            "engines drop what it holds; what it holds is hidden from who looks at the image"
        OpaqueLate Warning "tar.opaque-late"
            "an opaque whiteout comes behind members of its directory"
            "engines that go by the order remove those members too"
        OpaqueRoot Warning "tar.opaque-root"
            "an opaque whiteout of the root directory"
            "it hides all that lower layers hold"
        OverlayMarker Warning "tar.overlay-marker"
            "a whiteout in overlayfs form"
            "layers have .wh. files; an engine that unpacks onto overlayfs takes this for a whiteout too, others do not"
        HardlinkToWhiteout Warning "tar.hardlink-to-whiteout"
            "a hard link to a whiteout"
            "whiteouts are not unpacked, so the link has no target"
        HardlinkMissing Warning "tar.hardlink-missing"
            "a hard link's target is not before it in the archive"
            "it may be in a lower layer, where engines that unpack layers apart do not find it"
        LinkEmpty Warning "tar.link-empty"
            "a link without target"
            "engines fail or make something else of it"
        TypeByName Warning "tar.type-by-name"
            "a member of type NUL has a name in its header block that ends in a slash, and another name that does not, or the other way round"
            "Go goes by the name that counts, Python by the header block's: a file for one is a directory for the other"
        TypeUnknown Warning "tar.type-unknown"
            "a type flag that container engines do not know"
            "Go lists it with its data; containerd and docker refuse it, others skip it or take it for a file"
        LinkUnused Note "tar.link-unused"
            "a member that is no link has a link target"
            "Go and Python list it; nobody uses it"
        Device Note "tar.device"
            "a device node"
            "it needs privileges to unpack, and gives access to hardware where it is not held back"
        SetId Note "tar.set-id"
            "a file with the setuid or setgid bit"
            "it runs with its owner's rights"
        FileCapability Note "tar.file-capability"
            "a file with capabilities"
            "it runs with rights of its own"
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
    counts: [u64; AnomalyKind::ALL.len()],
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { counts: [0; AnomalyKind::ALL.len()] }
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
        for (&kind, count) in AnomalyKind::ALL.iter().zip(self.counts) {
            if let Some(more @ 1..) = count.checked_sub(TOLD_SINGLY) {
                let detail = format!("{more} more like this, {count} in all");
                sink.anomaly(Anomaly { kind, offset, name: Vec::new(), detail });
            }
        }
    }
}
