//! The 512-byte header block: fields, numbers, checksum and magic, read as leniently as Go's archive/tar reads them.
//!
//! Knows one block. Must not know of extension headers or of what comes before and after.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::BLOCK;
use super::anomaly::{AnomalyKind, Fault};
use super::member::Dialect;

/// The magic that a header block bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Magic {
    /// None that is known.
    V7,
    /// `ustar\0`: POSIX, with or without extended headers.
    Ustar,
    /// `ustar\0` and the trailer `tar\0`.
    Star,
    /// `ustar  \0`.
    Gnu,
}

/// The dialects that a member's headers still allow, as in Go's Format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialects(u8);

impl Dialects {
    const USTAR: u8 = 1;
    pub(super) const NONE: Dialects = Dialects(0);
    pub(super) const PAX: Dialects = Dialects(2);
    pub(super) const GNU: Dialects = Dialects(4);
    pub(super) const POSIX: Dialects = Dialects(Dialects::USTAR | Dialects::PAX.0);
    pub(super) const ANY: Dialects = Dialects(Dialects::POSIX.0 | Dialects::GNU.0);

    pub(super) fn only(self, other: Dialects) -> Dialects {
        Dialects(self.0 & other.0)
    }

    /// The dialect that is left; the main header's magic names those that Go does not.
    pub(super) fn settle(self, magic: Magic) -> Dialect {
        match (self, magic) {
            (Dialects::PAX, _) => Dialect::Pax,
            (Dialects::GNU, _) => Dialect::Gnu,
            (Dialects(ustar), _) if ustar & Dialects::USTAR != 0 => Dialect::Ustar,
            (_, Magic::V7) => Dialect::V7,
            (_, Magic::Star) => Dialect::Star,
            (_, Magic::Ustar | Magic::Gnu) => Dialect::Mixed,
        }
    }
}

/// What one header block says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub(super) typeflag: u8,
    pub(super) name: &'a [u8],
    pub(super) prefix: &'a [u8],
    pub(super) link: &'a [u8],
    pub(super) size: i64,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) mtime: i64,
    pub(super) atime: Option<i64>,
    pub(super) ctime: Option<i64>,
    pub(super) uname: &'a [u8],
    pub(super) gname: &'a [u8],
    pub(super) devmajor: i64,
    pub(super) devminor: i64,
    pub(super) magic: Magic,
    pub(super) dialects: Dialects,
    /// Only the sum of signed bytes matches.
    pub(super) signed: bool,
    /// Bytes follow the NUL that ends the name or the link target.
    pub(super) hidden: bool,
    /// A number field is empty.
    pub(super) blank: bool,
    /// A number field holds nothing but spaces.
    pub(super) spaces: bool,
    /// A NUL stands before or among the digits of a number.
    pub(super) nul_inside: bool,
    /// A base-256 number begins with neither 0x80 nor 0xff.
    pub(super) odd_lead: bool,
    /// The prefix was found where GNU headers have times.
    pub(super) gnu_prefix: bool,
    /// A GNU header of no sparse file has a real size.
    pub(super) gnu_real_size: bool,
    /// Bytes stand where ustar has its prefix, and the magic says that it has none.
    pub(super) stray_prefix: bool,
}

/// Whether a block is all zeros.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}

fn field<const AT: usize, const LEN: usize>(block: &[u8; BLOCK]) -> &[u8; LEN] {
    const { assert!(AT.saturating_add(LEN) <= BLOCK) };
    block.get(AT..).and_then(<[u8]>::first_chunk).unwrap_or(const { &[0; LEN] })
}

/// The bytes before the first NUL, or all of them.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    split_at_nul(bytes).0
}

/// The bytes before the first NUL, or all of them, and the others.
fn split_at_nul(bytes: &[u8]) -> (&[u8], &[u8]) {
    memchr::memchr(0, bytes).and_then(|end| bytes.split_at_checked(end)).unwrap_or((bytes, &[]))
}

