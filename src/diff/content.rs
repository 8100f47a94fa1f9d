//! Content of changed files: a second, narrow pass over the layers that hold them.
//!
//! Reads no more than the beginning of a bounded number of files. What it shows is for people; whether files differ was
//! decided by their digests.

use std::collections::{BTreeMap, HashMap};

use similar::{Algorithm, ChangeTag, TextDiff};

use crate::{
    codec,
    image::{BlobId, ImageGraph},
    limits::Limits,
    tar::{Anomaly, Member, Sink, Unfolded, Walker},
};

/// How much of a file is looked at.
const PREFIX: usize = 1 << 20;
/// Largest text of which lines are compared.
const TEXT: usize = 256 << 10;
/// Most lines on either side that are matched with each other; the cost grows with their product.
const LINES: usize = 4000;
/// Most files whose content is looked at.
pub(super) const FILES: usize = 64;
const WINDOW: usize = 256 << 10;

/// How the contents of two files differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Offset of the first byte that differs; `None` if it lies behind what was looked at.
    pub first_difference: Option<u64>,
    /// For text: the lines of a unified diff.
    pub lines: Vec<Line>,
    /// How many more lines the diff has.
    pub more: usize,
}

/// One line of a unified diff, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub sign: Sign,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// What a line of a unified diff is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Where a hunk stands: `@@ -1,3 +1,4 @@`.
    Hunk,
    /// On both sides.
    Context,
    /// On the left only.
    Left,
    /// On the right only.
    Right,
}

impl Sign {
    /// The character before the line.
    pub fn character(self) -> char {
        match self {
            Sign::Hunk => '@',
            Sign::Context => ' ',
            Sign::Left => '-',
            Sign::Right => '+',
        }
    }
}

/// The beginnings of files, by the offset of their first header block.
pub(super) type Beginnings = HashMap<u64, Vec<u8>>;

/// Reads the beginnings of the wanted files of one layer.
pub(super) fn read(graph: &ImageGraph<'_>, blob: BlobId, wanted: &[u64], limits: &Limits) -> Beginnings {
    let packed = graph.content(blob);
    let mut collector = Collector {
        wanted: wanted.iter().map(|at| (*at, Vec::new())).collect(),
        file: None,
        left: wanted.len(),
    };
    let mut walker = Walker::new(limits);
    let mut decoder = codec::decoder(codec::sniff(packed), packed, limits);
    let mut window = vec![0; WINDOW];
    while collector.left > 0 {
        match decoder.fill(&mut window) {
            Ok(0) | Err(_) => break,
            Ok(n) => walker.feed(window.get(..n).unwrap_or_default(), &mut collector),
        }
    }
    collector.wanted.into_iter().collect()
}

struct Collector {
    wanted: BTreeMap<u64, Vec<u8>>,
    /// The file at hand: where it stands, and its content with the holes.
    file: Option<(u64, Unfolded)>,
    left: usize,
}

impl Collector {
    /// Adds to the beginning of the file at `at`.
    fn take(wanted: &mut BTreeMap<u64, Vec<u8>>, at: u64, data: &[u8]) {
        if let Some(file) = wanted.get_mut(&at) {
            let room = PREFIX.saturating_sub(file.len()).min(data.len());
            file.extend_from_slice(data.get(..room).unwrap_or_default());
        }
    }
}

impl Sink for Collector {
    fn member(&mut self, member: Member) {
        let at = member.header_offset;
        let content = || Unfolded::up_to(&member, PREFIX as u64);
        self.file = self.wanted.contains_key(&at).then(|| (at, content()));
    }

    fn data(&mut self, data: &[u8]) {
        if let Some((at, content)) = &mut self.file {
            content.data(data, |bytes| Collector::take(&mut self.wanted, *at, bytes));
        }
    }

    fn end_member(&mut self) {
        if let Some((at, mut content)) = self.file.take() {
            content.end(|bytes| Collector::take(&mut self.wanted, at, bytes));
            self.left = self.left.saturating_sub(1);
        }
    }

    fn anomaly(&mut self, _: Anomaly) {}
}

