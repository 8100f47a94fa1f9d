//! A member from its header block and the extension headers before it.
//!
//! Knows which source of a field wins, as in Go's archive/tar, and where other readers choose otherwise. Must not
//! know how bytes arrive.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::BLOCK;
use super::anomaly::{AnomalyKind, Fault, shown};
use super::extension::{Pending, negative_size};
use super::header::{self, Header, Magic};
use super::member::{Kind, Member, Timestamp};
use super::pax;
use super::sparse::{self, BodyMap, GnuMap, PaxFormat, Segments};

/// Largest size that fits into a header's octal field; above it a PAX size is needed.
const MAX_OCTAL_SIZE: i64 = 0o777_7777_7777;

/// A member that is about to begin.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) member: Member,
    /// Bytes of its data that are still to come, a map in the body included.
    pub(super) data: u64,
    /// Its real size where it is sparse.
    pub(super) real_size: i64,
    pub(super) map: Map,
}

/// Where a member's sparse map is.
#[derive(Clone, Debug)]
pub(super) enum Map {
    /// Nowhere.
    None,
    /// It was in the records or in the header block.
    Known(Segments),
    /// Partly in blocks behind its header block.
    Gnu(GnuMap),
    /// At the beginning of its body.
    Body(BodyMap),
}

/// What is odd about one header block alone.
pub(super) fn header_oddities(header: &Header) -> impl Iterator<Item = (AnomalyKind, String)> {
    let prefix = if header.magic == Magic::Gnu { AnomalyKind::GnuTimes } else { AnomalyKind::StrayPrefix };
    [
        (header.signed, AnomalyKind::ChecksumSigned, "only the sum of signed bytes matches"),
        (header.odd_lead, AnomalyKind::NumberLead, "a base-256 number begins with neither 0x80 nor 0xff"),
        (header.gnu_prefix, AnomalyKind::GnuPrefix, "the bytes where the times belong are no numbers"),
        (header.gnu_real_size, AnomalyKind::GnuRealSize, ""),
        (header.stray_prefix, prefix, ""),
        (header.hidden, AnomalyKind::BytesAfterNul, "in the name or the link target"),
        (header.blank, AnomalyKind::NumberBlank, "read as 0"),
        (header.spaces, AnomalyKind::NumberSpaces, "read as 0"),
        (header.nul_inside, AnomalyKind::NumberNul, ""),
    ]
    .into_iter()
    .filter(|(odd, ..)| *odd)
    .map(|(_, kind, detail)| (kind, detail.into()))
}

/// Makes a member of its header and what waited for it.
pub(super) fn open(
    header: &Header,
    block: &[u8; BLOCK],
    pending: Pending,
    mut tell: impl FnMut(&Member, AnomalyKind, String),
) -> Result<Opening, Fault> {
    if header.size < 0 && !Kind::of(header.typeflag).is_header_only() {
        return Err(negative_size(header.size));
    }
    // Members are large: it stays where it is made.
    let mut opening = Opening { member: plain(header), data: 0, real_size: header.size, map: Map::None };
    let (member, size) = (&mut opening.member, &mut opening.real_size);
    let slash = member.name.ends_with(b"/");
    let mixed = pending.records.is_some() && (pending.long_name.is_some() || pending.long_link.is_some());
    if let Some(records) = pending.records {
        *size = apply_records(member, &records, *size, &mut tell)?;
        member.records = records;
    }
    if let Some(name) = pending.long_name.filter(|name| !name.is_empty()) {
        member.name = name;
    }
    if let Some(link) = pending.long_link.filter(|link| !link.is_empty()) {
        member.link = link;
    }
    if member.typeflag == 0 && member.name.ends_with(b"/") {
        member.kind = Kind::Directory;
    }
    if member.typeflag == 0 && member.name.ends_with(b"/") != slash {
        let detail = format!("the header block's name is {}", shown(&header.full_name()));
        tell(member, AnomalyKind::TypeByName, detail);
    }
    member.dialect = pending.dialects.only(header.dialects).settle(header.magic);
    if mixed {
        tell(member, AnomalyKind::PaxGnuMix, "the GNU name counts, the PAX size counts".into());
    }
    if member.uid < 0 || member.gid < 0 || member.mode < 0 || member.devmajor < 0 || member.devminor < 0 {
        let detail = format!("mode {}, uid {}, gid {}", member.mode, member.uid, member.gid);
        tell(member, AnomalyKind::NumberNegative, detail);
    }
    let header_only = member.kind.is_header_only();
    if header_only && (*size != 0 || header.size != 0) {
        let stated = if *size == 0 { header.size } else { *size };
        tell(member, AnomalyKind::HeaderOnlyWithSize, format!("its size says {stated} bytes"));
    }
    let data = if header_only { 0 } else { u64::try_from(*size).map_err(|_| negative_size(*size))? };
    (member.size, member.stored, opening.data) = (data, data, data);
    open_sparse(header, block, &mut opening, tell)?;
    Ok(opening)
}

