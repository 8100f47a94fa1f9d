//! Header blocks for one member, byte for byte as Go's archive/tar writes the header that its reader gave.
//!
//! BuildKit's `rewrite-timestamp` copies a layer that way: it reads a header, lowers its times and writes it back with
//! the dialect that the reader found (moby/buildkit util/converter/tarconverter). Knows Go's choice among dialects
//! (archive/tar common.go, `allowedFormats`) and the layout of each. Must not know where members come from.

use std::collections::BTreeMap;

use super::BLOCK;
use super::block::{Block, Magic, NAME_SIZE, Numbers, fits_base256, fits_octal, raw_blocks, to_ascii};
use super::member::{Dialect, GlobalHeader, Kind, Member, Record, Timestamp};
use super::pax;

/// The two zero blocks that end an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Longest owner or group name in a header block.
const OWNER_SIZE: usize = 32;
/// Longest part of a name in ustar's prefix.
const PREFIX_SIZE: usize = 155;
/// Longest body of an extension header; Go's limit for writing as for reading.
const MAX_EXTENSION: usize = 1 << 20;
/// Go's zero time, 0001-01-01T00:00:00Z, which its writer takes for "no time".
const NO_TIME: i64 = -62_135_596_800;

/// Why a member cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrepresentable {
    /// Go's writer has no sparse files.
    #[error("sparse files cannot be written")]
    Sparse,
    /// Nothing is known about members of this type.
    #[error("members of type 0x{0:02x} cannot be written")]
    Type(u8),
    /// Readers would take it for a directory.
    #[error("the name of a member that is no directory ends in a slash")]
    TrailingSlash,
    /// No dialect that the member may use holds its fields.
    #[error("no tar dialect allowed for it ({}) can hold its {field}", dialect.name())]
    Field {
        /// The dialect the member came in.
        dialect: Dialect,
        /// The field that does not fit.
        field: &'static str,
    },
    /// A PAX record that no reader could read back.
    #[error("the PAX record {} cannot be written", crate::escape::escape(.0))]
    Record(Vec<u8>),
    /// The records take more than Go's limit.
    #[error("its PAX records take {0} bytes, more than the limit of {MAX_EXTENSION}")]
    TooLong(usize),
}

/// The blocks before a member's data: extension headers, if it needs them, and its header.
///
/// Times without a known dialect ([`Dialect::V7`], [`Dialect::Star`], [`Dialect::Mixed`]) are rounded to seconds and
/// access and change times left out, as Go does; the first of ustar, PAX and GNU that can hold the rest is taken.
pub fn encode(member: &Member) -> Result<Vec<u8>, Unrepresentable> {
    if member.sparse.is_some() {
        return Err(Unrepresentable::Sparse);
    }
    if let Kind::Other(typeflag) = member.kind {
        return Err(Unrepresentable::Type(typeflag));
    }
    let fields = Fields::of(member);
    let (choice, records) = choose(&fields, member)?;
    match choice {
        Dialect::Ustar => Ok(ustar(&fields)),
        Dialect::Gnu => Ok(gnu(&fields)),
        _ => with_records(&fields, &records),
    }
}

/// The blocks of a PAX global header.
pub fn encode_global(header: &GlobalHeader) -> Result<Vec<u8>, Unrepresentable> {
    let mut records: BTreeMap<&[u8], &[u8]> =
        header.records.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
    if header.name.len() > NAME_SIZE || !header.name.is_ascii() {
        records.insert(b"path", &header.name);
    }
    let name: &[u8] = if header.name.is_empty() { b"GlobalHead.0.0" } else { &header.name };
    raw_file(name, &format_records(&records)?, b'g', Magic::Ustar)
}

/// A member's fields as Go's writer takes them.
struct Fields<'a> {
    member: &'a Member,
    typeflag: u8,
    mtime: Option<Timestamp>,
    atime: Option<Timestamp>,
    ctime: Option<Timestamp>,
}

impl Fields<'_> {
    fn of(member: &Member) -> Fields<'_> {
        let typeflag = match member.kind {
            Kind::Regular => b'0',
            Kind::Hardlink => b'1',
            Kind::Symlink => b'2',
            Kind::CharDevice => b'3',
            Kind::BlockDevice => b'4',
            Kind::Directory => b'5',
            Kind::Fifo => b'6',
            Kind::Other(typeflag) => typeflag,
        };
        let (mut mtime, mut atime, mut ctime) = (Some(member.mtime), member.atime, member.ctime);
        if !is_known(member.dialect) {
            let round_up = i64::from(member.mtime.nanos >= 500_000_000);
            mtime = Some(Timestamp::from_secs(member.mtime.secs.saturating_add(round_up)));
            (atime, ctime) = (None, None);
        }
        let set = |time: Option<Timestamp>| time.filter(|time| *time != Timestamp::from_secs(NO_TIME));
        Fields { member, typeflag, mtime: set(mtime), atime: set(atime), ctime: set(ctime) }
    }

    fn mtime_secs(&self) -> i64 {
        self.mtime.map_or(0, |time| time.secs)
    }
}