impl<'a> Header<'a> {
    /// Reads a block that is not all zeros.
    pub(super) fn parse(block: &'a [u8; BLOCK]) -> Result<Header<'a>, Fault> {
        let (signed, ascii) = verify_checksum(block)?;
        let (name, behind_name) = split_at_nul(field::<0, 100>(block));
        let (link, behind_link) = split_at_nul(field::<157, 100>(block));
        let (size, mode, mtime) = (field::<124, 12>(block), field::<100, 8>(block), field::<136, 12>(block));
        let (uid, gid) = (field::<108, 8>(block), field::<116, 8>(block));
        let (devmajor, devminor) = (field::<329, 8>(block), field::<337, 8>(block));
        let magic = magic(block);
        let numbers: [&[u8]; 5] = [size, mode, uid, gid, mtime];
        let ends_in_nul = |number: &&[u8]| number.last() == Some(&0);
        let mut nul_inside = false;
        let mut read = |what, field: &[u8]| {
            let number = named(what, number_and_form(field));
            number.map(|(value, nul)| {
                nul_inside |= nul;
                value
            })
        };
        let (size, mode) = (read("size", size)?, read("mode", mode)?);
        let (uid, gid, mtime) = (read("uid", uid)?, read("gid", gid)?, read("mtime", mtime)?);
        let (major, minor) = match magic {
            Magic::V7 => (0, 0),
            _ => (read("devmajor", devmajor)?, read("devminor", devminor)?),
        };
        let mut header = Header {
            typeflag: field::<156, 1>(block)[0],
            name,
            prefix: &[],
            link,
            size,
            mode,
            uid,
            gid,
            mtime,
            atime: None,
            ctime: None,
            uname: &[],
            gname: &[],
            devmajor: major,
            devminor: minor,
            magic,
            dialects: Dialects::NONE,
            signed,
            hidden: !is_zero(behind_name) || !is_zero(behind_link),
            blank: numbers.iter().any(|number| number.first() == Some(&0) && is_zero(number)),
            spaces: numbers
                .iter()
                .any(|number| number.first() == Some(&b' ') && number.iter().all(|byte| *byte == b' ')),
            nul_inside,
            odd_lead: numbers.iter().any(|number| matches!(number.first(), Some(0x81..=0xfe))),
            gnu_prefix: false,
            gnu_real_size: false,
            stray_prefix: magic == Magic::V7 && !is_zero(field::<345, 155>(block)),
        };
        if magic == Magic::V7 {
            return Ok(header);
        }
        header.uname = until_nul(field::<265, 32>(block));
        header.gname = until_nul(field::<297, 32>(block));
        match magic {
            Magic::V7 => {}
            Magic::Ustar => {
                header.prefix = until_nul(field::<345, 155>(block));
                let devices: [&[u8]; 2] = [devmajor, devminor];
                if ascii && numbers.iter().chain(&devices).all(ends_in_nul) {
                    header.dialects = Dialects::POSIX;
                }
            }
            Magic::Star => {
                header.prefix = until_nul(field::<345, 131>(block));
                header.atime = Some(named("atime", number(field::<476, 12>(block)))?);
                header.ctime = Some(named("ctime", number(field::<488, 12>(block)))?);
            }
            Magic::Gnu => header.read_gnu_times(block),
        }
        Ok(header)
    }

    /// Old GNU headers have times where ustar has the prefix. Go before 1.8 wrote a prefix there nonetheless, and
    /// Go's reader takes it for one where it is no pair of numbers.
    fn read_gnu_times(&mut self, block: &'a [u8; BLOCK]) {
        self.gnu_real_size = self.typeflag != b'S' && !is_zero(field::<483, 12>(block));
        let time = |field: &[u8; 12]| match field.first() {
            Some(0) | None => Ok(None),
            Some(_) => number(field).map(Some),
        };
        match (time(field::<345, 12>(block)), time(field::<357, 12>(block))) {
            (Ok(atime), Ok(ctime)) => {
                self.dialects = Dialects::GNU;
                (self.atime, self.ctime) = (atime, ctime);
                self.stray_prefix = atime.is_some() && !matches!(self.typeflag, b'L' | b'K' | b'S');
            }
            _ => {
                let prefix = until_nul(field::<345, 155>(block));
                if prefix.is_ascii() {
                    self.prefix = prefix;
                }
                self.gnu_prefix = true;
            }
        }
    }

    /// Whether anything about the block is worth a word.
    pub(super) fn is_odd(&self) -> bool {
        self.signed
            | self.hidden
            | self.blank
            | self.spaces
            | self.nul_inside
            | self.odd_lead
            | self.gnu_prefix
            | self.gnu_real_size
            | self.stray_prefix
    }

    /// The name with its prefix.
    pub(super) fn full_name(&self) -> Vec<u8> {
        if self.prefix.is_empty() {
            return self.name.to_vec();
        }
        [self.prefix, self.name].join(&b'/')
    }
}

/// Where old GNU headers keep their sparse map: four entries and the flag that more blocks follow.
pub(super) fn gnu_sparse_map(block: &[u8; BLOCK]) -> &[u8; 97] {
    field::<386, 97>(block)
}

/// The real size of a sparse file in an old GNU header.
pub(super) fn gnu_real_size(block: &[u8; BLOCK]) -> Result<i64, Fault> {
    named("real size", number(field::<483, 12>(block)))
}

fn magic(block: &[u8; BLOCK]) -> Magic {
    match (field::<257, 6>(block), field::<263, 2>(block), field::<508, 4>(block)) {
        (b"ustar\0", _, b"tar\0") => Magic::Star,
        (b"ustar\0", _, _) => Magic::Ustar,
        (b"ustar ", b" \0", _) => Magic::Gnu,
        _ => Magic::V7,
    }
}

/// Whether a block's checksum is right.
pub(crate) fn is_header(block: &[u8; BLOCK]) -> bool {
    verify_checksum(block).is_ok()
}

/// Whether only the signed sum is right, and whether the block is all ASCII.
fn verify_checksum(block: &[u8; BLOCK]) -> Result<(bool, bool), Fault> {
    let stated = field::<148, 8>(block);
    let ascii = block.iter().fold(0, |all, byte| all | byte) < 0x80;
    // The checksum itself counts as eight spaces.
    let unsigned = sum(block.as_chunks().0).wrapping_sub(sum(&[*stated])).wrapping_add(8 * 32);
    let Some((value, _)) = octal(stated) else {
        let detail = "the checksum field holds no octal number".into();
        return Err(Fault::new(AnomalyKind::HeaderChecksum, detail));
    };
    if value == i64::from(unsigned) {
        return Ok((false, ascii));
    }
    let high =
        |bytes: &[u8]| bytes.iter().fold(0_u32, |count, byte| count.wrapping_add(u32::from(byte >> 7)));
    let excess = high(block).wrapping_sub(high(stated)).wrapping_mul(256);
    if value == i64::from(unsigned).wrapping_sub(i64::from(excess)) {
        return Ok((true, ascii));
    }
    let detail = format!("the block says {value}, its bytes make {unsigned}");
    Err(Fault::new(AnomalyKind::HeaderChecksum, detail))
}

/// The sum of at most a block's bytes, in rows of eight: by columns, which 16 bits hold and compilers add side by side.
fn sum(rows: &[[u8; 8]]) -> u32 {
    let mut columns = [0_u16; 8];
    for row in rows {
        for (sum, byte) in columns.iter_mut().zip(row) {
            *sum = sum.wrapping_add(u16::from(*byte));
        }
    }
    columns.iter().fold(0, |sum, column| sum.wrapping_add(u32::from(*column)))
}

/// Why a number field cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberError {
    NotOctal,
    Overflow,
}

