//! Times as RFC 3339 writes them and as engines read them: the years 0 to 9999, at any offset.
//!
//! Counts from 1970-01-01T00:00:00Z. Must not know what a time is of.

use jiff::{
    SignedDuration,
    civil::{DateTime, date},
};

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// The last second of the year 9999, the last that can be written.
pub const LAST: i64 = 253_402_300_799;

/// A time since 1970 as Go's `time.RFC3339` reads it, which is what every engine reads configurations with: RFC 3339
/// with a capital `T` and `Z`, but also with an hour of one digit and a comma before the fraction. `None` for what it
/// refuses, and with it the whole document.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let rest = &mut text.as_bytes();
    let year = number(rest, 4)?;
    let month = number(skip(rest, b"-")?, 2)?;
    let day = number(skip(rest, b"-")?, 2)?;
    skip(rest, b"T")?;
    let hour_digits = if rest.get(1)?.is_ascii_digit() { 2 } else { 1 };
    let hour = number(rest, hour_digits)?;
    let minute = number(skip(rest, b":")?, 2)?;
    let second = number(skip(rest, b":")?, 2)?;
    let nanos = fraction(rest)?;
    let small = |number: i16| i8::try_from(number).ok();
    let (month, day, hour) = (small(month)?, small(day)?, small(hour)?);
    let at = DateTime::new(year, month, day, hour, small(minute)?, small(second)?, nanos).ok()?;
    at.duration_since(EPOCH).checked_sub(offset(rest)?)
}

/// Takes a number of so many digits.
fn number(rest: &mut &[u8], digits: usize) -> Option<i16> {
    let (head, tail) = rest.split_at_checked(digits)?;
    *rest = tail;
    // A sign would parse too.
    let text = std::str::from_utf8(head).ok().filter(|_| head.iter().all(u8::is_ascii_digit))?;
    text.parse().ok()
}

fn skip<'r, 'b>(rest: &'r mut &'b [u8], prefix: &[u8]) -> Option<&'r mut &'b [u8]> {
    *rest = rest.strip_prefix(prefix)?;
    Some(rest)
}

/// Takes a fraction of a second, if one is there, in nanoseconds.
fn fraction(rest: &mut &[u8]) -> Option<i32> {
    let [b'.' | b',', tail @ ..] = *rest else { return Some(0) };
    let count = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, tail) = tail.split_at_checked(count).filter(|_| count > 0)?;
    *rest = tail;
    let digits = std::str::from_utf8(digits).ok()?;
    format!("{:0<9}", digits.get(..9).unwrap_or(digits)).parse().ok()
}

/// Takes what must be the rest: `Z` or `+HH:MM`. Up to 24 hours and 60 minutes, as Go since 1.20 has it.
fn offset(rest: &mut &[u8]) -> Option<SignedDuration> {
    if *rest == b"Z" {
        return Some(SignedDuration::ZERO);
    }
    let (sign, tail) = rest.split_first()?;
    *rest = tail;
    let hours = number(rest, 2).filter(|hours| *hours <= 24)?;
    let minutes = number(skip(rest, b":")?, 2).filter(|minutes| *minutes <= 60)?;
    let (hours, minutes) =
        (SignedDuration::from_hours(hours.into()), SignedDuration::from_mins(minutes.into()));
    let offset = hours.checked_add(minutes).filter(|_| rest.is_empty())?;
    match sign {
        b'+' => Some(offset),
        b'-' => offset.checked_neg(),
        _ => None,
    }
}

/// `seconds` since 1970-01-01T00:00:00Z as Go's `time.RFC3339Nano` writes them in UTC; `None` outside the years 0 to 9999.
pub fn print(seconds: i64) -> Option<String> {
    let time = EPOCH.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    (time.year() >= 0).then(|| format!("{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go 1.19 makes of each: nothing, or seconds and nanoseconds. Go 1.20 began to refuse larger offsets.
    #[test]
    fn times_are_read_as_go_reads_them() {
        let read = [
            ("1970-01-01T00:00:00Z", 0_i64, 0),
            ("1972-02-29T00:00:00Z", 68_169_600, 0),
            ("2000-02-29T00:00:00Z", 951_782_400, 0),
            ("1970-01-01T1:00:00Z", 3600, 0),
            ("1970-01-01T1:00:00.5Z", 3600, 500_000_000),
            ("1970-01-01T01:00:00,5Z", 3600, 500_000_000),
            ("1970-01-01T1:00:00+01:00", 0, 0),
            ("1970-01-01T00:00:00+24:00", -86_400, 0),
            ("1970-01-01T00:00:00+23:60", -86_400, 0),
            ("1970-01-01T00:00:00-00:00", 0, 0),
            ("1970-01-01T00:00:00.123456789012Z", 0, 123_456_789),
            ("0000-01-01T00:00:00Z", -62_167_219_200, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
            ("9999-12-31T23:59:59.999999999-24:60", 253_402_390_799, 999_999_999),
        ];
        for (text, secs, nanos) in read {
            let time = parse(text).map(|time| time.as_nanos());
            assert_eq!(time, Some(i128::from(secs) * 1_000_000_000 + nanos), "{text}");
        }
        let refused = [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00.5",
            "1970-01-01T00:00:00+0000",
            "1970-01-01T00:00:00+1:00",
            "1970-01-01T00:00:00+25:00",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T123:00:00Z",
            "1970-01-01T01:00:00.Z",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-01-01 00:00:00Z",
            " 1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z ",
            "1970-1-1T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-02-30T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "-001-01-01T00:00:00Z",
        ];
        for text in refused {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_year_of_four_digits_is_written_as_it_is_read() {
        // Python's datetime, and `date -u -d '...' +%s` for the year 0.
        for (text, seconds) in [
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
            ("1969-12-31T23:59:59Z", -1),
            ("1970-01-01T00:00:00Z", 0),
            ("9999-12-30T23:00:00Z", 253_402_210_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse(text), Some(SignedDuration::from_secs(seconds)), "{text}");
            assert_eq!(print(seconds).as_deref(), Some(text));
        }
        assert_eq!([print(LAST + 1), print(-62_167_219_201), print(i64::MAX)], [None, None, None]);
    }
}
