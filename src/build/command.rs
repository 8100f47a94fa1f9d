//! One command line: its words, and how they are shown and quoted.
//!
//! Knows shell quoting (to print what can be pasted) and the comma-separated form that buildx, buildctl and podman
//! read. Must not know any program's options.

use crate::escape::escape;

/// A command to run, as words; no shell ever reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandSpec {
    /// The program's name, then its arguments.
    pub argv: Vec<String>,
    /// Not to be run when this command ends well: what it would make is there already.
    pub unless: Option<Vec<String>>,
    /// To be run when the user interrupts the command, to end what it left running elsewhere.
    pub on_interrupt: Option<Vec<String>>,
}

impl CommandSpec {
    /// A command that is always run.
    pub(super) fn new(argv: Vec<String>) -> CommandSpec {
        CommandSpec { argv, unless: None, on_interrupt: None }
    }
}

/// Words from anything that reads as text.
pub(super) fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// The command line as one line that a POSIX shell reads back into the same words. Words with characters that do
/// not show are written in the `$'…'` form of bash and POSIX 2024, so that nothing reaches a terminal raw.
pub fn shell_line(argv: &[String]) -> String {
    argv.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    let shows = |c: char| c == '\\' || escape(c.encode_utf8(&mut [0; 4]).as_bytes()).chars().eq([c]);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().all(shows) {
        return format!("'{}'", word.replace('\'', "'\"'\"'"));
    }
    let mut out = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if shows(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('\'');
    out
}

/// `key=value` fields as one record in the comma-separated form of RFC 4180, as Go's encoding/csv reads it: a field
/// with a comma, a quote or a line end stands in quotes, and quotes in it are doubled.
pub(super) fn csv_record<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let quoted = fields.into_iter().map(|(key, value)| csv_quote(&format!("{key}={value}")));
    quoted.collect::<Vec<_>>().join(",")
}

fn csv_quote(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn csv_fields_are_quoted_as_rfc_4180_says() {
        assert_eq!(csv_record([("type", "docker"), ("dest", "/a b:c")]), "type=docker,dest=/a b:c");
        assert_eq!(csv_record([("dest", "/a,push=true")]), "\"dest=/a,push=true\"");
        assert_eq!(csv_record([("a", "say \"x\""), ("b", "1\n2")]), "\"a=say \"\"x\"\"\",\"b=1\n2\"");
    }

    #[test]
    fn hidden_characters_never_reach_the_terminal() {
        let line = shell_line(&words(["echo", "a\u{1b}[31m'\n", "-x", "", "a b\\"]));
        assert_eq!(line, r#"echo $'a\U0000001b[31m\'\n' -x '' 'a b\'"#);
    }

    proptest! {
        #[test]
        fn plain_words_come_back_from_the_shell_line(argv in proptest::collection::vec("[ -~]{0,12}", 1..6)) {
            prop_assert_eq!(shlex::split(&shell_line(&argv)), Some(argv));
        }
    }
}
