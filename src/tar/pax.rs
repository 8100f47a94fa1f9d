//! PAX extended headers: the records of one body, and the values that stand in them (POSIX.1-2001 pax).
//!
//! Knows the grammar as Go's archive/tar reads it. Must not know of blocks or members.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::anomaly::{AnomalyKind, Fault, shown};
use super::member::{Record, Timestamp};

/// Shortest record there can be: length, space, keyword, equals sign, newline.
const MIN_RECORD: i64 = 5;

/// Keywords of GNU's sparse formats 0.0, 0.1 and 1.0.
pub(super) const SPARSE_MAP: &[u8] = b"GNU.sparse.map";
pub(super) const SPARSE_COUNT: &[u8] = b"GNU.sparse.numblocks";
const SPARSE_OFFSET: &[u8] = b"GNU.sparse.offset";
const SPARSE_LENGTH: &[u8] = b"GNU.sparse.numbytes";

/// A keyword and its value, where they stand.
type RawRecord<'a> = (&'a [u8], &'a [u8]);

/// The records of one extended header.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    /// In archive order, each keyword once: its last record.
    pub(super) list: Vec<Record>,
    /// The first keyword that came more than once.
    pub(super) duplicate: Option<Vec<u8>>,
    /// The first keyword of a record that is written as no tool writes it: a length with a plus sign, or a blank before
    /// the keyword.
    pub(super) odd_form: Option<Vec<u8>>,
}

/// Whether a record with this keyword says something that the header block also says.
pub fn is_header_field(key: &[u8]) -> bool {
    matches!(
        key,
        b"path"
            | b"linkpath"
            | b"size"
            | b"uid"
            | b"gid"
            | b"uname"
            | b"gname"
            | b"mtime"
            | b"atime"
            | b"ctime"
    )
}

/// Reads the body of an extended header. Offset and length pairs of sparse format 0.0 become one `GNU.sparse.map`
/// as in 0.1.
pub(super) fn parse(mut body: &[u8]) -> Result<Records, Fault> {
    let mut raw = Vec::new();
    let mut sparse_map: Vec<&[u8]> = Vec::new();
    let mut odd_form = None;
    while !body.is_empty() {
        let ((key, value), rest) = parse_record(body)?;
        if odd_form.is_none() && (body.starts_with(b"+") || matches!(key.first(), Some(b' ' | b'\t'))) {
            odd_form = Some(key.to_vec());
        }
        body = rest;
        if key == SPARSE_OFFSET || key == SPARSE_LENGTH {
            let wanted = if sparse_map.len() & 1 == 0 { SPARSE_OFFSET } else { SPARSE_LENGTH };
            if key != wanted || value.contains(&b',') {
                return Err(Fault::new(
                    AnomalyKind::SparseMap,
                    "offsets and lengths do not take turns".into(),
                ));
            }
            sparse_map.push(value);
        } else {
            raw.push((key, value));
        }
    }
    let mut records = keep_last(&raw);
    if !sparse_map.is_empty() {
        records.list.retain(|(key, _)| key != SPARSE_MAP);
        records.list.push((SPARSE_MAP.to_vec(), sparse_map.join(&b',')));
    }
    Ok(Records { odd_form, ..records })
}

/// The first record of `body` and what follows it.
fn parse_record(body: &[u8]) -> Result<(RawRecord<'_>, &[u8]), Fault> {
    let broken = |why: &str| Fault::new(AnomalyKind::PaxRecord, why.into());
    let (length, _) =
        split_at_byte(body, b' ').ok_or_else(|| broken("no space after the record's length"))?;
    let size = parse_int(length)
        .filter(|size| *size >= MIN_RECORD)
        .and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| broken("the record's length is no number above 4"))?;
    let (record, rest) =
        body.split_at_checked(size).ok_or_else(|| broken("the record is longer than its header"))?;
    let text = record
        .get(length.len().saturating_add(1)..)
        .and_then(|text| text.strip_suffix(b"\n"))
        .ok_or_else(|| broken("the record does not end in a newline"))?;
    let (key, value) =
        split_at_byte(text, b'=').ok_or_else(|| broken("no equals sign between keyword and value"))?;
    if key.is_empty() {
        return Err(broken("the keyword is empty"));
    }
    if has_forbidden_nul(key, value) {
        let detail = format!("a NUL in the record {}", shown(key));
        return Err(Fault::new(AnomalyKind::PaxNul, detail));
    }
    Ok(((key, value), rest))
}

/// Go refuses NULs in the values that replace header strings, and in all other keywords.
fn has_forbidden_nul(key: &[u8], value: &[u8]) -> bool {
    let guarded = if matches!(key, b"path" | b"linkpath" | b"uname" | b"gname") { value } else { key };
    guarded.contains(&0)
}

fn split_at_byte(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|byte| *byte == at)?;
    let (before, rest) = bytes.split_at_checked(position)?;
    Some((before, rest.split_first()?.1))
}

/// Drops all but the last record of each keyword. Sorting keeps it fast for a header with 65 536 records.
fn keep_last(raw: &[RawRecord]) -> Records {
    let mut order: Vec<usize> = (0..raw.len()).collect();
    let key_of = |index: &usize| raw.get(*index).map(|(key, _)| *key);
    order.sort_by_key(key_of);
    let mut last: Vec<usize> = Vec::with_capacity(order.len());
    let mut duplicate = None;
    for index in order {
        match last.last_mut() {
            Some(previous) if key_of(previous) == key_of(&index) => {
                duplicate = duplicate.or_else(|| key_of(&index).map(<[u8]>::to_vec));
                *previous = index;
            }
            _ => last.push(index),
        }
    }
    last.sort_unstable();
    let kept = last.into_iter().filter_map(|index| raw.get(index));
    let list = kept.map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    Records { list, duplicate, odd_form: None }
}

