//! What can be wrong with an archive's entries. Must not know how it is found.

use crate::grade::fault_kinds;

fault_kinds! {
    /// What can be wrong with an archive's entries.
    FaultKind {
        DuplicateEntry Error "archive.duplicate-entry"
            "one name stands twice in the archive, with different content"
            "skopeo's docker reader and crane take the first, docker load and GNU tar the last: two images in one file"
        RepeatedEntry Warning "archive.repeated-entry"
            "one name stands twice in the archive, with the same content"
            "all readers get the same bytes, but no tool writes such archives on purpose"
        UnsafeName Error "archive.unsafe-name"
            "an entry's name is empty, absolute, climbs out with `..` or is longer than any system takes"
            "a reader that extracts it writes outside its folder or fails"
        OddName Warning "archive.odd-name"
            "an entry's name holds control characters or backslashes"
            "it shows as something else, or climbs out on systems where `\\` parts folders"
        SpecialEntry Warning "archive.special-entry"
            "an entry is a device, a FIFO or of an unknown type"
            "no tool writes such things into an image archive; a reader that extracts it as root makes them"
        SparseEntry Error "archive.sparse-entry"
            "an entry is stored sparse, so that its bytes in the archive are not its content"
            "readers part: skopeo fills up the holes, docker and containerd refuse some forms; nothing of it was verified"
        ThroughLink Error "archive.through-link"
            "an entry stands below a link or a file"
            "a reader that extracts it follows the link and writes elsewhere"
        LinkOutside Error "archive.link-outside"
            "a link leads out of the archive"
            "a reader that follows it reads files of the machine instead of the image"
        HardlinkMissing Error "archive.hardlink-missing"
            "a hard link's target is not before it in the archive"
            "a hard link is another name of what is there already: every reader that extracts fails"
        LinkLoop Error "archive.link-loop"
            "links lead in a circle, or one is longer than any system takes"
            "there is no content behind such a name"
        LongTail Error "archive.long-tail"
            "more follows the archive's end marker than the limit"
            "it was not looked at; no tool writes such archives, and what is there costs time or hides something"
        OuterCompression Note "archive.outer-compression"
            "the archive as a whole is compressed"
            "skopeo and podman read it, but for a docker-archive in gzip; docker load reads it, but 20.10 no zstd"
        OuterDamaged Error "archive.outer-damaged"
            "the archive as a whole cannot be decompressed to its end"
            "what comes behind that place is not known"
    }
}

/// Something wrong with one entry.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// The entry's name as it stands in the archive; empty for the archive as a whole.
    pub name: Vec<u8>,
    /// Offset of its header.
    pub offset: u64,
    /// More, in words.
    pub detail: String,
}