/// What the header block alone says.
fn plain(header: &Header) -> Member {
    Member {
        name: header.full_name(),
        link: header.link.to_vec(),
        kind: Kind::of(header.typeflag),
        typeflag: header.typeflag,
        mode: header.mode,
        uid: header.uid,
        gid: header.gid,
        mtime: Timestamp::from_secs(header.mtime),
        atime: header.atime.map(Timestamp::from_secs),
        ctime: header.ctime.map(Timestamp::from_secs),
        uname: header.uname.to_vec(),
        gname: header.gname.to_vec(),
        devmajor: header.devmajor,
        devminor: header.devminor,
        ..Member::default()
    }
}

/// Overrides fields by PAX records, empty ones aside; gives back the size.
fn apply_records(
    member: &mut Member,
    records: &[(Vec<u8>, Vec<u8>)],
    header_size: i64,
    tell: &mut impl FnMut(&Member, AnomalyKind, String),
) -> Result<i64, Fault> {
    let mut size = header_size;
    let mut odd = Vec::new();
    for (key, value) in records.iter().filter(|(key, _)| pax::is_header_field(key)) {
        if value.is_empty() {
            odd.push((AnomalyKind::PaxEmpty, key));
            continue;
        }
        let text = || value.clone();
        let number = || {
            let bad = || Fault::new(AnomalyKind::PaxNumber, format!("{} {}", shown(key), shown(value)));
            pax::parse_int(value).ok_or_else(bad)
        };
        let time = || {
            let bad = || Fault::new(AnomalyKind::PaxTime, format!("{} {}", shown(key), shown(value)));
            pax::parse_time(value).ok_or_else(bad)
        };
        match key.as_slice() {
            b"path" => member.name = text(),
            b"linkpath" => member.link = text(),
            b"uname" => member.uname = text(),
            b"gname" => member.gname = text(),
            b"uid" => member.uid = number()?,
            b"gid" => member.gid = number()?,
            b"size" => size = number()?,
            b"mtime" => member.mtime = time()?,
            b"atime" => member.atime = Some(time()?),
            _ => member.ctime = Some(time()?),
        }
        if matches!(key.as_slice(), b"uid" | b"gid" | b"size") && pax::is_odd_int(value) {
            odd.push((AnomalyKind::PaxNumberForm, key));
        }
        if key.ends_with(b"time") && pax::has_lost_decimals(value) {
            odd.push((AnomalyKind::PaxTimeDigits, key));
        }
    }
    for (kind, key) in odd {
        tell(member, kind, format!("the record {}", shown(key)));
    }
    if size != header_size && size <= MAX_OCTAL_SIZE {
        let detail = format!("the record says {size} bytes, the header block {header_size}");
        tell(member, AnomalyKind::PaxSizeOverride, detail);
    }
    Ok(size)
}

/// Finds where the sparse map is, and what sparse records override.
fn open_sparse(
    header: &Header,
    block: &[u8; BLOCK],
    opening: &mut Opening,
    mut tell: impl FnMut(&Member, AnomalyKind, String),
) -> Result<(), Fault> {
    if header.typeflag == b'S' {
        if header.magic != Magic::Gnu {
            let why = "a sparse member of type S whose header is not GNU's";
            return Err(Fault::new(AnomalyKind::SparseMap, why.into()));
        }
        opening.real_size = header::gnu_real_size(block)?;
        let mut map = GnuMap::default();
        opening.map = match map.push(header::gnu_sparse_map(block))? {
            Some(segments) => Map::Known(segments),
            None => Map::Gnu(map),
        };
        return Ok(());
    }
    let format = PaxFormat::of(&opening.member);
    match format {
        PaxFormat::None => {
            if let Some(key) = sparse::stray_record(&opening.member) {
                tell(&opening.member, AnomalyKind::SparseStray, format!("the record {}", shown(key)));
            }
            return Ok(());
        }
        PaxFormat::Unknown => {
            tell(&opening.member, AnomalyKind::SparseVersion, "taken as a plain file".into());
            return Ok(());
        }
        PaxFormat::InRecords | PaxFormat::InBody => {}
    }
    if opening.member.kind.is_header_only() {
        return Err(Fault::new(AnomalyKind::SparseMap, "a member without data has a map".into()));
    }
    if let Some(size) = sparse::real_size(&opening.member)? {
        opening.real_size = size;
    }
    opening.map = match format {
        PaxFormat::InBody => Map::Body(BodyMap::default()),
        _ => Map::Known(sparse::map_in_records(&opening.member)?),
    };
    if let Some(name) = opening.member.record(b"GNU.sparse.name") {
        opening.member.name = name.to_vec();
    }
    Ok(())
}
