//! A diff for people: the answer, why and what to do in the first five lines, then the details.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    Style,
    wire_diff::{
        CauseRecord, ChangeRecord, DiffReport, DocumentRecord, EntryRecord, HintRecord, ImageDiffRecord,
        LayerDiffRecord, RungRecord,
    },
    words::{Paint, brief, count, cut, wrap},
};
use crate::ladder::Rung;

/// Columns where no terminal says how many there are.
const COLUMNS: usize = 80;
/// Width of the words before the answer's lines.
const LABEL: usize = 6;
/// Most differing entries of one layer that are shown one by one.
const ENTRIES: usize = 30;
/// Most characters of a value.
const VALUE: usize = 200;

pub(super) fn write(report: &DiffReport, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns = style.width.map_or(COLUMNS, usize::from).max(40);
    let mut page = Page { report, paint: Paint(style.color), verbose: style.verbosity > 0, columns, out };
    page.answer()?;
    if style.verbosity >= 0 && report.verdict != "identical-bytes" {
        page.details()?;
    }
    Ok(())
}

struct Page<'p> {
    report: &'p DiffReport,
    paint: Paint,
    verbose: bool,
    columns: usize,
    out: &'p mut dyn Write,
}

impl Page<'_> {
    /// Verdict, causes, place, remedy.
    fn answer(&mut self) -> io::Result<()> {
        let report = self.report;
        let (word, rest) = standing(report);
        let color = match report.verdict {
            "equalizable" => "1;33",
            "different" => "1;31",
            _ => "1;32",
        };
        writeln!(self.out, "{}  {rest}", self.paint.with(color, word))?;
        if !report.causes.is_empty() {
            let why = causes(&report.causes, self.verbose);
            self.line("why", &why)?;
        }
        for place in report.images.iter().filter_map(place) {
            self.line("where", &place)?;
        }
        for (i, advice) in advice(report).iter().enumerate() {
            self.line(if i == 0 { "do" } else { "" }, advice)?;
        }
        for (side, input) in ["A", "B"].into_iter().zip(&report.inputs) {
            let more = input.errors.len().saturating_sub(1);
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            if let Some(error) = input.errors.first() {
                self.line("!", &format!("{side} does not verify, so this says little: {error}{more}"))?;
            }
        }
        Ok(())
    }

    /// One labelled paragraph, wrapped with its label hanging.
    fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        let room = self.columns.saturating_sub(LABEL);
        let mut label = format!("{label:<LABEL$}");
        for line in wrap(text, room) {
            writeln!(self.out, "{}{}", self.paint.with("1", &label), line.trim_end())?;
            label = " ".repeat(LABEL);
        }
        Ok(())
    }

    fn details(&mut self) -> io::Result<()> {
        let report = self.report;
        for (image, record) in report.images.iter().enumerate() {
            writeln!(self.out)?;
            for (side, (input, of)) in
                ["A", "B"].into_iter().zip(report.inputs.iter().zip([&record.left, &record.right]))
            {
                let mut words = vec![input.name.clone(), input.layout.to_owned()];
                match of {
                    Some(of) => {
                        words.extend(of.platform.clone());
                        words.extend(of.names.iter().cloned());
                    }
                    None => words.push("has no such image".to_owned()),
                }
                writeln!(self.out, "{}  {}", self.paint.with("1", side), words.join("  "))?;
            }
            self.ladder(record, image == 0)?;
        }
        if !report.archive.is_empty() {
            self.heading("archive", "")?;
            self.changes(&report.archive)?;
        }
        report.documents.iter().try_for_each(|document| self.document(document))?;
        for image in &report.images {
            if !image.changes.is_empty() {
                self.heading("image", "")?;
                self.changes(&image.changes)?;
            }
            image.documents.iter().try_for_each(|document| self.document(document))?;
            image.layers.iter().try_for_each(|layer| self.layer(layer))?;
            if let Some(entries) = &image.merged {
                self.heading("file system", &count(entries.len(), "path differs", "paths differ"))?;
                self.entries(entries)?;
            }
        }
        Ok(())
    }

    fn heading(&mut self, title: &str, rest: &str) -> io::Result<()> {
        let room = self.columns.saturating_sub(title.chars().count() + 2);
        let line = format!("{}  {}", self.paint.with("1;36", title), cut(rest, room));
        writeln!(self.out, "\n{}", line.trim_end())
    }

    /// Both ladders; layers that are the same are only counted.
    fn ladder(&mut self, image: &ImageDiffRecord, archive: bool) -> io::Result<()> {
        let (mut same_layers, mut told) = (0, false);
        for rung in &image.rungs {
            let layer = rung.rung == Rung::Layer || rung.rung == Rung::DiffId;
            if rung.rung == Rung::Archive && !archive || rung.left.is_none() && rung.right.is_none() {
                continue;
            }
            if layer && rung.same == Some(true) && !self.verbose {
                same_layers += usize::from(rung.rung == Rung::DiffId);
                continue;
            }
            let parts = !told && rung.same == Some(false) && image.parts_at == Some(rung.rung);
            told |= parts;
            self.rung(rung, parts)?;
        }
        if same_layers > 0 {
            writeln!(
                self.out,
                "   {:<12}  {}",
                "",
                count(same_layers, "diff-id is the same", "diff-ids are the same")
            )?;
        }
        Ok(())
    }

    fn rung(&mut self, rung: &RungRecord, parts: bool) -> io::Result<()> {
        let number = match (rung.left_layer, rung.right_layer) {
            (Some(left), Some(right)) if left == right => format!(" {left}"),
            (None, None) => String::new(),
            (left, right) => {
                let text = |at: Option<usize>| at.map_or("-".to_owned(), |at| at.to_string());
                format!(" {}:{}", text(left), text(right))
            }
        };
        let name = format!("{}{number}", rung.rung.name());
        let text =
            |digest: Option<crate::digest::Digest>| digest.map_or("-".to_owned(), |digest| digest.short());
        let word = match rung.same {
            Some(true) => "same".to_owned(),
            Some(false) if parts => self.paint.with("1;31", "differs: here they part"),
            Some(false) => self.paint.with("31", "differs"),
            None => "one side has none".to_owned(),
        };
        writeln!(self.out, "   {name:<12}  {:<12}  {:<12}  {word}", text(rung.left), text(rung.right))
    }

    fn document(&mut self, document: &DocumentRecord) -> io::Result<()> {
        let shown = document.changes.iter().any(|change| self.verbose || change.cause != "derived");
        if !shown {
            return Ok(());
        }
        self.heading(document.document, "")?;
        self.changes(&document.changes)
    }

    /// Changes of a whole: those of one rule together, the others one by one.
    fn changes(&mut self, changes: &[ChangeRecord]) -> io::Result<()> {
        let mut by_rule: BTreeMap<&str, Vec<&ChangeRecord>> = BTreeMap::new();
        for change in changes {
            match change.cause {
                "derived" if !self.verbose => {}
                cause if is_rule(cause) && !self.verbose => by_rule.entry(cause).or_default().push(change),
                _ => {
                    writeln!(self.out, "  {}  {}", change.field, self.cause(change.cause))?;
                    self.values(change, "    ")?;
                    if let Some(hint) = &change.hint {
                        self.hint(hint, "    ")?;
                    }
                }
            }
        }
        for (cause, changes) in by_rule {
            let fields: Vec<&str> = changes.iter().map(|change| change.field.as_str()).collect();
            let fields = match fields.as_slice() {
                [field] => (*field).to_owned(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
                [] => String::new(),
            };
            writeln!(self.out, "  {fields}  {}", self.cause(cause))?;
            if let Some(first) = changes.first() {
                self.values(first, "    ")?;
            }
        }
        Ok(())
    }

    /// Both values: on one line if they fit, else below each other.
    fn values(&mut self, change: &ChangeRecord, indent: &str) -> io::Result<()> {
        let most = if self.verbose { usize::MAX } else { VALUE };
        let text = |value: &Option<String>| value.as_deref().map(|value| cut(&brief(value), most));
        let (left, right) = (text(&change.left), text(&change.right));
        if let (Some(left), Some(right)) = (&left, &right)
            && indent.len() + left.chars().count() + right.chars().count() + 3 <= self.columns
        {
            return writeln!(self.out, "{indent}{left} → {right}");
        }
        for (value, sign, color) in [(left, "-", "31"), (right, "+", "32")] {
            if let Some(value) = value {
                writeln!(self.out, "{indent}{}", self.paint.with(color, &format!("{sign} {value}")))?;
            }
        }
        Ok(())
    }

    fn cause(&self, cause: &str) -> String {
        self.paint.with(if is_rule(cause) { "33" } else { "1;31" }, &format!("[{cause}]"))
    }

    fn hint(&mut self, hint: &HintRecord, indent: &str) -> io::Result<()> {
        let room = self.columns.saturating_sub(indent.len() + 2);
        for (i, line) in wrap(&format!("{}; {}", hint.why, hint.remedy), room).iter().enumerate() {
            let mark = if i == 0 { "! " } else { "  " };
            writeln!(self.out, "{indent}{}", self.paint.with("36", &format!("{mark}{line}")))?;
        }
        Ok(())
    }

    fn layer(&mut self, layer: &LayerDiffRecord) -> io::Result<()> {
        if layer.changes.is_empty() && layer.entries.is_empty() {
            return Ok(());
        }
        let title = match (layer.left, layer.right) {
            (Some(left), Some(right)) if left == right => format!("layer {left}"),
            (Some(left), Some(right)) => format!("layer {left} of A, {right} of B"),
            (Some(left), None) => format!("layer {left} of A"),
            (_, right) => format!("layer {} of B", right.unwrap_or_default()),
        };
        self.heading(&title, layer.step.as_deref().unwrap_or_default())?;
        if layer.relation == "repacked" {
            writeln!(self.out, "  same content, compressed differently")?;
        }
        self.changes(&layer.changes)?;
        self.entries(&layer.entries)
    }

    /// Entries that differ by rules only are counted, the others shown.
    fn entries(&mut self, entries: &[EntryRecord]) -> io::Result<()> {
        let mut by_rule: BTreeMap<&str, Vec<(&str, &ChangeRecord)>> = BTreeMap::new();
        let mut shown = 0_usize;
        let mut hidden = 0_usize;
        for entry in entries {
            let all = self.verbose || entry.changes.iter().any(|change| !is_rule(change.cause));
            if !all {
                for change in &entry.changes {
                    by_rule.entry(change.cause).or_default().push((&entry.path, change));
                }
            } else if self.verbose || shown < ENTRIES {
                shown += 1;
                self.entry(entry)?;
            } else {
                hidden += 1;
            }
        }
        if hidden > 0 {
            writeln!(self.out, "  … {} (-v shows all)", count(hidden, "more entry", "more entries"))?;
        }
        for (cause, found) in by_rule {
            let Some((path, first)) = found.first() else { continue };
            let fields = count(found.len(), "entry", "entries");
            writeln!(self.out, "  {fields}  {}  such as {}", self.cause(cause), cut(path, 40))?;
            self.values(first, "    ")?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &EntryRecord) -> io::Result<()> {
        let own: Vec<&ChangeRecord> =
            entry.changes.iter().filter(|change| self.verbose || !is_rule(change.cause)).collect();
        let (sign, color) = match own.first().map(|change| change.cause) {
            Some("added") => ("+", "32"),
            Some("removed") => ("-", "31"),
            _ => ("~", "33"),
        };
        let mut causes: Vec<&str> = own.iter().map(|change| change.cause).collect();
        causes.dedup();
        let causes: Vec<String> = causes.into_iter().map(|cause| self.cause(cause)).collect();
        writeln!(self.out, "  {} {}  {}", self.paint.with(color, sign), entry.path, causes.join(" "))?;
        for change in own {
            let label = if change.field == "entry" { String::new() } else { format!("{} ", change.field) };
            let most = if self.verbose { usize::MAX } else { VALUE };
            let text = |value: &Option<String>| value.as_deref().map(|value| cut(&brief(value), most));
            let line = match (text(&change.left), text(&change.right)) {
                (Some(left), Some(right)) => format!("{label}{left} → {right}"),
                (Some(left), None) if label.is_empty() => left,
                (None, Some(right)) if label.is_empty() => right,
                (Some(left), None) => format!("{label}{left} → none"),
                (None, Some(right)) => format!("{label}none → {right}"),
                (None, None) => label,
            };
            writeln!(self.out, "      {line}")?;
        }
        if let Some(content) = &entry.content {
            if content.lines.is_empty() {
                let place = match content.first_difference {
                    Some(at) => format!("first differing byte: {at} ({at:#x})"),
                    None => "the first MiB is the same".to_owned(),
                };
                writeln!(self.out, "      {place}")?;
            }
            for line in &content.lines {
                let color = match line.chars().next() {
                    Some('-') => "31",
                    Some('+') => "32",
                    Some('@') => "36",
                    _ => "0",
                };
                writeln!(self.out, "      {}", self.paint.with(color, &cut(line, VALUE)))?;
            }
            if content.more > 0 {
                writeln!(self.out, "      … {}", count(content.more, "more line", "more lines"))?;
            }
        }
        match &entry.hint {
            Some(hint) => self.hint(hint, "      "),
            None => Ok(()),
        }
    }
}

/// The verdict: a word for it, and the rest of the sentence.
pub(super) fn standing(report: &DiffReport) -> (&'static str, &'static str) {
    let removable = report.causes.iter().any(CauseRecord::is_rule);
    let packing = report.causes.iter().all(|cause| ["encoding", "derived"].contains(&cause.cause));
    match report.verdict {
        "identical-bytes" => ("SAME", "byte for byte"),
        "identical-image" if report.causes.is_empty() => ("SAME IMAGE", "digest for digest"),
        "identical-image" => ("SAME IMAGE", "digest for digest; the archives around it differ"),
        "same-file-system" => ("SAME FILES", "the file systems do not differ"),
        "ignored" => ("SAME", "but for what was asked not to count"),
        "equalizable" => ("DIFFERENT", "only in what normalize makes equal"),
        _ if removable => ("DIFFERENT", "also in what normalize keeps as it is"),
        _ if packing => ("DIFFERENT", "in how it was packed, which normalize keeps as it is"),
        _ => ("DIFFERENT", "in content, not in how it was packed"),
    }
}

/// What to do, the most helpful first.
pub(super) fn advice(report: &DiffReport) -> Vec<String> {
    let mut advice: Vec<String> = Vec::new();
    let causes: Vec<&str> = report.causes.iter().map(|cause| cause.cause).collect();
    let real = |cause: &str| cause != "derived" && !is_rule(cause);
    let mut hints: Vec<(&HintRecord, &str)> = Vec::new();
    for (path, changes, hint) in report.subjects() {
        if let Some(hint) = hint.filter(|_| changes.iter().any(|change| real(change.cause)))
            && !hints.iter().any(|(known, _)| known.remedy == hint.remedy)
        {
            hints.push((hint, path));
        }
    }
    for (hint, path) in hints.iter().take(2) {
        advice.push(format!("{path}: {}; {}", hint.why, hint.remedy));
    }
    if let Some(remedy) = &report.remedy {
        advice.push(format!("repro-build normalize {} IN -o OUT, for both", remedy.arguments));
    }
    if report.verdict == "identical-image" && !report.same {
        advice.push("if only the image counts: --level archive, and the exit code is 0".to_owned());
    }
    let mut or = |other: &str| {
        let or = if advice.is_empty() { "" } else { "or " };
        advice.push(format!("{or}{other}"));
    };
    if causes.contains(&"layer.mtime") && report.verdict == "equalizable" {
        or("build with SOURCE_DATE_EPOCH set and rewrite-timestamp=true");
    }
    if !report.same && report.images.iter().any(|image| image.parts_at == Some(Rung::Layer)) {
        or("compress both with the same version of the same tool");
    }
    if advice.is_empty() && report.verdict == "different" {
        advice.extend(
            report
                .subjects()
                .find(|(_, changes, _)| changes.iter().any(|c| real(c.cause)))
                .map(|(path, ..)| format!("start with {path}")),
        );
    }
    advice
}

impl CauseRecord {
    fn is_rule(&self) -> bool {
        is_rule(self.cause)
    }
}

impl DiffReport {
    /// Everything that differs and may have a hint: what it is called, its changes, the hint.
    fn subjects(&self) -> impl Iterator<Item = (&str, &[ChangeRecord], Option<&HintRecord>)> {
        let documents = self.documents.iter().chain(self.images.iter().flat_map(|image| &image.documents));
        let fields = self.archive.iter().chain(documents.flat_map(|document| &document.changes));
        let whole = self.images.iter().flat_map(|image| {
            image.changes.iter().chain(image.layers.iter().flat_map(|layer| &layer.changes))
        });
        let entries = self.images.iter().flat_map(|image| {
            let layers = image.layers.iter().flat_map(|layer| &layer.entries);
            layers.chain(image.merged.iter().flatten())
        });
        let entries =
            entries.map(|entry| (entry.path.as_str(), entry.changes.as_slice(), entry.hint.as_ref()));
        let fields = fields
            .chain(whole)
            .map(|change| (change.field.as_str(), std::slice::from_ref(change), change.hint.as_ref()));
        entries.chain(fields)
    }
}

/// Rules have an area before a dot; other causes have none.
pub(super) fn is_rule(cause: &str) -> bool {
    cause.contains('.')
}

/// `2×content  14×layer.mtime`; what only follows is left to those who ask for more.
fn causes(causes: &[CauseRecord], verbose: bool) -> String {
    let shown = causes.iter().filter(|cause| verbose || cause.cause != "derived");
    let words: Vec<String> = shown.map(|cause| format!("{}×{}", cause.count, cause.cause)).collect();
    words.join("  ")
}

/// Where two images part, and which rungs agree.
fn place(image: &ImageDiffRecord) -> Option<String> {
    let of = |rung: Rung, same: bool| {
        image.rungs.iter().filter(move |r| r.rung == rung && r.same == Some(same)).collect::<Vec<_>>()
    };
    let parts = image.parts_at?;
    let numbers = |rungs: &[&RungRecord]| {
        let numbers = rungs.iter().filter_map(|rung| rung.left_layer.or(rung.right_layer));
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        numbers.join(", ")
    };
    let apart = of(parts, false);
    let total = image.rungs.iter().filter(|rung| rung.rung == parts).count();
    let place = match parts {
        Rung::DiffId => format!("content of layer {} of {total}", numbers(&apart)),
        Rung::Layer => format!("compression of layer {} of {total}", numbers(&apart)),
        rung => rung.name().to_owned(),
    };
    let agree: Vec<&str> = Rung::ALL
        .into_iter()
        .filter(|rung| !of(*rung, true).is_empty() && of(*rung, false).is_empty())
        .map(Rung::name)
        .collect();
    let agree =
        if agree.is_empty() { "no rung agrees".to_owned() } else { format!("same: {}", agree.join(", ")) };
    let platform = image.left.as_ref().and_then(|side| side.platform.as_ref());
    let platform = platform.map(|platform| format!("{platform}: ")).unwrap_or_default();
    Some(format!("{platform}{place}; {agree}"))
}
