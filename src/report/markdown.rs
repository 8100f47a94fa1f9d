//! A summary in GitHub's Markdown, for the page of a workflow run.

use std::io::{self, Write};

use super::{
    Style,
    wire::{Input, Outcome, Report},
    words::bytes,
};

/// Most bytes of the page: GitHub takes 1 MiB for a step and drops a larger summary as a whole.
const PAGE: usize = 1_000_000;

pub(super) fn write(report: &Report, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let summary = &report.summary;
    let verdict = if summary.passed == summary.inputs {
        "✅ All images verified"
    } else {
        "❌ Not all images verified"
    };
    writeln!(out, "### {verdict}\n")?;
    writeln!(
        out,
        "{} inputs: {} passed, {} failed, {} unreadable\n",
        summary.inputs, summary.passed, summary.failed, summary.unreadable
    )?;
    writeln!(out, "| | Input | Digest | Stored |\n|---|---|---|--:|")?;
    // What went wrong comes first, so that a page that is cut still says it.
    let (good, bad): (Vec<&Input>, Vec<&Input>) =
        report.inputs.iter().partition(|input| input.outcome == Outcome::Pass);
    let mut room = PAGE;
    let mut left_out = 0_usize;
    for row in bad.iter().chain(&good).map(|input| row(input)) {
        match room.checked_sub(row.len()) {
            Some(rest) => {
                room = rest;
                writeln!(out, "{row}")?;
            }
            None => left_out += 1,
        }
    }
    let mut details = String::new();
    for input in bad.iter().chain(&good) {
        let section = findings(input, style);
        match room.checked_sub(section.len()) {
            Some(rest) => {
                room = rest;
                details.push_str(&section);
            }
            None => left_out += 1,
        }
    }
    writeln!(out, "{details}")?;
    if left_out > 0 {
        writeln!(out, "{left_out} rows and sections left out: the page would be too large.")?;
    }
    Ok(())
}

fn row(input: &Input) -> String {
    let sign = if input.outcome == Outcome::Pass { "✅" } else { "❌" };
    let digest = input.headline().map_or("-".to_owned(), |digest| format!("`{digest}`"));
    format!("| {sign} | {} | {digest} | {} |", quote(&input.name), bytes(input.stored()))
}

fn findings(input: &Input, style: &Style) -> String {
    let mut section = String::new();
    let shown: Vec<_> = input.findings.iter().filter(|finding| style.shows(finding.grade)).collect();
    if shown.is_empty() && input.error.is_none() {
        return section;
    }
    section.push_str(&format!("\n#### {}\n\n", quote(&input.name)));
    if let Some(error) = &input.error {
        section.push_str(&format!("- **error** {}\n", quote(error)));
    }
    for finding in shown {
        let (grade, check) = (finding.grade.name(), quote(&finding.check));
        section.push_str(&format!("- **{grade}** {check}: {}", quote(&finding.title)));
        if !finding.detail.is_empty() {
            section.push_str(&format!(": {}", quote(&finding.detail)));
        }
        section.push_str(&format!("<br>at {}\n", quote(&finding.at)));
    }
    section
}

/// Text that Markdown and HTML show as it is: whatever means something to either becomes a character reference.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '/' | '-' | ';' | '?' | '%') {
            out.push_str(&format!("&#{};", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    // `@name` and `www.` are references here and links there without any punctuation that could be quoted.
    out.replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn nothing_means_anything() {
        assert_eq!(quote("a|b<img>"), "a&#124;b&#60;img&#62;");
        assert_eq!(quote("[x](y) `z` #1 @me"), "&#91;x&#93;&#40;y&#41; &#96;z&#96; &#35;1 &#64;me");
    }
}
