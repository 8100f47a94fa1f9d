//! SOURCE_DATE_EPOCH: seconds since 1970 from what a person typed.
//!
//! Knows the two notations, seconds and ISO 8601. Must not know where the text came from.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    error::{Error, Result},
    escape::escape,
};

/// Seconds since 1970-01-01T00:00:00Z from decimal digits.
pub(super) fn from_seconds(name: &str, text: &str) -> Result<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|seconds| digits && i64::try_from(*seconds).is_ok());
    seconds.ok_or_else(|| {
        Error::usage(format!(
            "{name}: '{}' is no number of seconds since 1970; give digits only, such as 1735689600",
            escape(text.as_bytes())
        ))
    })
}

/// Seconds since 1970-01-01T00:00:00Z from an ISO 8601 date or date and time; without an offset it is UTC.
pub(super) fn from_datetime(name: &str, text: &str) -> Result<u64> {
    let timestamp = text.parse::<Timestamp>().or_else(|_| {
        text.parse::<DateTime>()
            .and_then(|civil| civil.to_zoned(TimeZone::UTC))
            .map(|zoned| zoned.timestamp())
    });
    // A zone in brackets would not be heeded, and no clock of seconds since 1970 has a leap second.
    let exact = !text.contains('[') && !has_leap_second(text);
    let seconds = timestamp.ok().filter(|timestamp| exact && *timestamp >= Timestamp::UNIX_EPOCH);
    seconds.and_then(|timestamp| u64::try_from(timestamp.as_second()).ok()).ok_or_else(|| {
        Error::usage(format!(
            "{name}: '{}' is no ISO date since 1970; give YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+hh:mm",
            escape(text.as_bytes())
        ))
    })
}

/// Whether the seconds of a date and time in ISO 8601 are written 60.
fn has_leap_second(text: &str) -> bool {
    let time = text.split(['T', 't', ' ']).nth(1).unwrap_or_default();
    let time = time.split(['Z', 'z', '+', '-', '.', ',', '[']).next().unwrap_or_default();
    let digits: String = time.chars().filter(|c| *c != ':').collect();
    digits.len() == 6 && digits.ends_with("60")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_date_or_time_is_utc() {
        // date -u -d '...' +%s
        for (text, seconds) in [
            ("2025-01-01", 1735689600),
            ("2025-01-01T12:30:00", 1735734600),
            ("2025-01-01 12:30:00", 1735734600),
            ("2025-01-01T12:30:00Z", 1735734600),
            ("2025-01-01T12:30:00+02:00", 1735727400),
            ("2025-01-01T12:30:00.999-00:30", 1735736400),
            ("19700101", 0),
        ] {
            assert_eq!(from_datetime("--datetime", text).ok(), Some(seconds), "{text}");
        }
        for text in [
            "",
            "today",
            "2025-13-01",
            "1969-12-31",
            "1969-12-31T23:59:59.5Z",
            "2025-02-30",
            "-1",
            "2025-07-01T00:00:00[America/New_York]",
            "2025-07-01T00:00:00-04:00[America/New_York]",
            "2025-07-01T00:00:00[Mars/Base]",
            "2025-07-01T00:00:60",
            "2025-07-01T00:00:60Z",
            "20250701T000060+02:00",
        ] {
            assert!(from_datetime("--datetime", text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_are_digits_only() {
        assert_eq!(from_seconds("--sde", "0").ok(), Some(0));
        assert_eq!(from_seconds("--sde", "9223372036854775807").ok(), Some(9223372036854775807));
        for text in ["", "-1", "+1", "1.0", " 1", "0x1", "9223372036854775808", "1e9"] {
            assert!(from_seconds("--sde", text).is_err(), "{text}");
        }
    }
}
