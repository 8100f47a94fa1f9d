//! Text for people: one block for each input, findings below it, a summary at the end.

use std::io::{self, Write};

use super::{
    Style, Table,
    form::Stream,
    wire::{Finding, Header, ImageRecord, Input, LayerRecord, Outcome, Summary},
    words::{Paint, bytes, count},
};
use crate::{digest::Digest, grade::Grade};

pub(super) const STREAM: Stream = Stream { begin: |_, _| Ok(()), input, end };

fn input(header: &Header, input: &Input, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint(style.color);
    match header.command.as_ref() {
        "analyze" => analysis(input, style, paint, out),
        _ => verdict(input, style, paint, out),
    }
}

fn end(_: &Header, summary: &Summary, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Summary { inputs, passed, failed, unreadable } = *summary;
    if inputs < 2 || style.verbosity < 0 {
        return Ok(());
    }
    writeln!(out, "\n{inputs} inputs: {passed} passed, {failed} failed, {unreadable} unreadable")
}

/// `PASS name`, then why not or what is odd. Who wants less wants only what is wrong.
fn verdict(input: &Input, style: &Style, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    if style.verbosity < 0 && input.outcome == Outcome::Pass {
        return Ok(());
    }
    let word = match input.outcome {
        Outcome::Pass => paint.with("32", "PASS"),
        Outcome::Fail => paint.with("1;31", "FAIL"),
        Outcome::Unreadable => paint.with("1;31", "ERROR"),
    };
    let digest = input.headline().filter(|_| input.outcome == Outcome::Pass);
    let digest = digest.map(|digest| format!("  {digest}"));
    writeln!(out, "{word} {}{}", input.name, digest.unwrap_or_default())?;
    if let Some(error) = &input.error {
        writeln!(out, "     {error}")?;
    }
    held_to(input, "     ", out)?;
    findings(&input.findings, style, paint, "     ", out)
}

/// Which policy an image fails under: what is wrong with it may be wrong there alone.
fn held_to(input: &Input, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    match &input.policy {
        Some(policy) if input.outcome == Outcome::Fail => writeln!(out, "{indent}policy {policy}"),
        _ => Ok(()),
    }
}

/// Findings, worst first; notes only when asked for more.
fn findings(
    all: &[Finding],
    style: &Style,
    paint: Paint,
    indent: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    for finding in all.iter().filter(|finding| style.shows(finding.grade)) {
        let tag = paint.grade(finding.grade, &format!("{}[{}]", finding.grade.name(), finding.check));
        writeln!(out, "{indent}{tag} {}", finding.title)?;
        if !finding.detail.is_empty() {
            writeln!(out, "{indent}    {}", finding.detail)?;
        }
        writeln!(out, "{indent}    at {}", finding.at)?;
    }
    Ok(())
}

/// Ladder, layers, totals and findings of one input; of these only what is wrong for who wants less.
fn analysis(input: &Input, style: &Style, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    if let Some(error) = &input.error {
        return writeln!(out, "{}: {error}", input.name);
    }
    if style.verbosity >= 0 {
        archive(input, style, paint, out)?;
        writeln!(out)?;
    } else if input.outcome == Outcome::Pass {
        return Ok(());
    }
    let counted = |grade: Grade| count(input.count(grade), grade.name(), &format!("{}s", grade.name()));
    let [errors, warnings, notes] = [Grade::Error, Grade::Warning, Grade::Note].map(counted);
    let skipped = input.checks.iter().filter(|check| check.status == "skipped").count();
    let checks = count(input.checks.len() - skipped, "check", "checks");
    let word =
        if input.outcome == Outcome::Pass { paint.with("32", "PASS") } else { paint.with("1;31", "FAIL") };
    writeln!(out, "{word}  {checks}: {errors}, {warnings}, {notes}; {skipped} skipped")?;
    held_to(input, "  ", out)?;
    // Who looks at one image wants to know more of it.
    let more = i8::from(style.verbosity >= 0);
    let style = Style { verbosity: style.verbosity.saturating_add(more), ..*style };
    findings(&input.findings, &style, paint, "  ", out)
}

/// The archive and its images.
fn archive(input: &Input, style: &Style, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let outer = if input.outer == "plain" { String::new() } else { format!(", {} as a whole", input.outer) };
    writeln!(out, "{}  {}{outer}", paint.with("1", "Archive"), input.layout)?;
    rung(out, "archive", input.archive_digest)?;
    rung(out, "image", input.image_digest)?;
    for (i, image) in input.images.iter().enumerate() {
        writeln!(out)?;
        self::image(i + 1, image, style, paint, out)?;
    }
    Ok(())
}

fn rung(out: &mut dyn Write, name: &str, digest: Option<Digest>) -> io::Result<()> {
    match digest {
        Some(digest) => writeln!(out, "  {name:<9} {digest}"),
        None => Ok(()),
    }
}

fn image(
    number: usize,
    image: &ImageRecord,
    style: &Style,
    paint: Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut title = vec![format!(
        "{} {number}",
        match image.kind.as_ref() {
            "attestation" => "Attestation",
            "artifact" => "Artifact",
            _ => "Image",
        }
    )];
    title.extend(image.platform.clone());
    title.extend(image.names.iter().cloned());
    title.extend((!image.complete).then(|| "not complete".to_owned()));
    writeln!(out, "{}", paint.with("1", &title.join("  ")))?;
    rung(out, "index", image.ladder.index)?;
    rung(out, "manifest", image.ladder.manifest)?;
    rung(out, "config", image.ladder.config)?;
    rung(out, "chain ID", image.ladder.chain_id.map(|id| id.0))?;
    if image.layers.is_empty() {
        return writeln!(out, "  no layers");
    }
    layers(&image.layers, style, out)?;
    let packed: u64 = image.layers.iter().filter_map(|layer| layer.size).sum();
    let unpacked: u64 = image.layers.iter().filter_map(|layer| layer.unpacked).sum();
    let entries: u64 =
        image.layers.iter().filter_map(|layer| layer.counts).map(|counts| counts.entries).sum();
    let entry = if entries == 1 { "entry" } else { "entries" };
    writeln!(
        out,
        "  {}, {} stored, {} unpacked, {entries} {entry}",
        count(image.layers.len(), "layer", "layers"),
        bytes(packed),
        bytes(unpacked)
    )
}

fn layers(layers: &[LayerRecord], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(2, &[">#", "digest", "diff_id", "packed", ">stored", ">unpacked", ">entries"]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for (i, layer) in layers.iter().enumerate() {
        table.row([
            (i + 1).to_string(),
            mark(layer.digest.map(|digest| digest.short()), layer.digest_ok),
            mark(layer.diff_id.map(|id| id.0.short()), layer.diff_id_ok),
            packed(layer),
            or_dash(layer.size.map(bytes)),
            or_dash(layer.unpacked.map(bytes)),
            or_dash(layer.counts.map(|counts| counts.entries.to_string())),
        ]);
    }
    table.write(style.width, out)
}

/// The compression, and who made it: `gzip/go`. Short, so that the table fits 80 columns.
fn packed(layer: &LayerRecord) -> String {
    let encoder = layer.encoder.as_deref().map(|name| name.strip_suffix("-build").unwrap_or(name));
    [Some(layer.packing()), encoder].into_iter().flatten().collect::<Vec<_>>().join("/")
}

fn mark(digest: Option<String>, ok: Option<bool>) -> String {
    let sign = match ok {
        Some(true) => " ✓",
        Some(false) => " ✗",
        None => "",
    };
    format!("{}{sign}", digest.unwrap_or_else(|| "-".into()))
}
