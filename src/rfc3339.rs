//! Times as RFC 3339 writes them: the years 0 to 9999, at any offset.
//!
//! Counts from 1970-01-01T00:00:00Z. Must not know what a time is of.

use jiff::{
    SignedDuration,
    civil::{DateTime, date},
    fmt::temporal::Pieces,
};

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// The time since 1970-01-01T00:00:00Z that `text` gives, a leap second being the first of the next minute; `None` if it
/// is no date, time and offset.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let pieces = Pieces::parse(text).ok()?;
    let offset = pieces.to_numeric_offset()?.seconds();
    let local = DateTime::from_parts(pieces.date(), pieces.time()?).duration_since(EPOCH);
    let leap = i64::from(has_leap_second(text));
    local.checked_add(SignedDuration::from_secs(leap - i64::from(offset)))
}

/// `seconds` since 1970-01-01T00:00:00Z as Go's `time.RFC3339Nano` writes them in UTC; `None` outside the years 0 to 9999.
pub fn print(seconds: i64) -> Option<String> {
    let time = EPOCH.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    (time.year() >= 0).then(|| format!("{time}Z"))
}

/// Whether the seconds of a date and time in ISO 8601 are written 60.
pub fn has_leap_second(text: &str) -> bool {
    let time = text.split(['T', 't', ' ']).nth(1).unwrap_or_default();
    let time = time.split(['Z', 'z', '+', '-', '.', ',', '[']).next().unwrap_or_default();
    let digits: String = time.chars().filter(|c| *c != ':').collect();
    digits.len() == 6 && digits.ends_with("60")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_year_of_four_digits_is_read_and_written() {
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
        assert_eq!([print(253_402_300_800), print(-62_167_219_201), print(i64::MAX)], [None, None, None]);
    }

    #[test]
    fn offsets_fractions_and_leap_seconds_count() {
        for (text, seconds, nanos) in [
            ("9999-12-31T23:59:59-23:59", 253_402_387_139, 0),
            ("0000-01-01T00:00:00+01:00", -62_167_222_800, 0),
            ("1985-04-12T23:20:50.52Z", 482_196_050, 520_000_000),
            // RFC 3339, 5.8: one leap second.
            ("1990-12-31T23:59:60Z", 662_688_000, 0),
            ("1990-12-31T15:59:60-08:00", 662_688_000, 0),
        ] {
            assert_eq!(parse(text), Some(SignedDuration::new(seconds, nanos)), "{text}");
        }
        for text in ["", "soon", "2024-01-01", "2024-01-01T00:00:00", "2024-13-01T00:00:00Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
