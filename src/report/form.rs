//! What a format is made of: how it is written, and how it is to look. Must not know formats.

use std::io::{self, Write};

use super::wire::{Header, Input, Report, Summary};
use crate::grade::Grade;

/// How a report is to look, where a format leaves a choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Colours may be used.
    pub color: bool,
    /// Columns of the terminal; `None` where there is none, and nothing is cut or wrapped.
    pub width: Option<u16>,
    /// 0 is normal, more says more, less says less.
    pub verbosity: i8,
}

impl Style {
    /// Whether findings of that grade are to be shown.
    pub fn shows(&self, grade: Grade) -> bool {
        grade
            >= match self.verbosity {
                ..0 => Grade::Error,
                0 => Grade::Warning,
                _ => Grade::Note,
            }
    }
}

/// How a format is written.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// All at once, when everything is known.
    Whole(fn(&Report, &Style, &mut dyn Write) -> io::Result<()>),
    /// Piece by piece, each input as soon as it and all before it are done.
    Stream(Stream),
}

/// The pieces of a format that is written as the inputs are done.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Before the first input.
    pub begin: fn(&Header, &mut dyn Write) -> io::Result<()>,
    /// One input.
    pub input: fn(&Header, &Input, &Style, &mut dyn Write) -> io::Result<()>,
    /// After the last input.
    pub end: fn(&Header, &Summary, &Style, &mut dyn Write) -> io::Result<()>,
}
