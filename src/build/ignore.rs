//! `.dockerignore`: which paths of a context BuildKit does not see.
//!
//! Knows the pattern language as Docker documents it (reference/dockerfile, ".dockerignore file"): Go's
//! filepath.Match with `**`, exceptions with `!`, the last matching line wins, and what matches a directory counts for
//! all below it. Must not touch the file system.

/// The lines of one ignore file.
#[derive(Clone, Debug, Default)]
pub(super) struct Ignore {
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    except: bool,
    pattern: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// This character.
    Char(char),
    /// `?`: any one character but `/`.
    One,
    /// `*`: any characters but `/`.
    Many,
    /// `**/` or `**` inside: any number of whole directories.
    Directories,
    /// `**` at the end: anything.
    Rest,
    /// `[a-c]`, `[^a-c]`.
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Ignore {
    /// Reads an ignore file.
    pub(super) fn parse(text: &str) -> Ignore {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ignore { lines: text.lines().filter_map(Line::parse).collect() }
    }

    /// Whether the path, relative to the context and with `/` between its parts, is left out.
    pub(super) fn excludes(&self, path: &str) -> bool {
        let prefixes = || path.match_indices('/').map(|(end, _)| &path[..end]).chain([path]);
        let mut excluded = false;
        for line in &self.lines {
            // A line that could only confirm what holds already need not be matched.
            if line.except == excluded && prefixes().any(|prefix| line.matches(prefix)) {
                excluded = !line.except;
            }
        }
        excluded
    }

    /// Whether something below an excluded directory may still be seen.
    pub(super) fn has_exceptions(&self) -> bool {
        self.lines.iter().any(|line| line.except)
    }
}

impl Line {
    fn parse(line: &str) -> Option<Line> {
        if line.starts_with('#') {
            return None;
        }
        let line = line.trim();
        let (except, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
        let path = clean(line);
        (!path.is_empty()).then(|| Line { except, pattern: tokens(&path) })
    }

    fn matches(&self, path: &str) -> bool {
        matches(&self.pattern, path)
    }
}

/// The path without empty parts, `.` and `..`, and without a slash before it.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' => match rest.as_str().strip_prefix('*') {
                Some(after) => {
                    let after = after.strip_prefix('/').unwrap_or(after);
                    rest = after.chars();
                    if after.is_empty() { Token::Rest } else { Token::Directories }
                }
                None => Token::Many,
            },
            '?' => Token::One,
            '\\' => Token::Char(rest.next().unwrap_or('\\')),
            '[' => match class(rest.as_str()) {
                Some((class, after)) => {
                    rest = after.chars();
                    class
                }
                None => Token::Char('['),
            },
            c => Token::Char(c),
        });
    }
    tokens
}

/// What stands after `[`, up to its `]`.
fn class(text: &str) -> Option<(Token, &str)> {
    let (negated, text) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
    let mut ranges = Vec::new();
    let mut chars = text.chars();
    loop {
        let low = match chars.next()? {
            ']' if !ranges.is_empty() => return Some((Token::Class { negated, ranges }, chars.as_str())),
            '\\' => chars.next()?,
            c => c,
        };
        let high = match chars.as_str().strip_prefix('-') {
            Some(after) if !after.starts_with(']') => {
                chars = after.chars();
                match chars.next()? {
                    '\\' => chars.next()?,
                    c => c,
                }
            }
            _ => low,
        };
        ranges.push((low, high));
    }
}

