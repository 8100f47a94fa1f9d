//! When two keys are one key to Go.

/// `key` folded as Go's encoding/json does to match keys: simple case folding (Unicode CaseFolding.txt, statuses C and
/// S), character by character. Two keys are one to Go when their folded forms are equal: `ſ` (U+017F) is `s`,
/// `K` (U+212A) is `k`, but `ß` is not `ss`.
pub fn fold(key: &str) -> String {
    key.chars().map(fold_char).collect()
}

fn fold_char(c: char) -> char {
    match c {
        _ if c.is_ascii() => c.to_ascii_lowercase(),
        // Upper-cases to `I`, but folds to nothing else outside Turkic languages.
        '\u{131}' => c,
        // Folded since Unicode 15.1, though they share no single capital.
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        '\u{fb06}' => '\u{fb05}',
        // The long way round through upper case gathers what shares a capital: `σ` and `ς`, `µ` and `μ`.
        _ => {
            let upper = only(c.to_uppercase()).unwrap_or(c);
            only(upper.to_lowercase()).unwrap_or(upper)
        }
    }
}

fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    chars.next().map_or(first, |_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Classes of Unicode's CaseFolding.txt (C and S), and strangers to them.
    #[test]
    fn folds_as_unicode_says() {
        for class in [
            "sSſ",
            "kK\u{212a}",
            "åÅ\u{212b}",
            "σςΣ",
            "µμΜ",
            "ßẞ",
            "ιͅΙ\u{1fbe}",
            "ǆǅǄ",
            "θϑΘϴ",
            "ᾀᾈ",
            "ωΩ\u{2126}",
            "Ꭰꭰ",
            "ﬅﬆ",
        ] {
            let folded: Vec<char> = class.chars().map(fold_char).collect();
            assert!(folded.iter().all(|c| Some(c) == folded.first()), "{class}");
        }
        for (left, right) in [("ß", "ss"), ("ı", "i"), ("İ", "i"), ("ﬁ", "fi"), ("é", "e")] {
            assert_ne!(fold(left), fold(right));
        }
    }
}
