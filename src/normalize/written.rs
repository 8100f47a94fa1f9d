//! Whether a layer stands as it would be written here: then to write it anew changes nothing.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
};

use super::layer::{Obstacle, Packed, Treatment, Written};
use crate::{
    codec::{self, Crew, Recipe},
    limits::Limits,
    rules::{Active, Context, Level},
    tar,
};

/// Writes a layer anew, with no rule at work, as far as that gives its own bytes again: its tar stream and its
/// compression both have more than one form.
pub(crate) fn is_as_written(blob: &[u8]) -> bool {
    rest(blob).is_ok_and(|rest| rest.is_empty())
}

/// What of a blob is left when its layer was written.
fn rest(blob: &[u8]) -> Result<&[u8], Obstacle> {
    let recipe = Recipe::new(codec::sniff(blob), None).map_err(io::Error::other)?;
    let crew = Crew::new(NonZeroUsize::MIN, 1)?;
    let packed = Packed {
        bytes: blob,
        algorithms: Vec::new(),
        diff_algorithms: Vec::new(),
        crew: &crew,
        advance: &|_, _| true,
    };
    let limits = Limits::default();
    let treatment = Treatment::new(&Active::new(Level::Archive), None, Context { epoch: 0 }, &limits);
    let Written { mut out, .. } = treatment.rewrite(&packed, recipe.encoder(&crew, Same(blob))?)?;
    out.write_all(&tar::END)?;
    let Same(rest) = out.finish()?;
    Ok(rest)
}

/// Takes what it begins with, and nothing else.
struct Same<'b>(&'b [u8]);

impl Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or_else(|| io::Error::other("other bytes"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