/// Compares the beginnings of two files; of text, at most `most` lines are kept.
pub(super) fn compare(left: &[u8], right: &[u8], most: usize) -> Content {
    let common = left.iter().zip(right).take_while(|(l, r)| l == r).count();
    // Where one ends before the other it ends as a file: what is not looked at begins at the same place on both sides.
    let first_difference = (common < left.len().max(right.len())).then_some(common as u64);
    let mut content = Content { first_difference, ..Content::default() };
    if most > 0 && is_text(left) && is_text(right) {
        (content.lines, content.more) = unified(left, right, most);
    }
    content
}

fn is_text(data: &[u8]) -> bool {
    data.len() <= TEXT && !data.contains(&0) && std::str::from_utf8(data).is_ok()
}

/// A unified diff with three lines of context; `most` lines and how many more there are.
fn unified(left: &[u8], right: &[u8], most: usize) -> (Vec<Line>, usize) {
    let lines = |text: &'_ [u8]| text.split_inclusive(|byte| *byte == b'\n').count();
    if lines(left).max(lines(right)) > LINES {
        return (Vec::new(), 0);
    }
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_lines(left, right);
    let mut all = Vec::new();
    for group in diff.grouped_ops(3) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let (old, new) =
            (first.old_range().start..last.old_range().end, first.new_range().start..last.new_range().end);
        let hunk = format!("@ -{} +{} @@", range(&old), range(&new));
        all.push(Line { sign: Sign::Hunk, text: hunk.into_bytes() });
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => Sign::Context,
                ChangeTag::Delete => Sign::Left,
                ChangeTag::Insert => Sign::Right,
            };
            let text: &[u8] = change.value();
            match text.strip_suffix(b"\n") {
                Some(text) => all.push(Line { sign, text: text.to_vec() }),
                None => {
                    all.push(Line { sign, text: text.to_vec() });
                    all.push(Line { sign: Sign::Context, text: b"\\ no newline at the end".to_vec() });
                }
            }
        }
    }
    let more = all.len().saturating_sub(most);
    all.truncate(most);
    (all, more)
}

/// A range of lines as unified diffs write it: the first line, counted from 1, and how many.
fn range(lines: &std::ops::Range<usize>) -> String {
    let first = if lines.is_empty() { lines.start } else { lines.start.saturating_add(1) };
    match lines.len() {
        1 => first.to_string(),
        length => format!("{first},{length}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &Content) -> Vec<String> {
        let line = |line: &Line| format!("{}{}", line.sign.character(), String::from_utf8_lossy(&line.text));
        content.lines.iter().map(line).collect()
    }

    /// Expected lines are what GNU `diff -u` prints.
    #[test]
    fn text_is_shown_as_diff_u_shows_it() {
        let content = compare(b"a\nb\nc\nd\ne\n", b"a\nb\nc\nD\ne\n", 20);
        assert_eq!(text(&content), ["@@ -1,5 +1,5 @@", " a", " b", " c", "-d", "+D", " e"]);
        assert_eq!(content.first_difference, Some(6));
        let content = compare(b"", b"x\n", 20);
        assert_eq!(text(&content), ["@@ -0,0 +1 @@", "+x"]);
        let content = compare(b"x", b"x\n", 20);
        assert_eq!(text(&content), ["@@ -1 +1 @@", "-x", " \\ no newline at the end", "+x"]);
    }

    #[test]
    fn long_diffs_are_cut_and_say_so() {
        let content = compare(b"1\n2\n3\n", b"4\n5\n6\n", 3);
        assert_eq!((content.lines.len(), content.more), (3, 4));
    }

    #[test]
    fn binaries_give_an_offset_only() {
        let content = compare(b"\x7fELF\0a", b"\x7fELF\0b", 20);
        assert_eq!(content, Content { first_difference: Some(5), ..Content::default() });
    }

    #[test]
    fn what_is_alike_as_far_as_it_was_read_has_no_offset() {
        assert_eq!(compare(&vec![0; PREFIX], &vec![0; PREFIX], 20).first_difference, None);
        assert_eq!(compare(b"\0a", b"\0ab", 20).first_difference, Some(2));
        assert_eq!(
            compare(b"\0a", &[b"\0a".as_slice(), &[0; PREFIX - 2]].concat(), 20).first_difference,
            Some(2)
        );
    }
}
