//! Values of entries as text.
//!
//! Two different values never look the same: entries are compared by what is made here.

use std::borrow::Cow;

use crate::{
    escape::escape,
    stack::ListedMember,
    tar::{Kind, Timestamp, permissions},
};

/// Bytes as text, escaped: what is UTF-8 and what is not, or a backslash and what it would stand for, must not mix.
pub(super) fn lossless(bytes: &[u8]) -> String {
    escape(bytes).into_owned()
}

/// The word for a kind.
pub(super) fn kind(kind: Kind) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        Kind::Regular => "file",
        Kind::Hardlink => "hard link",
        Kind::Symlink => "symbolic link",
        Kind::CharDevice => "character device",
        Kind::BlockDevice => "block device",
        Kind::Directory => "directory",
        Kind::Fifo => "fifo",
        Kind::Other(flag) => return Cow::Owned(format!("unknown type {}", lossless(&[flag]))),
    })
}

/// Permission bits in octal and in letters: `0755 rwxr-xr-x`.
pub(super) fn mode(mode: i64) -> String {
    format!("{mode:04o} {}", permissions(mode))
}

/// A time in UTC, as short as it can be without loss; one that no calendar has as a number.
pub(super) fn time(time: Timestamp) -> String {
    let nanos = i32::try_from(time.nanos).unwrap_or_default();
    match jiff::Timestamp::new(time.secs, nanos) {
        // From seconds before the epoch and a fraction, jiff makes one negative number: the calendar shows it right.
        Ok(exact) => exact.to_string(),
        Err(_) => format!("@{}", time.decimal()),
    }
}

/// Size and digest of an entry's data; nothing for what has none.
pub(super) fn data(listed: &ListedMember) -> Option<String> {
    let digest = listed.digest.map(|digest| format!(" {digest}")).unwrap_or_default();
    (listed.member.kind == Kind::Regular).then(|| format!("{} B{digest}", listed.member.size))
}

/// `1 entry`, `2 entries`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_values_look_the_same() {
        let names: [&[u8]; 6] = [b"\xe9", br"\xe9", "\u{e9}".as_bytes(), b"\n", br"\n", br"\\n"];
        let shown: BTreeSet<String> = names.into_iter().map(lossless).collect();
        assert_eq!(shown.len(), names.len());
        let kinds: BTreeSet<_> = (0..=u8::MAX).map(|flag| kind(Kind::Other(flag))).collect();
        assert_eq!(kinds.len(), 256);
    }

    #[test]
    fn modes_read_as_ls_shows_them() {
        assert_eq!(mode(0o4755), "4755 rwsr-xr-x");
        assert_eq!(mode(0o1777), "1777 rwxrwxrwt");
        assert_eq!(mode(0o2644), "2644 rw-r-Sr--");
        assert_eq!(mode(0o100_600), "100600 rw-------");
    }

    #[test]
    fn times_keep_their_fraction_and_lie_on_both_sides_of_the_epoch() {
        assert_eq!(time(Timestamp::from_secs(0)), "1970-01-01T00:00:00Z");
        assert_eq!(time(Timestamp { secs: 1, nanos: 5 }), "1970-01-01T00:00:01.000000005Z");
        assert_eq!(time(Timestamp { secs: -1, nanos: 500_000_000 }), "1969-12-31T23:59:59.5Z");
        assert_eq!(time(Timestamp { secs: i64::MAX, nanos: 0 }), "@9223372036854775807.000000000");
        assert_eq!(time(Timestamp { secs: i64::MIN, nanos: 500_000_000 }), "@-9223372036854775807.500000000");
    }
}
