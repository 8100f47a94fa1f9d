//! Tables: columns that line up, and fit the terminal where there is one.

use std::io::{self, Write};

use super::{
    Style,
    wire::{Input, Outcome, Report},
    words::bytes,
};
use crate::grade::Grade;

/// Rows under a heading, every cell printable text.
pub struct Table {
    columns: Vec<Column>,
    indent: u16,
    rows: Vec<Vec<String>>,
}

struct Column {
    title: &'static str,
    right: bool,
    #[cfg(feature = "cli")]
    wraps: bool,
}

impl Table {
    /// A table without rows, `indent` columns from the left. A title that begins with `>` stands over a column of
    /// numbers, one that begins with `~` over one whose cells may be broken to fit.
    pub fn new(indent: u16, titles: &[&'static str]) -> Table {
        let columns = titles.iter().map(|title| Column {
            title: title.trim_start_matches(['>', '~']),
            right: title.starts_with('>'),
            #[cfg(feature = "cli")]
            wraps: title.starts_with('~'),
        });
        Table { columns: columns.collect(), indent, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the table: fitted to `width` columns, or in full where that is `None`.
    pub fn write(&self, width: Option<u16>, out: &mut dyn Write) -> io::Result<()> {
        let text = match width {
            #[cfg(feature = "cli")]
            Some(width) => self.fitted(width),
            _ => self.plain(),
        };
        let indent = " ".repeat(usize::from(self.indent));
        text.lines().try_for_each(|line| writeln!(out, "{indent}{}", line.trim_end()))
    }

    /// Columns separated by two spaces.
    fn plain(&self) -> String {
        let heading: Vec<String> = self.columns.iter().map(|column| column.title.to_owned()).collect();
        let lines = || std::iter::once(&heading).chain(&self.rows);
        let width = |i: usize| lines().filter_map(|line| line.get(i)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.columns.len()).map(|i| width(i).unwrap_or(0)).collect();
        let mut text = String::new();
        for line in lines() {
            for ((cell, width), column) in line.iter().zip(&widths).zip(&self.columns) {
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if column.right { (gap.as_str(), "") } else { ("", gap.as_str()) };
                text.push_str(&format!("{before}{cell}{after}  "));
            }
            text.push('\n');
        }
        text
    }

    /// The same, with the cells of the one column that may be broken broken.
    #[cfg(feature = "cli")]
    fn fitted(&self, width: u16) -> String {
        use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, presets};
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width.saturating_sub(self.indent));
        table.set_header(self.columns.iter().map(|column| column.title));
        table.add_rows(&self.rows);
        for (column, of) in table.column_iter_mut().zip(&self.columns) {
            column.set_cell_alignment(if of.right { CellAlignment::Right } else { CellAlignment::Left });
            column.set_padding((0, 2));
            if !of.wraps {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        table.trim_fmt()
    }
}

/// One line for each input.
pub(super) fn write(report: &Report, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(0, &["", "~input", ">stored", ">errors", ">warnings", "digest"]);
    for input in &report.inputs {
        table.row(row(input, style));
    }
    table.write(style.width, out)
}

fn row(input: &Input, style: &Style) -> [String; 6] {
    let word = match input.outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Unreadable => "ERROR",
    };
    // A whole digest would leave a terminal no room for anything else.
    let digest = input.headline().map(|digest| match style.width {
        Some(_) => digest.short(),
        None => digest.to_string(),
    });
    [
        word.to_owned(),
        input.name.clone(),
        bytes(input.stored()),
        input.count(Grade::Error).to_string(),
        input.count(Grade::Warning).to_string(),
        digest.unwrap_or_else(|| "-".to_owned()),
    ]
}

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests {
    use super::*;

    fn written(width: Option<u16>) -> String {
        let mut table = Table::new(2, &["", "~input", ">stored"]);
        table.row([
            "PASS".into(),
            "a/long/name/that/nobody/would/type/by/hand.tar".into(),
            "1.00 KiB".into(),
        ]);
        table.row(["ERROR".into(), "b".into(), "0 B".into()]);
        let mut out = Vec::new();
        table.write(width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Every letter, however the lines are broken.
    fn letters(text: &str) -> Vec<char> {
        let mut letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        letters.sort_unstable();
        letters
    }

    #[test]
    fn plain_tables_are_cut_nowhere() {
        let text = written(None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1], "  PASS   a/long/name/that/nobody/would/type/by/hand.tar  1.00 KiB");
        assert!(lines[2].ends_with("     0 B"), "{text}");
    }

    #[test]
    fn fitted_tables_fit_and_lose_nothing() {
        for width in [40, 60, 200] {
            let text = written(Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{width}:\n{text}");
            assert_eq!(letters(&text), letters(&written(None)), "{width}:\n{text}");
        }
    }
}