/// Backtracking, with the number of open choices bounded by the pattern's length times the path's: every pair of
/// positions is tried once.
fn matches(pattern: &[Token], path: &str) -> bool {
    let path: Vec<char> = path.chars().collect();
    // reach[i]: the tokens so far can have eaten the first i characters.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    for token in pattern {
        let mut next = vec![false; path.len() + 1];
        for (at, _) in reach.iter().enumerate().filter(|(_, reached)| **reached) {
            let rest = &path[at..];
            match token {
                Token::Rest => next[at..].fill(true),
                Token::Directories => {
                    next[at] = true;
                    for (i, _) in rest.iter().enumerate().filter(|(_, c)| **c == '/') {
                        next[at + i + 1] = true;
                    }
                }
                Token::Many => {
                    let run = rest.iter().take_while(|c| **c != '/').count();
                    next[at..=at + run].fill(true);
                }
                single => {
                    if rest.first().is_some_and(|c| single.takes(*c)) {
                        next[at + 1] = true;
                    }
                }
            }
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Token::Char(own) => *own == c,
            Token::One => c != '/',
            Token::Class { negated, ranges } => {
                c != '/' && ranges.iter().any(|(low, high)| (low..=high).contains(&&c)) != *negated
            }
            Token::Many | Token::Directories | Token::Rest => false,
        }
    }
}

/// A line that leaves out exactly `path`, whatever characters are in it (but no line end).
pub(super) fn exact_line(path: &str) -> String {
    let last = path.chars().count().saturating_sub(1);
    let mut line = String::with_capacity(path.len() + 4);
    for (i, c) in path.chars().enumerate() {
        match c {
            '*' | '?' | '[' | ']' | '\\' | '^' => line.extend(['\\', c]),
            '!' | '#' if i == 0 => line.extend(['\\', c]),
            // White space at either end would be trimmed.
            c if (i == 0 || i == last) && c.is_whitespace() => line.extend(['[', c, ']']),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_what_docker_documents() {
        // The examples of Docker's Dockerfile reference, ".dockerignore file".
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("# comment", &[], &["# comment", "comment"]),
            ("*/temp*", &["somedir/temporary.txt", "somedir/temp"], &["temp", "a/b/temp"]),
            ("*/*/temp*", &["somedir/subdir/temporary.txt"], &["somedir/temporary.txt"]),
            ("temp?", &["tempa", "tempb"], &["temp", "tempab"]),
            ("**/*.go", &["a.go", "x/a.go", "x/y/a.go"], &["a.go.txt"]),
            ("*.md\n!README.md", &["x.md"], &["README.md"]),
            ("*.md\n!README*.md\nREADME-secret.md", &["README-secret.md"], &["README-a.md"]),
            ("*.md\nREADME-secret.md\n!README*.md", &["x.md"], &["README-secret.md"]),
            ("/foo/bar", &["foo/bar", "foo/bar/baz"], &["foo", "a/foo/bar"]),
            ("foo/bar/", &["foo/bar/x"], &["foo/barx"]),
            ("dir\n!dir/keep", &["dir/other"], &["dir/keep", "dir/keep/x"]),
            ("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["az", "a/bz"]),
            ("a/**", &["a/b", "a/b/c"], &["b", "ab"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "/x"]),
            ("[^a]x", &["bx"], &["ax"]),
            ("\\*", &["*"], &["a"]),
            ("  spaced  ", &["spaced"], &["  spaced  "]),
            ("./x/../y", &["y"], &["x", "x/y"]),
            ("", &[], &["a"]),
        ];
        for (text, out, seen) in cases {
            let ignore = Ignore::parse(text);
            out.iter().for_each(|path| assert!(ignore.excludes(path), "{text:?} leaves out {path:?}"));
            seen.iter().for_each(|path| assert!(!ignore.excludes(path), "{text:?} does not touch {path:?}"));
        }
    }

    proptest! {
        #[test]
        fn an_exact_line_leaves_out_its_path_only(path in "[ -~]{1,8}", other in "[ -~]{1,8}") {
            let path = clean(&path);
            prop_assume!(!path.is_empty());
            let ignore = Ignore::parse(&exact_line(&path));
            prop_assert!(ignore.excludes(&path));
            let below = other == path || other.starts_with(&format!("{path}/"));
            prop_assert_eq!(ignore.excludes(&other), below);
        }
    }
}
