//! The page of `analyze` and `verify`: verdict, findings, ladder, layers, checks.

use std::io::{self, Write};

use super::{page, quote};
use crate::{
    digest::Digest,
    grade::Grade,
    report::{
        Style,
        wire::{Finding, ImageRecord, Input, LayerRecord, Outcome, Report, Summary},
        words::bytes,
    },
};

/// Inputs beyond this many begin folded.
const UNFOLDED: usize = 3;
/// Hues that layers take in turn.
const HUES: usize = 8;

pub(in crate::report) fn write(report: &Report, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    let title = match report.inputs.as_slice() {
        [one] => format!("{} {}", report.command, one.name),
        many => format!("{} {} inputs", report.command, many.len()),
    };
    page(&title, out, |out| {
        hero(report, out)?;
        writeln!(out, "<main>")?;
        if report.inputs.len() > 1 {
            overview(&report.inputs, out)?;
        }
        for input in &report.inputs {
            section(input, report.inputs.len(), out)?;
        }
        writeln!(out, "</main>")
    })
}

/// The verdict over everything.
fn hero(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Summary { inputs, passed, failed, unreadable } = report.summary;
    let (class, verdict, line) = match report.inputs.as_slice() {
        [one] => (class(one.outcome), verdict(one.outcome), counts(one)),
        _ if passed == inputs => ("pass", "All verified", format!("{inputs} inputs")),
        _ => {
            let line = format!("{inputs} inputs: {passed} passed, {failed} failed, {unreadable} unreadable");
            ("fail", "Not all verified", line)
        }
    };
    writeln!(
        out,
        "<header class=\"hero {class}\">\n<p class=\"command\">repro-build {}</p>",
        quote(&report.command)
    )?;
    writeln!(out, "<h1>{verdict}</h1>")?;
    if let [one] = report.inputs.as_slice() {
        writeln!(out, "<p class=\"name\">{}</p>", quote(&one.name))?;
    }
    writeln!(out, "<p>{}</p>\n</header>", quote(&line))
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Unreadable => "unreadable",
    }
}

fn verdict(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "Verified",
        Outcome::Fail => "Not verified",
        Outcome::Unreadable => "Not readable",
    }
}

fn counts(input: &Input) -> String {
    if let Some(error) = &input.error {
        return error.clone();
    }
    let count = |grade: Grade, word: &str| {
        let n = input.count(grade);
        format!("{n} {word}{}", if n == 1 { "" } else { "s" })
    };
    let skipped = input.checks.iter().filter(|check| check.status == "skipped").count();
    format!(
        "{} of {} checks ran: {}, {}, {}",
        input.checks.len() - skipped,
        input.checks.len(),
        count(Grade::Error, "error"),
        count(Grade::Warning, "warning"),
        count(Grade::Note, "note")
    )
}

/// A table of all inputs, each leading to its section.
fn overview(inputs: &[Input], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<section class=\"card\"><h2>Inputs</h2>\n<div class=\"scroll\"><table data-filter=\"inputs\">"
    )?;
    writeln!(out, "<thead><tr><th>Verdict</th><th>Input</th><th>Digest</th><th class=\"n\">Stored</th>")?;
    writeln!(out, "<th class=\"n\">Errors</th><th class=\"n\">Warnings</th></tr></thead>\n<tbody>")?;
    for input in inputs {
        let digest = input.headline().map_or("–".to_owned(), |digest| short(&digest));
        writeln!(
            out,
            "<tr><td><span class=\"tag {}\">{}</span></td><td><a href=\"#input-{}\">{}</a></td><td>{digest}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            class(input.outcome),
            verdict(input.outcome),
            input.position,
            quote(&input.name),
            bytes(input.stored()),
            input.count(Grade::Error),
            input.count(Grade::Warning)
        )?;
    }
    writeln!(out, "</tbody></table></div></section>")
}

/// Everything about one input.
fn section(input: &Input, of: usize, out: &mut dyn Write) -> io::Result<()> {
    if of > 1 {
        let open = if of <= UNFOLDED { " open" } else { "" };
        writeln!(out, "<details class=\"input\" id=\"input-{}\"{open}><summary>", input.position)?;
        write!(out, "<span class=\"tag {}\">{}</span> ", class(input.outcome), verdict(input.outcome))?;
        writeln!(out, "<span class=\"name\">{}</span></summary>", quote(&input.name))?;
        writeln!(out, "<p class=\"counts\">{}</p>", quote(&counts(input)))?;
    }
    if !input.findings.is_empty() {
        findings(&input.findings, out)?;
    }
    if input.error.is_none() {
        archive(input, out)?;
        for (i, image) in input.images.iter().enumerate() {
            self::image(i + 1, image, out)?;
        }
        checks(input, out)?;
    }
    if of > 1 {
        writeln!(out, "</details>")?;
    }
    Ok(())
}

fn findings(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<section class=\"card\"><h2>Findings</h2>\n<ul class=\"findings\" data-filter=\"findings\">"
    )?;
    for Finding { check, grade, title, at, detail } in findings {
        let grade = grade.name();
        writeln!(
            out,
            "<li class=\"{grade}\"><p><span class=\"tag {grade}\">{grade}</span> <b>{}</b></p>",
            quote(title)
        )?;
        if !detail.is_empty() {
            writeln!(out, "<p class=\"detail\">{}</p>", quote(detail))?;
        }
        writeln!(out, "<p class=\"at\">{}</p><p class=\"id\">{}</p></li>", quote(at), quote(check))?;
    }
    writeln!(out, "</ul></section>")
}

