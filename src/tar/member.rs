//! One member of a tar archive as Go's archive/tar would hand it to a container engine.
//!
//! Knows the fields and what they mean. Must not know how they are encoded in blocks.

/// A point in time: whole seconds since the epoch, rounded down, and the nanoseconds after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z, negative before.
    pub secs: i64,
    /// Nanoseconds after `secs`, below 1 000 000 000.
    pub nanos: u32,
}

impl Timestamp {
    /// A time without sub-seconds.
    pub fn from_secs(secs: i64) -> Timestamp {
        Timestamp { secs, nanos: 0 }
    }

    /// Decimal seconds since the epoch, to the nanosecond: `-1.500000000` is 1.5 s before it.
    pub(crate) fn decimal(self) -> String {
        const SECOND: u128 = 1_000_000_000;
        let nanos = i128::from(self.secs).saturating_mul(1_000_000_000).saturating_add(self.nanos.into());
        let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
        format!("{sign}{}.{:09}", nanos / SECOND, nanos % SECOND)
    }
}

/// What a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file with data (types `0`, NUL and, with a sparse map, `S`).
    #[default]
    Regular,
    /// Another name of an earlier member (type `1`).
    Hardlink,
    /// A symbolic link (type `2`).
    Symlink,
    /// A character device (type `3`).
    CharDevice,
    /// A block device (type `4`).
    BlockDevice,
    /// A directory (type `5`, or NUL with a name that ends in `/`).
    Directory,
    /// A named pipe (type `6`).
    Fifo,
    /// A type flag that container engines do not know.
    Other(u8),
}

impl Kind {
    /// The kind that a type flag stands for, before the name is looked at.
    pub(super) fn of(typeflag: u8) -> Kind {
        match typeflag {
            b'0' | 0 | b'S' => Kind::Regular,
            b'1' => Kind::Hardlink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => Kind::Other(other),
        }
    }

    /// Whether such a member has no data whatever its size field says (Go, GNU tar; POSIX for types `2` to `6`).
    pub fn is_header_only(self) -> bool {
        !matches!(self, Kind::Regular | Kind::Other(_))
    }

    /// The letter that stands for the kind in a raw listing; `None` for [`Kind::Other`].
    pub fn letter(self) -> Option<char> {
        Some(match self {
            Kind::Regular => 'f',
            Kind::Hardlink => 'h',
            Kind::Symlink => 'l',
            Kind::CharDevice => 'c',
            Kind::BlockDevice => 'b',
            Kind::Directory => 'd',
            Kind::Fifo => 'p',
            Kind::Other(_) => return None,
        })
    }
}

/// The tar dialect of a member's headers, as far as they agree; the first three are what Go's `Header.Format` can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// POSIX.1-1988.
    #[default]
    Ustar,
    /// POSIX.1-2001: ustar with extended headers.
    Pax,
    /// Old GNU tar.
    Gnu,
    /// Unix V7: no magic.
    V7,
    /// Schily's star before it took up PAX.
    Star,
    /// Headers of different dialects, or one that bends its dialect's rules (Go: unknown).
    Mixed,
}

impl Dialect {
    /// The dialect's usual name.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Ustar => "ustar",
            Dialect::Pax => "pax",
            Dialect::Gnu => "gnu",
            Dialect::V7 => "v7",
            Dialect::Star => "star",
            Dialect::Mixed => "mixed",
        }
    }
}

/// The prefix of PAX records that hold extended attributes.
pub const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";

/// A PAX record: keyword and value.
pub type Record = (Vec<u8>, Vec<u8>);

/// One member: what the last header block says, overridden by its extension headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The name, not cleaned: prefix, PAX `path`, GNU long name and sparse name applied.
    pub name: Vec<u8>,
    /// The link target as it stands, also where the kind is no link.
    pub link: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// The type flag in the header block.
    pub typeflag: u8,
    /// Permission bits, and whatever else the writer put there.
    pub mode: i64,
    /// Owner.
    pub uid: i64,
    /// Group.
    pub gid: i64,
    /// Bytes of content: a sparse file's real size; 0 for kinds that hold no data.
    pub size: u64,
    /// Bytes of the body in the archive, without padding (a sparse 1.0 map counts).
    pub stored: u64,
    /// Time of last modification.
    pub mtime: Timestamp,
    /// Time of last access, where a header has it.
    pub atime: Option<Timestamp>,
    /// Time of last status change, where a header has it.
    pub ctime: Option<Timestamp>,
    /// Owner's name.
    pub uname: Vec<u8>,
    /// Group's name.
    pub gname: Vec<u8>,
    /// Major device number.
    pub devmajor: i64,
    /// Minor device number.
    pub devminor: i64,
    /// The PAX records in force: local ones, in archive order, one per keyword (the last). A record with an empty
    /// value stays, since Go's writer keeps it; it overrides nothing.
    pub records: Vec<Record>,
    /// The dialect of its headers.
    pub dialect: Dialect,
    /// Offset and length of each data segment of a sparse file.
    pub sparse: Option<Vec<(u64, u64)>>,
    /// Where its first block begins, extension headers included.
    pub header_offset: u64,
    /// Where its body begins.
    pub data_offset: u64,
}

impl Member {
    /// The value of a PAX record; `None` where there is none or it is empty.
    pub fn record(&self, key: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.records.iter().find(|(k, v)| k == key && !v.is_empty())?;
        Some(value)
    }

    /// Extended attributes, name and value, in archive order.
    pub fn xattrs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(XATTR_PREFIX)?, value.as_slice())))
    }
}

/// A PAX global extended header (type `g`). Go hands it on and applies nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalHeader {
    /// Its name, or its own `path` record.
    pub name: Vec<u8>,
    /// Its records, in archive order, one per keyword (the last).
    pub records: Vec<Record>,
    /// Where its first block begins.
    pub header_offset: u64,
}

/// Permission bits in letters, as `ls -l` shows them: `rwsr-xr-t`.
pub fn permissions(mode: i64) -> String {
    let letter = |bit: i64, letter: char| if mode & bit != 0 { letter } else { '-' };
    let special =
        |bit: i64, execute: i64, both: char, only: char| match (mode & bit != 0, mode & execute != 0) {
            (true, true) => both,
            (true, false) => only,
            (false, true) => 'x',
            (false, false) => '-',
        };
    [
        letter(0o400, 'r'),
        letter(0o200, 'w'),
        special(0o4000, 0o100, 's', 'S'),
        letter(0o040, 'r'),
        letter(0o020, 'w'),
        special(0o2000, 0o010, 's', 'S'),
        letter(0o004, 'r'),
        letter(0o002, 'w'),
        special(0o1000, 0o001, 't', 'T'),
    ]
    .iter()
    .collect()
}
