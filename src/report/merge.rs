//! Merging: the reports of all shards of a run become the report that one machine would have written.
//!
//! Knows newline-delimited reports. Reads them twice, first to see that they fit together, then record by record in the
//! order of the inputs, so that one record of each and the numbers of all are in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, Seek, SeekFrom},
};

use super::wire::{Header, Input, Line, SCHEMA, Summary};
use crate::{
    error::{Error, Result},
    escape::{escape, escape_text},
    location::Location,
};

/// Reports that fit together.
pub struct Merge<R> {
    header: Header,
    parts: Vec<Part<R>>,
}

/// One report that is being read.
struct Part<R> {
    at: Location,
    reader: R,
    line: usize,
}

impl<R: BufRead + Seek> Merge<R> {
    /// Checks that `reports` are the finished shards of one run, all of them and each once. Their order is of no matter.
    ///
    /// # Errors
    /// A usage error that says which report does not fit and why, or what reading fails with.
    pub fn new(reports: Vec<(Location, R)>) -> Result<Merge<R>> {
        let mut parts: Vec<Part<R>> =
            reports.into_iter().map(|(at, reader)| Part { at, reader, line: 0 }).collect();
        let mut first: Option<Header> = None;
        let mut shards: BTreeMap<u32, Location> = BTreeMap::new();
        let mut positions = BTreeSet::new();
        for part in &mut parts {
            let header = part.header()?;
            match &first {
                Some(first) => fits(first, &header).map_err(|why| part.wrong(why))?,
                None => first = Some(header.clone()),
            }
            let shard = header.shard.map_or(1, |shard| shard.number);
            if let Some(other) = shards.insert(shard, part.at.clone()) {
                return Err(part.wrong(format!("the same shard as {other}")));
            }
            part.check(&header, &mut positions)?;
        }
        let Some(first) = first else { return Err(Error::usage("nothing to merge")) };
        let count = first.shard.map_or(1, |shard| shard.count);
        let missing = (1..=count).filter(|number| !shards.contains_key(number)).take(20);
        let missing: Vec<String> = missing.map(|number| number.to_string()).collect();
        if !missing.is_empty() {
            return Err(Error::usage(format!("missing of {count} shards: {}", missing.join(", "))));
        }
        // Every shard has as many as it promised and none has what another has: gaps cannot be, except by forgery.
        if let Some((gap, _)) = (1..).zip(&positions).find(|(wanted, position)| wanted != *position) {
            return Err(Error::usage(format!("no report has input number {gap}")));
        }
        let header = Header { inputs: positions.len(), shard: None, ..first };
        Ok(Merge { header, parts })
    }

    /// The header of the whole run.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Gives every input to `take`, in the order of the whole run.
    ///
    /// # Errors
    /// What reading fails with, and what `take` does.
    pub fn inputs(&mut self, mut take: impl FnMut(Input) -> Result<()>) -> Result<()> {
        let mut heads: BTreeMap<usize, (usize, Box<Input>)> = BTreeMap::new();
        for i in 0..self.parts.len() {
            self.advance(i, &mut heads)?;
        }
        while let Some((_, (i, input))) = heads.pop_first() {
            take(*input)?;
            self.advance(i, &mut heads)?;
        }
        Ok(())
    }

    /// Puts the next record of a part among the heads.
    fn advance(&mut self, i: usize, heads: &mut BTreeMap<usize, (usize, Box<Input>)>) -> Result<()> {
        let Some(part) = self.parts.get_mut(i) else { return Ok(()) };
        loop {
            match part.next()? {
                Some(Line::Input(input)) => {
                    heads.insert(input.position, (i, input));
                    return Ok(());
                }
                Some(Line::Header(_)) => {}
                Some(Line::Footer(_)) | None => return Ok(()),
            }
        }
    }
}

/// Whether two shards are of one run.
fn fits(first: &Header, other: &Header) -> std::result::Result<(), &'static str> {
    let same = |same: bool, why: &'static str| if same { Ok(()) } else { Err(why) };
    let count = |header: &Header| header.shard.map(|shard| shard.count);
    same(first.version == other.version, "made by another version")?;
    same(first.command == other.command, "made by another command")?;
    same(count(first) == count(other), "shared out among another number of shards")?;
    same(first.list == other.list, "a shard of another list of inputs")?;
    same(first.archive_digests == other.archive_digests, "the other shards differ in --archive-digests")
}

impl<R: BufRead + Seek> Part<R> {
    /// Reads the first line.
    fn header(&mut self) -> Result<Header> {
        let Some(Line::Header(header)) = self.next()? else {
            return Err(self.wrong("no report: the first line is no header (want --format ndjson)"));
        };
        if header.schema != SCHEMA {
            return Err(self.wrong(format!("not of schema {SCHEMA}")));
        }
        Ok(header)
    }

    /// Reads the rest of the report to its end, and goes back to the beginning.
    fn check(&mut self, header: &Header, positions: &mut BTreeSet<usize>) -> Result<()> {
        let (mut summary, mut last) = (Summary::default(), 0);
        let footer = loop {
            match self.next()? {
                Some(Line::Input(input)) => {
                    if input.position <= last {
                        return Err(self.wrong("records are out of order"));
                    }
                    last = input.position;
                    if !positions.insert(last) {
                        return Err(self.wrong(format!("has input number {last}, as another report has")));
                    }
                    summary.add(&input);
                }
                Some(Line::Footer(footer)) => break footer,
                Some(Line::Header(_)) => return Err(self.wrong("a second header")),
                None => return Err(self.wrong("unfinished: the last line is no footer")),
            }
        };
        if self.next()?.is_some() {
            return Err(self.wrong("goes on after the footer"));
        }
        if summary.inputs != header.inputs {
            let message = format!("unfinished: {} of {} inputs", summary.inputs, header.inputs);
            return Err(self.wrong(message));
        }
        if footer != summary {
            return Err(self.wrong("its footer does not count its records"));
        }
        self.reader.seek(SeekFrom::Start(0)).map_err(|e| self.cannot_read(e))?;
        self.line = 0;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Line>> {
        let mut text = String::new();
        let read = self.reader.read_line(&mut text).map_err(|e| self.cannot_read(e))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if !is_ours(text.trim_end()) {
            return Err(self.wrong(format!("line {} is not as this program writes it", self.line)));
        }
        serde_json::from_str(&text).map(Some).map_err(|e| {
            let what = match self.line {
                1 => "no report (want what verify --format ndjson wrote)",
                _ if text.ends_with('\n') => "no record",
                _ => "unfinished: cut off",
            };
            self.wrong(format!("{what} in line {}: {}", self.line, escape(e.to_string().as_bytes())))
        })
    }

    fn wrong(&self, message: impl Into<String>) -> Error {
        Error::usage(message).at(self.at.clone())
    }

    fn cannot_read(&self, error: std::io::Error) -> Error {
        Error::io(self.at.clone(), "cannot read", error)
    }
}

/// Whether no string in a line of JSON holds a character that [`escape`] would not let through, be it as it is or in
/// one of JSON's own escapes: reports show these strings to people.
fn is_ours(line: &str) -> bool {
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && !matches!(chars.next(), Some('\\' | '"')) {
            return false;
        }
    }
    escape_text(line.as_bytes()) == line
}
