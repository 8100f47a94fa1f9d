//! Numbers, sizes, digests, colours and long lines as people read them.
//!
//! Knows no record, and not what a word is said of.

use crate::grade::Grade;

/// Colours, where they may be used.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(super) fn grade(self, grade: Grade, text: &str) -> String {
        let code = match grade {
            Grade::Error => "1;31",
            Grade::Warning => "33",
            Grade::Note => "36",
        };
        self.with(code, text)
    }
}

/// `1 layer`, `2 layers`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A size for people: binary units, three digits.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Digests are shown by their first twelve digits.
pub(super) fn brief(value: &str) -> String {
    const DIGITS: usize = 64;
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("sha256:") {
        let (before, digest) = rest.split_at(at + "sha256:".len());
        let digits = digest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (hex, after) = digest.split_at(digits);
        out.push_str(before);
        out.push_str(if digits == DIGITS { hex.get(..12).unwrap_or(hex) } else { hex });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// At most `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => {
            let kept: String = text.chars().take(most.saturating_sub(1)).collect();
            format!("{kept}…")
        }
        None => text.to_owned(),
    }
}

/// Lines of at most `room` characters, broken between words.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_and_long_ones_stay_whole() {
        assert_eq!(wrap("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrap("/a/very/long/path x", 6), ["/a/very/long/path", "x"]);
    }

    #[test]
    fn digests_are_short_and_the_rest_whole() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(brief(&format!("4 B sha256:{digest}, more")), "4 B sha256:0123456789ab, more");
        assert_eq!(brief("sha256:short"), "sha256:short");
    }

    #[test]
    fn what_is_too_long_says_so() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