/// Whether Go's `Header.Format` has a word for the dialect.
fn is_known(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Ustar | Dialect::Pax | Dialect::Gnu)
}

/// The dialects that can still hold a member, and the field that shut out the last one.
struct Allowed {
    ustar: bool,
    pax: bool,
    gnu: bool,
    refused: &'static str,
}

impl Allowed {
    fn keep(&mut self, field: &'static str, ustar: bool, pax: bool, gnu: bool) {
        self.ustar &= ustar;
        self.pax &= pax;
        self.gnu &= gnu;
        if self.refused.is_empty() && !(self.ustar || self.pax || self.gnu) {
            self.refused = field;
        }
    }
}

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// Go's choice: the dialect to write, and the records to write should it be PAX.
fn choose(fields: &Fields, member: &Member) -> Result<(Dialect, Records), Unrepresentable> {
    let mut allowed = Allowed { ustar: true, pax: true, gnu: true, refused: "" };
    let mut records = Records::new();
    // A field that came as a record goes back into one while it still says the same.
    let mut keep_record = |key: &[u8], value: Vec<u8>, needed: bool| {
        if needed || member.records.iter().any(|(k, v)| k == key && *v == value) {
            records.insert(key.to_vec(), value);
        }
    };

    let mut prefers_pax = false;
    for (key, time) in [("mtime", fields.mtime), ("atime", fields.atime), ("ctime", fields.ctime)] {
        let Some(time) = time else { continue };
        let in_block = key == "mtime" && fits_octal(12, time.secs);
        allowed.keep(key, in_block, true, true);
        let needed = !in_block || time.nanos != 0;
        prefers_pax |= needed;
        keep_record(key.as_bytes(), pax::format_time(time).into_bytes(), needed);
    }
    match member.dialect {
        Dialect::Ustar => allowed.keep("times", true, false, false),
        Dialect::Pax => allowed.keep("times", !prefers_pax, true, false),
        Dialect::Gnu => allowed.keep("times", false, false, true),
        Dialect::V7 | Dialect::Star | Dialect::Mixed => {}
    }

    for (key, value, size) in [
        ("path", &member.name, NAME_SIZE),
        ("linkpath", &member.link, NAME_SIZE),
        ("uname", &member.uname, OWNER_SIZE),
        ("gname", &member.gname, OWNER_SIZE),
    ] {
        let has_nul = value.contains(&0);
        let too_long = value.len() > size;
        let plain = value.is_ascii() && !has_nul && !too_long;
        let splits = key == "path" && split_ustar(value).is_some();
        let gnu_long = size == NAME_SIZE;
        allowed.keep(key, plain || splits, true, !has_nul && (!too_long || gnu_long));
        keep_record(key.as_bytes(), value.clone(), !plain);
    }
    let size = i64::try_from(member.size).unwrap_or(i64::MAX);
    for (key, value, width, has_record) in [
        ("mode", member.mode, 8, false),
        ("uid", member.uid, 8, true),
        ("gid", member.gid, 8, true),
        ("size", size, 12, true),
        ("devmajor", member.devmajor, 8, false),
        ("devminor", member.devminor, 8, false),
    ] {
        let octal = fits_octal(width, value);
        allowed.keep(key, octal, octal || has_record, fits_base256(width, value));
        if has_record {
            keep_record(key.as_bytes(), value.to_string().into_bytes(), !octal);
        }
    }
    if member.name.ends_with(b"/")
        && matches!(member.kind, Kind::Regular | Kind::CharDevice | Kind::BlockDevice | Kind::Fifo)
    {
        return Err(Unrepresentable::TrailingSlash);
    }
    add_records(&member.records, &mut records, &mut allowed)?;
    let choice = match allowed {
        Allowed { ustar: true, .. } => Dialect::Ustar,
        Allowed { pax: true, .. } => Dialect::Pax,
        Allowed { gnu: true, .. } => Dialect::Gnu,
        Allowed { refused, .. } => {
            return Err(Unrepresentable::Field { dialect: member.dialect, field: refused });
        }
    };
    Ok((choice, records))
}