fn named<T>(what: &str, value: Result<T, NumberError>) -> Result<T, Fault> {
    value.map_err(|error| match error {
        NumberError::NotOctal => Fault::new(AnomalyKind::NumberInvalid, format!("{what} is no octal number")),
        NumberError::Overflow => {
            Fault::new(AnomalyKind::NumberOverflow, format!("{what} does not fit into 64 bits with sign"))
        }
    })
}

/// A number field: base-256 (two's complement, big endian) where the first bit is set, else octal.
pub(super) fn number(bytes: &[u8]) -> Result<i64, NumberError> {
    number_and_form(bytes).map(|(value, _)| value)
}

/// A number field, and whether a NUL stands before or among its digits.
fn number_and_form(bytes: &[u8]) -> Result<(i64, bool), NumberError> {
    let Some(first) = bytes.first().filter(|first| **first & 0x80 != 0) else {
        return octal(bytes).ok_or(NumberError::NotOctal);
    };
    let negative = first & 0x40 != 0;
    let mut value: u64 = 0;
    for (i, byte) in bytes.iter().enumerate() {
        let byte = if negative { !byte } else { *byte };
        let byte = if i == 0 { byte & 0x7f } else { byte };
        if value >> 56 != 0 {
            return Err(NumberError::Overflow);
        }
        value = value << 8 | u64::from(byte);
    }
    let value = i64::try_from(value).map_err(|_| NumberError::Overflow)?;
    Ok((if negative { !value } else { value }, false))
}

