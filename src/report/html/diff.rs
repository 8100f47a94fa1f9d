//! The page of `diff`: verdict, what to do, both ladders, sizes of layers, every change, texts side by side.

use std::io::{self, Write};

use super::{page, quote};
use crate::{
    digest::Digest,
    report::{
        Style,
        diff_text::{advice, is_rule, standing},
        wire_diff::{ChangeRecord, ContentRecord, DiffReport, EntryRecord, ImageDiffRecord, LayerDiffRecord},
        words::bytes,
    },
};

/// Hues that layers take in turn.
const HUES: usize = 8;
/// Most rows of the table of changes: a page of more is no help, and the JSON report has them all.
const ROWS: usize = 5000;

pub(in crate::report) fn write(report: &DiffReport, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    let [left, right] = &report.inputs;
    page(&format!("diff {} {}", left.name, right.name), out, |out| {
        hero(report, out)?;
        writeln!(out, "<main>")?;
        causes(report, out)?;
        for image in &report.images {
            self::image(image, out)?;
        }
        changes(report, out)?;
        texts(report, out)?;
        writeln!(out, "</main>")
    })
}

/// The verdict over everything.
fn hero(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    let (word, rest) = standing(report);
    let class = if report.same || word.starts_with("SAME") { "pass" } else { "fail" };
    writeln!(out, "<header class=\"hero {class}\">\n<p class=\"command\">repro-build diff</p>")?;
    writeln!(out, "<h1>{}</h1>\n<p>{}</p>", quote(&sentence(word)), quote(rest))?;
    for (side, input) in ["A", "B"].into_iter().zip(&report.inputs) {
        writeln!(out, "<p class=\"name\">{side} {} <small>{}</small></p>", quote(&input.name), input.layout)?;
        for error in &input.errors {
            writeln!(out, "<p><span class=\"tag error\">does not verify</span> {}</p>", quote(error))?;
        }
    }
    writeln!(out, "</header>")
}

/// `SAME IMAGE` as a heading has it: `Same image`.
fn sentence(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().chain(letters.flat_map(char::to_lowercase)).collect()
}

fn causes(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    if report.causes.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section class=\"card\"><h2>Why, and what to do</h2>")?;
    for advice in advice(report) {
        writeln!(out, "<p class=\"advice\">{}</p>", quote(&advice))?;
    }
    writeln!(
        out,
        "<div class=\"scroll\"><table class=\"wrap\"><thead><tr><th class=\"n\">Changes</th><th>Cause</th>"
    )?;
    writeln!(out, "<th>Removed by</th><th></th></tr></thead>\n<tbody>")?;
    for cause in &report.causes {
        let level = cause.level.map(|level| format!("normalize --level {level}")).unwrap_or_default();
        writeln!(
            out,
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{level}</td><td>{}</td></tr>",
            cause.count,
            tag(cause.cause),
            quote(cause.why.unwrap_or_default())
        )?;
    }
    writeln!(out, "</tbody></table></div></section>")
}

fn tag(cause: &str) -> String {
    let class = match cause {
        "derived" => "skipped",
        cause if is_rule(cause) => "warning",
        _ => "error",
    };
    format!("<span class=\"tag {class}\">{cause}</span>")
}