fn archive(input: &Input, out: &mut dyn Write) -> io::Result<()> {
    let outer = if input.outer == "plain" { String::new() } else { format!(", {} as a whole", input.outer) };
    writeln!(
        out,
        "<section class=\"card\"><h2>Archive <small>{}{}</small></h2>",
        quote(&input.layout),
        quote(&outer)
    )?;
    writeln!(out, "<dl class=\"ladder\">")?;
    rung("Image digest", input.image_digest, out)?;
    rung("Archive", input.archive_digest, out)?;
    if let Some(policy) = &input.policy {
        writeln!(out, "<dt>Policy</dt><dd>{}</dd>", quote(policy))?;
    }
    writeln!(out, "</dl></section>")
}

fn rung(name: &str, digest: Option<Digest>, out: &mut dyn Write) -> io::Result<()> {
    let Some(digest) = digest else { return Ok(()) };
    let (algorithm, hex) = (digest.algorithm().name(), digest.hex());
    writeln!(out, "<dt>{name}</dt><dd class=\"digest\" data-copy><i>{algorithm}:</i>{hex}</dd>")
}

fn image(number: usize, image: &ImageRecord, out: &mut dyn Write) -> io::Result<()> {
    let kind = match image.kind.as_ref() {
        "attestation" => "Attestation",
        "artifact" => "Artifact",
        _ => "Image",
    };
    let mut about: Vec<&str> = image.platform.iter().map(String::as_str).collect();
    about.extend((!image.complete).then_some("not complete"));
    writeln!(
        out,
        "<section class=\"card\"><h2>{kind} {number} <small>{}</small></h2>",
        quote(&about.join(", "))
    )?;
    for name in &image.names {
        writeln!(out, "<p class=\"ref\">{}</p>", quote(name))?;
    }
    writeln!(out, "<dl class=\"ladder\">")?;
    rung("Index", image.ladder.index, out)?;
    rung("Manifest", image.ladder.manifest, out)?;
    rung("Config", image.ladder.config, out)?;
    rung("Chain ID", image.ladder.chain_id.map(|id| id.0), out)?;
    writeln!(out, "</dl>")?;
    if image.layers.is_empty() {
        return writeln!(out, "<p>No layers.</p></section>");
    }
    let size = |of: fn(&LayerRecord) -> Option<u64>| bytes(image.layers.iter().filter_map(of).sum());
    let (count, stored, unpacked) = (image.layers.len(), size(|l| l.size), size(|l| l.unpacked));
    let plural = if count == 1 { "" } else { "s" };
    writeln!(out, "<h3>{count} layer{plural} <small>{stored} stored, {unpacked} unpacked</small></h3>")?;
    bar(&image.layers, out)?;
    layers(&image.layers, out)?;
    writeln!(out, "</section>")
}

/// The layers side by side, as wide as they are large.
fn bar(layers: &[LayerRecord], out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "<div class=\"bar\" role=\"img\" aria-label=\"Sizes of the layers; the table below has them in numbers\">"
    )?;
    for (i, layer) in layers.iter().enumerate() {
        let size = layer.size.unwrap_or(0);
        write!(
            out,
            "<span class=\"h{}\" style=\"flex-grow:{size}\" title=\"Layer {}: {}\"></span>",
            i % HUES,
            i + 1,
            bytes(size)
        )?;
    }
    writeln!(out, "</div>")
}

fn layers(layers: &[LayerRecord], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<div class=\"scroll\"><table data-filter=\"layers\"><thead><tr><th class=\"n\">#</th><th>Digest</th><th>diff_id</th>"
    )?;
    writeln!(
        out,
        "<th>Packed</th><th>By</th><th class=\"n\">Stored</th><th class=\"n\">Unpacked</th><th class=\"n\">Entries</th></tr></thead>\n<tbody>"
    )?;
    for (i, layer) in layers.iter().enumerate() {
        let size = |size: Option<u64>| size.map_or("–".to_owned(), bytes);
        writeln!(
            out,
            "<tr><td class=\"n\"><span class=\"swatch h{}\"></span>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            i % HUES,
            i + 1,
            mark(layer.digest, layer.digest_ok),
            mark(layer.diff_id.map(|id| id.0), layer.diff_id_ok),
            quote(layer.packing()),
            quote(layer.encoder.as_deref().unwrap_or("–")),
            size(layer.size),
            size(layer.unpacked),
            layer.counts.map_or("–".to_owned(), |counts| counts.entries.to_string())
        )?;
    }
    writeln!(out, "</tbody></table></div>")
}

/// A digest, cut, with what comparing it gave.
fn mark(digest: Option<Digest>, ok: Option<bool>) -> String {
    let sign = match ok {
        Some(true) => " <span class=\"good\" title=\"matches\">✓</span>",
        Some(false) => " <span class=\"bad\" title=\"does not match\">✗</span>",
        None => "",
    };
    digest.map_or("–".to_owned(), |digest| short(&digest) + sign)
}

fn short(digest: &Digest) -> String {
    format!("<code title=\"{digest}\" data-copy>{}</code>", digest.short())
}

fn checks(input: &Input, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<details class=\"card\"><summary><h2>Checks <small>{}</small></h2></summary>",
        input.checks.len()
    )?;
    writeln!(
        out,
        "<div class=\"scroll\"><table data-filter=\"checks\"><thead><tr><th>Check</th><th>Result</th><th></th></tr></thead>\n<tbody>"
    )?;
    for check in &input.checks {
        let status = quote(&check.status);
        writeln!(
            out,
            "<tr><td><code>{}</code></td><td><span class=\"tag {status}\">{status}</span></td><td>{}</td></tr>",
            quote(&check.id),
            quote(check.reason.as_deref().unwrap_or_default())
        )?;
    }
    writeln!(out, "</tbody></table></div></details>")
}