/// Adds the records that no field stands for; those force PAX.
fn add_records(
    source: &[Record],
    records: &mut Records,
    allowed: &mut Allowed,
) -> Result<(), Unrepresentable> {
    if !source.is_empty() {
        allowed.keep("PAX records", false, true, false);
    }
    for (key, value) in source {
        if !pax::is_header_field(key) && !key.starts_with(b"GNU.sparse.") {
            records.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    match records.iter().find(|(key, value)| !pax::is_writable(key, value)) {
        Some((key, _)) => Err(Unrepresentable::Record(key.clone())),
        None => Ok(()),
    }
}

/// Splits a name that is too long for a header block between ustar's prefix and name.
fn split_ustar(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME_SIZE || !name.is_ascii() || name.contains(&0) {
        return None;
    }
    let searched = match name {
        long if long.len() > PREFIX_SIZE + 1 => &long[..=PREFIX_SIZE],
        [start @ .., b'/'] => start,
        all => all,
    };
    let slash = searched.iter().rposition(|byte| *byte == b'/').filter(|slash| *slash > 0)?;
    let (prefix, suffix) = (&name[..slash], &name[slash + 1..]);
    let fits = prefix.len() <= PREFIX_SIZE && (1..=NAME_SIZE).contains(&suffix.len());
    fits.then_some((prefix, suffix))
}

/// The fields that all dialects share.
fn shared_fields(fields: &Fields, name: &[u8], numbers: Numbers, clean: impl Fn(&[u8]) -> Vec<u8>) -> Block {
    let member = fields.member;
    let mut block = Block::new();
    block.text(0, NAME_SIZE, &clean(name));
    block.number(100, 8, member.mode, numbers);
    block.number(108, 8, member.uid, numbers);
    block.number(116, 8, member.gid, numbers);
    block.number(124, 12, i64::try_from(member.size).unwrap_or(i64::MAX), numbers);
    block.number(136, 12, fields.mtime_secs(), numbers);
    block.set(156, fields.typeflag);
    block.text(157, NAME_SIZE, &clean(&member.link));
    block.text(265, OWNER_SIZE, &clean(&member.uname));
    block.text(297, OWNER_SIZE, &clean(&member.gname));
    block.number(329, 8, member.devmajor, numbers);
    block.number(337, 8, member.devminor, numbers);
    block
}

fn ustar(fields: &Fields) -> Vec<u8> {
    let name = fields.member.name.as_slice();
    let (prefix, name) = split_ustar(name).unwrap_or((b"", name));
    let mut block = shared_fields(fields, name, Numbers::Octal, <[u8]>::to_vec);
    block.text(345, PREFIX_SIZE, prefix);
    block.seal(Magic::Ustar).to_vec()
}

fn with_records(fields: &Fields, records: &Records) -> Result<Vec<u8>, Unrepresentable> {
    let mut out = Vec::new();
    if !records.is_empty() {
        let records = records.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
        let name = extension_name(&fields.member.name);
        out = raw_file(&name, &format_records(&records)?, b'x', Magic::Ustar)?;
    }
    let block = shared_fields(fields, &fields.member.name, Numbers::Octal, to_ascii);
    out.extend_from_slice(&block.seal(Magic::Ustar));
    Ok(out)
}

fn gnu(fields: &Fields) -> Vec<u8> {
    let member = fields.member;
    let mut out = Vec::new();
    for (typeflag, text) in [(b'L', &member.name), (b'K', &member.link)] {
        if text.len() > NAME_SIZE {
            let body = [text.as_slice(), b"\0"].concat();
            out.extend_from_slice(&raw_blocks(b"././@LongLink", &body, typeflag, Magic::Gnu));
        }
    }
    let mut block = shared_fields(fields, &member.name, Numbers::Binary, <[u8]>::to_vec);
    for (at, time) in [(345, fields.atime), (357, fields.ctime)] {
        if let Some(time) = time {
            block.number(at, 12, time.secs, Numbers::Binary);
        }
    }
    out.extend_from_slice(&block.seal(Magic::Gnu));
    out
}

/// The body of an extended header, its records sorted by keyword.
fn format_records(records: &BTreeMap<&[u8], &[u8]>) -> Result<Vec<u8>, Unrepresentable> {
    let mut body = Vec::new();
    for (key, value) in records {
        if !pax::is_writable(key, value) {
            return Err(Unrepresentable::Record(key.to_vec()));
        }
        pax::push_record(&mut body, key, value);
    }
    Ok(body)
}

/// An extension header with its body.
fn raw_file(name: &[u8], body: &[u8], typeflag: u8, magic: Magic) -> Result<Vec<u8>, Unrepresentable> {
    if body.len() > MAX_EXTENSION {
        return Err(Unrepresentable::TooLong(body.len()));
    }
    Ok(raw_blocks(name, body, typeflag, magic))
}

/// The name of the extended header of a member: `dir/PaxHeaders.0/file`, cleaned as Go's path.Join does.
fn extension_name(name: &[u8]) -> Vec<u8> {
    let split = name.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (dir, file) = name.split_at(split);
    let rooted = dir.first() == Some(&b'/');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in dir.split(|byte| *byte == b'/').chain([&b"PaxHeaders.0"[..], file]) {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => {
                parts.pop();
            }
            b".." if rooted => {}
            part => parts.push(part),
        }
    }
    let mut cleaned = parts.join(&b'/');
    if rooted {
        cleaned.insert(0, b'/');
    }
    if cleaned.is_empty() { b".".to_vec() } else { cleaned }
}
