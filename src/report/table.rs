//! Tables: columns that line up, and fit the terminal where there is one.

use std::io::{self, Write};

use super::{
    Style,
    text::bytes,
    wire::{Input, Outcome, Report},
};
use crate::grade::Grade;

/// Rows under a heading, every cell printable text.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

struct Column {
    title: &'static str,
    right: bool,
}

impl Table {
    /// A table without rows. A title that begins with `>` stands over a column of numbers.
    pub fn new(titles: &[&'static str]) -> Table {
        let columns = titles.iter().map(|title| match title.strip_prefix('>') {
            Some(title) => Column { title, right: true },
            None => Column { title, right: false },
        });
        Table { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the table: fitted to `width` columns, or in full where that is `None`.
    pub fn write(&self, width: Option<u16>, out: &mut dyn Write) -> io::Result<()> {
        match width {
            #[cfg(feature = "cli")]
            Some(width) => writeln!(out, "{}", self.fitted(width)),
            _ => self.plain(out),
        }
    }

    /// Columns separated by two spaces.
    fn plain(&self, out: &mut dyn Write) -> io::Result<()> {
        let heading: Vec<String> = self.columns.iter().map(|column| column.title.to_owned()).collect();
        let lines = || std::iter::once(&heading).chain(&self.rows);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|i| {
                lines().filter_map(|line| line.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for line in lines() {
            let mut text = String::new();
            for ((cell, width), column) in line.iter().zip(&widths).zip(&self.columns) {
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if column.right { (gap.as_str(), "") } else { ("", gap.as_str()) };
                text.push_str(&format!("{before}{cell}{after}  "));
            }
            writeln!(out, "{}", text.trim_end())?;
        }
        Ok(())
    }

    /// With lines, long cells broken.
    #[cfg(feature = "cli")]
    fn fitted(&self, width: u16) -> comfy_table::Table {
        use comfy_table::{CellAlignment, ContentArrangement, presets};
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        table.set_header(self.columns.iter().map(|column| column.title));
        table.add_rows(&self.rows);
        for (column, of) in table.column_iter_mut().zip(&self.columns) {
            column.set_cell_alignment(if of.right { CellAlignment::Right } else { CellAlignment::Left });
        }
        table
    }
}

/// One line for each input.
pub(super) fn write(report: &Report, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        "",
        "input",
        "layout",
        ">images",
        ">layers",
        ">stored",
        ">errors",
        ">warnings",
        "digest",
    ]);
    for input in &report.inputs {
        table.row(row(input, style));
    }
    table.write(style.width, out)
}

fn row(input: &Input, style: &Style) -> [String; 9] {
    let word = match input.outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Unreadable => "ERROR",
    };
    let layers = || input.images.iter().flat_map(|image| &image.layers);
    // A whole digest would leave a terminal no room for anything else.
    let digest = input.headline().map(|digest| match style.width {
        Some(_) => digest.short(),
        None => digest.to_string(),
    });
    [
        word.to_owned(),
        input.name.clone(),
        input.layout.to_string(),
        input.images.len().to_string(),
        layers().count().to_string(),
        bytes(layers().filter_map(|layer| layer.size).sum()),
        input.count(Grade::Error).to_string(),
        input.count(Grade::Warning).to_string(),
        digest.unwrap_or_else(|| "-".to_owned()),
    ]
}