/// Both ladders and the layers' sizes.
fn image(image: &ImageDiffRecord, out: &mut dyn Write) -> io::Result<()> {
    let platform =
        [&image.left, &image.right].into_iter().flatten().find_map(|side| side.platform.as_deref());
    let title = quote(platform.unwrap_or_default());
    writeln!(out, "<section class=\"card\"><h2>Identity ladder <small>{title}</small></h2>")?;
    for (side, of) in [("A", &image.left), ("B", &image.right)] {
        let names = of.as_ref().map_or("no such image".to_owned(), |of| of.names.join(", "));
        if !names.is_empty() {
            writeln!(out, "<p class=\"ref\">{side} {}</p>", quote(&names))?;
        }
    }
    writeln!(
        out,
        "<div class=\"scroll\"><table><thead><tr><th>Rung</th><th>A</th><th>B</th><th></th></tr></thead>\n<tbody>"
    )?;
    let first = image.rungs.iter().position(|r| r.same == Some(false) && image.parts_at == Some(r.rung));
    for (position, rung) in image.rungs.iter().enumerate() {
        let number = match (rung.left_layer, rung.right_layer) {
            (None, None) => String::new(),
            (left, right) if left == right => format!(" {}", left.unwrap_or_default()),
            (left, right) => {
                let text = |at: Option<usize>| at.map_or("–".to_owned(), |at| at.to_string());
                format!(" {} : {}", text(left), text(right))
            }
        };
        let result = match rung.same {
            Some(true) => "<span class=\"tag pass\">same</span>",
            Some(false) if first == Some(position) => {
                "<span class=\"tag fail\">differs: here they part</span>"
            }
            Some(false) => "<span class=\"tag fail\">differs</span>",
            None => "",
        };
        writeln!(
            out,
            "<tr><td>{}{number}</td><td>{}</td><td>{}</td><td>{result}</td></tr>",
            rung.rung.name(),
            short(rung.left),
            short(rung.right)
        )?;
    }
    writeln!(out, "</tbody></table></div>")?;
    if !image.layers.is_empty() {
        writeln!(out, "<h3>Layers by stored size</h3>")?;
        bar("A", &image.layers, |layer| layer.left.zip(layer.left_size), out)?;
        bar("B", &image.layers, |layer| layer.right.zip(layer.right_size), out)?;
    }
    writeln!(out, "</section>")
}

fn short(digest: Option<Digest>) -> String {
    digest.map_or("–".to_owned(), |digest| {
        format!("<code title=\"{digest}\" data-copy>{}</code>", digest.short())
    })
}

/// One side's layers next to each other, as wide as they are large; layers that are paired have one colour.
fn bar(
    side: &str,
    layers: &[LayerDiffRecord],
    of: fn(&LayerDiffRecord) -> Option<(usize, u64)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "<div class=\"bar\" role=\"img\" aria-label=\"Sizes of the layers of {side}\">")?;
    let mut parts: Vec<(usize, u64, usize, &str)> = layers
        .iter()
        .enumerate()
        .filter_map(|(i, layer)| of(layer).map(|(number, size)| (number, size, i % HUES, layer.relation)))
        .collect();
    parts.sort_unstable_by_key(|(number, ..)| *number);
    for (number, size, hue, relation) in parts {
        write!(
            out,
            "<span class=\"h{hue}\" style=\"flex-grow:{size}\" title=\"{side} layer {number}, {}: {}\"></span>",
            relation,
            bytes(size)
        )?;
    }
    writeln!(out, "</div>")
}

/// Every change, in one table that can be filtered.
fn changes(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = Rows { out, written: 0, hidden: 0 };
    let total = report.causes.iter().map(|cause| cause.count).sum::<usize>();
    if total == 0 {
        return Ok(());
    }
    writeln!(rows.out, "<section class=\"card\"><h2>Changes <small>{total}</small></h2>")?;
    writeln!(
        rows.out,
        "<div class=\"scroll\"><table class=\"wrap\" data-filter=\"changes\"><thead><tr><th>Where</th>"
    )?;
    writeln!(rows.out, "<th>What</th><th>Cause</th><th>A</th><th>B</th></tr></thead>\n<tbody>")?;
    report.archive.iter().try_for_each(|change| rows.row("archive", "", change, None))?;
    for document in &report.documents {
        document.changes.iter().try_for_each(|change| rows.row(document.document, "", change, None))?;
    }
    for image in &report.images {
        image.changes.iter().try_for_each(|change| rows.row("image", "", change, None))?;
        for document in &image.documents {
            document.changes.iter().try_for_each(|change| rows.row(document.document, "", change, None))?;
        }
        for layer in &image.layers {
            let place = place(layer);
            layer.changes.iter().try_for_each(|change| rows.row(&place, "", change, None))?;
            layer.entries.iter().try_for_each(|entry| rows.entry(&place, entry))?;
        }
        image.merged.iter().flatten().try_for_each(|entry| rows.entry("file system", entry))?;
    }
    let hidden = rows.hidden;
    writeln!(out, "</tbody></table></div>")?;
    if hidden > 0 {
        writeln!(out, "<p>{hidden} more are in the JSON report.</p>")?;
    }
    writeln!(out, "</section>")
}

fn place(layer: &LayerDiffRecord) -> String {
    match (layer.left, layer.right) {
        (Some(left), Some(right)) if left == right => format!("layer {left}"),
        (Some(left), Some(right)) => format!("layer {left} : {right}"),
        (Some(left), None) => format!("layer {left} of A"),
        (_, right) => format!("layer {} of B", right.unwrap_or_default()),
    }
}