/// A decimal number with an optional sign, as Go's ParseInt takes it.
pub(super) fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |value, byte| {
        let digit = i64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        let value = value.checked_mul(10)?;
        if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    })
}

/// Whether a number that [`parse_int`] takes is written as no tool writes it: a plus sign, or needless zeros.
pub(super) fn is_odd_int(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    matches!(digits, [b'+', ..] | [b'0', _, ..])
}

/// Whether a time has decimals beyond the nine that count.
pub(super) fn has_lost_decimals(text: &[u8]) -> bool {
    let decimals = split_at_byte(text, b'.').map(|(_, decimals)| decimals).unwrap_or_default();
    decimals.iter().skip(9).any(|digit| *digit != b'0')
}

/// A time: seconds with an optional sign, and decimals of which nine count. Rounds down, as Go's time.Unix does.
pub(super) fn parse_time(text: &[u8]) -> Option<Timestamp> {
    let (whole, decimals) = split_at_byte(text, b'.').unwrap_or((text, &[]));
    let secs = parse_int(whole)?;
    if !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = decimals.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let nanos = padded.fold(0_u32, |nanos, digit| {
        nanos.saturating_mul(10).saturating_add(u32::from(digit.saturating_sub(b'0')))
    });
    if nanos > 0 && whole.first() == Some(&b'-') {
        return Some(Timestamp {
            secs: secs.wrapping_sub(1),
            nanos: 1_000_000_000_u32.saturating_sub(nanos),
        });
    }
    Some(Timestamp { secs, nanos })
}

/// Writes a time as Go's archive/tar does: no needless decimals.
pub(super) fn format_time(time: Timestamp) -> String {
    if time.nanos == 0 {
        return time.secs.to_string();
    }
    time.decimal().trim_end_matches('0').into()
}

/// Whether Go's writer takes a record: it cannot write what its reader would refuse.
pub(super) fn is_writable(key: &[u8], value: &[u8]) -> bool {
    !key.is_empty() && !key.contains(&b'=') && !has_forbidden_nul(key, value)
}

/// Writes a record behind `out`, its length counting itself.
pub(super) fn push_record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let text = key.len().saturating_add(value.len()).saturating_add(b" =\n".len());
    let digits = |number: usize| number.to_string().len();
    let mut size = text.saturating_add(digits(text));
    size = text.saturating_add(digits(size));
    out.extend_from_slice(size.to_string().as_bytes());
    for part in [&b" "[..], key, b"=", value, b"\n"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(body: &[u8]) -> Result<Vec<Record>, AnomalyKind> {
        parse(body).map(|records| records.list).map_err(|fault| fault.kind)
    }

    #[test]
    fn records_are_framed_by_their_length() {
        let body = b"22 comment=a\n9 size=2\n13 size=1024\n12 path=a=b\n";
        let expected = [("comment", "a\n9 size=2"), ("size", "1024"), ("path", "a=b")];
        let expected = expected.map(|(key, value)| (key.into(), value.into())).to_vec();
        assert_eq!(list(body), Ok(expected));
        for (body, kind) in [
            (&b"12 size=1024"[..], AnomalyKind::PaxRecord),
            (b"99 size=1024\n", AnomalyKind::PaxRecord),
            (b"4 a\n", AnomalyKind::PaxRecord),
            (b"6 abc\n", AnomalyKind::PaxRecord),
            (b"6 =ab\n", AnomalyKind::PaxRecord),
            (b"12 path=a\0b\n", AnomalyKind::PaxNul),
            (b"12 a\0b=path\n", AnomalyKind::PaxNul),
        ] {
            assert_eq!(list(body), Err(kind), "{}", shown(body));
        }
        assert!(list(b"14 other=a\0bc\n").is_ok(), "only names must be free of NULs");
    }

    #[test]
    fn the_last_record_of_a_keyword_wins() {
        let records = parse(b"8 a=old\n7 b=mid\n8 a=new\n").unwrap_err();
        assert_eq!(records.kind, AnomalyKind::PaxRecord, "a wrong length must not pass");
        let records = parse(b"8 a=old\n8 b=mid\n8 a=new\n").unwrap();
        assert_eq!(records.list, [(b"b".to_vec(), b"mid".to_vec()), (b"a".to_vec(), b"new".to_vec())]);
        assert_eq!(records.duplicate.as_deref(), Some(&b"a"[..]));
    }

    #[test]
    fn times_round_down() {
        // The cases of POSIX pax: seconds since the epoch, as a decimal with an optional sign.
        for (text, secs, nanos) in [
            ("0", 0, 0),
            ("1350244992.023960108", 1_350_244_992, 23_960_108),
            ("1.0000000009", 1, 0),
            ("-1.5", -2, 500_000_000),
            ("-0.000000001", -1, 999_999_999),
            ("5.", 5, 0),
        ] {
            assert_eq!(parse_time(text.as_bytes()), Some(Timestamp { secs, nanos }), "{text}");
        }
        for text in ["", ".", "1_2", "nan", "9223372036854775808", "1.-5", "1e3"] {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_records_read_back(value in proptest::collection::vec(any::<u8>(), 0..1200)) {
            let mut body = Vec::new();
            push_record(&mut body, b"SCHILY.xattr.user.x", &value);
            prop_assert_eq!(list(&body), Ok(vec![(b"SCHILY.xattr.user.x".to_vec(), value)]));
        }

        #[test]
        fn written_times_read_back(secs in -1_i64 << 62..1 << 62, nanos in 0_u32..1_000_000_000) {
            let time = Timestamp { secs, nanos };
            prop_assert_eq!(parse_time(format_time(time).as_bytes()), Some(time));
        }
    }
}
