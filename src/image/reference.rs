//! The grammar of image references (github.com/distribution/reference), as far as names in archives need it.

use crate::digest::Digest;

/// Longest repository name.
const NAME_MAX: usize = 255;
/// Longest tag.
const TAG_MAX: usize = 128;

/// Whether this is `[HOST[:PORT]/]PATH` and a tag or a digest behind it, as each of `RepoTags` has to be: `docker load`
/// wants a tag, and containerd writes the digest where it has none.
pub(super) fn is_complete(text: &str) -> bool {
    let is_tagged =
        |text: &str| text.rsplit_once(':').is_some_and(|(name, tag)| is_tag(tag) && is_name(name));
    match text.split_once('@') {
        Some((text, digest)) => Digest::parse(digest).is_ok() && (is_tagged(text) || is_name(text)),
        None => is_tagged(text),
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_name(name: &str) -> bool {
    // As Docker tells a host from the first part of a path.
    let names_host =
        |part: &str| part.contains(['.', ':']) || part == "localhost" || part.to_lowercase() != part;
    let path = match name.split_once('/') {
        Some((host, path)) if names_host(host) => Some(path).filter(|_| is_host(host)),
        _ => Some(name),
    };
    name.len() <= NAME_MAX && path.is_some_and(|path| path.split('/').all(is_path_part))
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_address = |address: &str| address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    port.is_none_or(is_port) && address.map_or_else(|| name.split('.').all(is_label), is_address)
}

/// Lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between.
fn is_path_part(part: &str) -> bool {
    let runs: Vec<&str> = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).collect();
    let is_separator = |run: &&str| matches!(*run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    runs.len() > 1 && runs.first() == Some(&"") && runs.last() == Some(&"") && runs.iter().all(is_separator)
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    /// The examples of the grammar, and what Docker made of them.
    #[test]
    fn names_with_tags_and_what_is_no_name() {
        let host = "a".repeat(64);
        let digest = format!("sha256:{}", "a".repeat(64));
        let right = [
            "a:1",
            "library/x:latest",
            "docker.io/library/x:1",
            "localhost:5000/x:1",
            "localhost/x:1",
            "Reg.example.com:80/x/y-z/a__b.c--d:V_1.0-x",
            "[2001:db8::1]:5000/x:1",
            "[::1]/x:1",
            &format!("{host}:1"),
            &format!("x:1@{digest}"),
            &format!("x@{digest}"),
            &format!("x:{}", "t".repeat(128)),
        ];
        for name in right {
            assert!(is_complete(name), "{name}");
        }
        let wrong = [
            "",
            "x",
            ":1",
            "x:",
            "lab/x",
            "LAB:1",
            "lab/X:1",
            "localhost:5000/x",
            "/x:1",
            "x/:1",
            "a//b:1",
            "a..b:1",
            "a___b:1",
            "-a:1",
            "a-:1",
            "-h.example.com/x:1",
            "h.example.com:port/x:1",
            "x:.1",
            "x:1\u{1b}[31m",
            "a b:1",
            "x@sha256:abc",
            &format!("X@{digest}"),
            &format!("x:{}", "t".repeat(129)),
            &format!("{}:1", "x".repeat(256)),
        ];
        for name in wrong {
            assert!(!is_complete(name), "{name}");
        }
    }
}