struct Rows<'r> {
    out: &'r mut dyn Write,
    written: usize,
    hidden: usize,
}

impl Rows<'_> {
    fn entry(&mut self, place: &str, entry: &EntryRecord) -> io::Result<()> {
        let hint = entry.hint.as_ref().map(|hint| format!("{}; {}", hint.why, hint.remedy));
        entry.changes.iter().try_for_each(|change| self.row(place, &entry.path, change, hint.as_deref()))
    }

    fn row(&mut self, place: &str, path: &str, change: &ChangeRecord, hint: Option<&str>) -> io::Result<()> {
        if self.written >= ROWS {
            self.hidden += 1;
            return Ok(());
        }
        self.written += 1;
        let own = change.hint.as_ref().map(|hint| format!("{}; {}", hint.why, hint.remedy));
        let hint = own.as_deref().or(hint).map(|hint| format!("<br><small>{}</small>", quote(hint)));
        let value = |value: &Option<String>| {
            value.as_ref().map(|value| quote(value).into_owned()).unwrap_or_default()
        };
        writeln!(
            self.out,
            "<tr><td>{place}</td><td><code>{}</code> {}{}</td><td>{}</td><td><code>{}</code></td><td><code>{}</code></td></tr>",
            quote(path),
            quote(&change.field),
            hint.unwrap_or_default(),
            tag(change.cause),
            value(&change.left),
            value(&change.right)
        )
    }
}

/// The texts of changed files, side by side.
fn texts(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    for image in &report.images {
        let entries =
            image.layers.iter().flat_map(|layer| &layer.entries).chain(image.merged.iter().flatten());
        for entry in entries {
            if let Some(content) = entry.content.as_ref().filter(|content| !content.lines.is_empty()) {
                text(&entry.path, content, out)?;
            }
        }
    }
    Ok(())
}

fn text(path: &str, content: &ContentRecord, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<details class=\"card\" open><summary><h2>{}</h2></summary>", quote(path))?;
    writeln!(out, "<table class=\"sides\"><tbody>")?;
    for (left, right) in sides(&content.lines) {
        let cell = |line: Option<&str>, class: &str| match line {
            Some(line) => format!("<td class=\"{class}\">{}</td>", quote(line.get(1..).unwrap_or_default())),
            None => "<td></td>".to_owned(),
        };
        let class = |line: Option<&str>| match line.and_then(|line| line.chars().next()) {
            Some('-') => "fail",
            Some('+') => "pass",
            Some('@') => "hunk",
            _ => "",
        };
        writeln!(out, "<tr>{}{}</tr>", cell(left, class(left)), cell(right, class(right)))?;
    }
    writeln!(out, "</tbody></table>")?;
    if content.more > 0 {
        writeln!(out, "<p>{} more lines</p>", content.more)?;
    }
    writeln!(out, "</details>")
}

/// Lines of a unified diff as rows of two columns: what went stands beside what came in its place.
fn sides(lines: &[String]) -> Vec<(Option<&str>, Option<&str>)> {
    let mut rows = Vec::new();
    let (mut left, mut right): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for line in lines {
        match line.chars().next() {
            Some('-') => left.push(line),
            Some('+') => right.push(line),
            _ => {
                rows.extend(beside(std::mem::take(&mut left), std::mem::take(&mut right)));
                rows.push((Some(line.as_str()), Some(line.as_str())));
            }
        }
    }
    rows.extend(beside(left, right));
    rows
}

fn beside<'l>(
    left: Vec<&'l str>,
    right: Vec<&'l str>,
) -> impl Iterator<Item = (Option<&'l str>, Option<&'l str>)> {
    let height = left.len().max(right.len());
    (0..height).map(move |i| (left.get(i).copied(), right.get(i).copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_stands_beside_what_came() {
        let lines = ["@@ -1,2 +1,3 @@", " same", "-old", "+new", "+more"].map(str::to_owned);
        let rows = sides(&lines);
        let expected = [
            (Some("@@ -1,2 +1,3 @@"), Some("@@ -1,2 +1,3 @@")),
            (Some(" same"), Some(" same")),
            (Some("-old"), Some("+new")),
            (None, Some("+more")),
        ];
        assert_eq!(rows, expected);
    }
}