/// Octal digits, with NULs and spaces around them, and whether a NUL stands before or among them; nothing is 0. `None` if
/// anything else stands there. No field has more than twelve bytes, so no number is too large.
fn octal(bytes: &[u8]) -> Option<(i64, bool)> {
    let mut text = bytes;
    while let [rest @ .., b' ' | 0] = text {
        text = rest;
    }
    // Without a branch for each digit: nearly all writers put nothing in front and nothing in between.
    let digit =
        |(value, others): (i64, u8), byte: &u8| (value << 3 | i64::from(byte & 7), others | byte ^ b'0');
    let (value, others) = text.iter().fold((0, 0), digit);
    if others & !7 == 0 {
        return Some((value, false));
    }
    let nul_inside = text.contains(&0);
    while let [b' ' | 0, rest @ ..] = text {
        text = rest;
    }
    let (value, others) = until_nul(text).iter().fold((0, 0), digit);
    (others & !7 == 0).then_some((value, nul_inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_gnu_and_posix_write_them() {
        for (field, value) in [
            (&b"0000644\0"[..], Ok(0o644)),
            (b"   644 \0", Ok(0o644)),
            (b"\0\0\0\0\0\0\0\0", Ok(0)),
            (b"644\0junk", Ok(0o644)),
            (b"\x00\x00644\0", Ok(0o644)),
            (b"0000648\0", Err(NumberError::NotOctal)),
            (b"-000001\0", Err(NumberError::NotOctal)),
            (b"6 4\0", Err(NumberError::NotOctal)),
            (b"\x80\0\0\0\0\0\x01\0", Ok(256)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Ok(-1)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Ok(i64::MAX)),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", Ok(i64::MIN)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", Err(NumberError::Overflow)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", Err(NumberError::Overflow)),
        ] {
            assert_eq!(number(field), value, "{field:x?}");
        }
    }

    #[test]
    fn a_block_of_the_tar_crate_reads_back() {
        let mut theirs = tar::Header::new_gnu();
        theirs.set_path("dir/file").unwrap();
        theirs.set_size(0x3_0000_0000);
        theirs.set_mode(0o4755);
        theirs.set_uid(4_294_967_294);
        theirs.set_mtime(1_700_000_000);
        theirs.set_cksum();
        let ours = Header::parse(theirs.as_bytes()).unwrap();
        assert_eq!((ours.name, ours.size, ours.mode), (&b"dir/file"[..], 0x3_0000_0000, 0o4755));
        assert_eq!((ours.uid, ours.mtime, ours.magic), (4_294_967_294, 1_700_000_000, Magic::Gnu));
        let mut bent = *theirs.as_bytes();
        bent[0] ^= 1;
        assert_eq!(Header::parse(&bent).unwrap_err().kind, AnomalyKind::HeaderChecksum);
    }
}
