//! JUnit's XML: a suite for each input, a case for each check. Of what its readers have made up since, only what
//! Jenkins' schema has.

use std::io::{self, Write};

use super::{
    Style,
    wire::{CheckRecord, Finding, Input, Report},
};
use crate::grade::Grade;

pub(super) fn write(report: &Report, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    let suites: Vec<Suite<'_>> = report.inputs.iter().map(Suite::of).collect();
    let sum = |count: fn(&Suite<'_>) -> usize| suites.iter().map(count).sum::<usize>();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuites name="repro-build {}" tests="{}" failures="{}" errors="{}">"#,
        quote(&report.command),
        sum(|suite| suite.tests),
        sum(|suite| suite.failures),
        sum(|suite| suite.errors)
    )?;
    suites.iter().try_for_each(|suite| suite.write(out))?;
    writeln!(out, "</testsuites>")
}

struct Suite<'i> {
    input: &'i Input,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl<'i> Suite<'i> {
    fn of(input: &'i Input) -> Suite<'i> {
        let checks = |status: &str| input.checks.iter().filter(|check| check.status == status).count();
        let errors = usize::from(input.error.is_some());
        Suite {
            input,
            tests: input.checks.len() + errors,
            failures: checks(Grade::Error.name()),
            errors,
            skipped: checks("skipped"),
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = quote(&self.input.name);
        writeln!(
            out,
            r#"  <testsuite name="{name}" tests="{}" failures="{}" errors="{}" skipped="{}">"#,
            self.tests, self.failures, self.errors, self.skipped
        )?;
        if let Some(error) = &self.input.error {
            writeln!(out, r#"    <testcase name="readable" classname="{name}">"#)?;
            writeln!(out, r#"      <error message="{}"/>"#, quote(error))?;
            writeln!(out, "    </testcase>")?;
        }
        self.input.checks.iter().try_for_each(|check| self.case(check, &name, out))?;
        writeln!(out, "  </testsuite>")
    }

    fn case(&self, check: &CheckRecord, suite: &str, out: &mut dyn Write) -> io::Result<()> {
        let (id, found) = (quote(&check.id), &self.input.findings);
        let found: Vec<&Finding> = found.iter().filter(|finding| finding.check == check.id).collect();
        write!(out, r#"    <testcase name="{id}" classname="{suite}""#)?;
        if let Some(reason) = &check.reason {
            return writeln!(out, r#"><skipped>{}</skipped></testcase>"#, quote(reason));
        }
        let Some(first) = found.first() else { return writeln!(out, "/>") };
        let lines: Vec<String> =
            found.iter().map(|finding| quote(&format!("{} (at {})", finding.detail, finding.at))).collect();
        writeln!(out, ">")?;
        if check.status == Grade::Error.name() {
            writeln!(out, r#"      <failure message="{}" type="{id}">"#, quote(&first.title))?;
            writeln!(out, "{}</failure>", lines.join("\n"))?;
        } else {
            let status = quote(&check.status);
            writeln!(
                out,
                "      <system-out>{status}: {}\n{}</system-out>",
                quote(&first.title),
                lines.join("\n")
            )?;
        }
        writeln!(out, "    </testcase>")
    }
}

/// Text inside XML, in elements and attributes. Characters that XML 1.0 forbids were escaped before.
fn quote(text: &str) -> String {
    super::html::quote(text).into_owned()
}
