//! Archives that are compressed as a whole, standard input, and files that are not to be mapped: read or decoded into
//! memory up to a limit, then into an unlinked temporary file that is mapped like any other.

use std::io::{self, Read, Write};

use super::map::Mapping;
use crate::{
    codec::{self, Compression, DecodeErrorKind},
    error::{Error, ErrorKind, Result},
    limits::Limits,
    location::Location,
};

/// Decoded bytes, wherever they ended up.
#[derive(Debug)]
pub(crate) enum Decoded {
    Memory(Vec<u8>),
    Mapped(Mapping),
}

impl Decoded {
    /// Gives the pages of a range that was read back to the system.
    pub(crate) fn release(&self, range: std::ops::Range<usize>) {
        if let Decoded::Mapped(map) = self {
            map.release(range.start, range.len());
        }
    }
}

impl std::ops::Deref for Decoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Decoded::Memory(bytes) => bytes,
            Decoded::Mapped(map) => map,
        }
    }
}

const CHUNK: usize = 256 << 10;

/// Takes bytes until there are too many for memory, then moves on to a temporary file.
pub(crate) struct Spool {
    memory: Vec<u8>,
    file: Option<std::fs::File>,
    limit: usize,
    written: u64,
}

impl Spool {
    /// At most `limit` bytes stay in memory.
    pub(crate) fn new(limit: u64) -> Spool {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Spool { memory: Vec::new(), file: None, limit, written: 0 }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.file.is_none() && self.memory.len().saturating_add(bytes.len()) <= self.limit {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut file = tempfile::tempfile()?;
                file.write_all(&std::mem::take(&mut self.memory))?;
                none.insert(file)
            }
        };
        file.write_all(bytes)
    }

    /// What was written.
    pub(crate) fn finish(self) -> io::Result<Decoded> {
        match self.file {
            None => Ok(Decoded::Memory(self.memory)),
            Some(file) => Ok(Decoded::Mapped(Mapping::new(&file, "a temporary file")?)),
        }
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads `input` to its end.
pub(super) fn read_all(mut input: impl Read, at: &Location, limits: &Limits) -> Result<Decoded> {
    let io = |source| Error::io(at.clone(), "cannot read", source);
    let mut spool = Spool::new(limits.max_in_memory);
    let mut buffer = vec![0; CHUNK];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return spool.finish().map_err(io),
            Ok(n) => spool.push(buffer.get(..n).unwrap_or_default()).map_err(io)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(io(e)),
        }
    }
}

/// Decodes `packed`. A stream that breaks off or is damaged gives what came before it and the complaint: what is
/// missing then shows as a truncated archive. `release` hears which bytes of `packed` were read.
pub(super) fn decode(
    compression: Compression,
    packed: &[u8],
    at: &Location,
    limits: &Limits,
    release: impl Fn(usize, usize),
) -> Result<(Decoded, Option<codec::DecodeError>)> {
    let io = |source| Error::io(at.clone(), "cannot keep the decoded archive", source);
    let mut spool = Spool::new(limits.max_in_memory);
    let mut decoder = codec::decoder(compression, packed, limits);
    let mut buffer = vec![0; CHUNK];
    let mut released = 0;
    loop {
        match decoder.fill(&mut buffer) {
            Ok(0) => return Ok((spool.finish().map_err(io)?, None)),
            Ok(n) => spool.push(buffer.get(..n).unwrap_or_default()).map_err(io)?,
            Err(error) => {
                if let DecodeErrorKind::Unpacked { limit } = error.kind {
                    let message = format!(
                        "the archive unpacks to {} bytes and more, over the limit of {limit} (--max-unpacked)",
                        decoder.produced()
                    );
                    return Err(Error::new(ErrorKind::Limit, message).at(at.clone()));
                }
                return Ok((spool.finish().map_err(io)?, Some(error)));
            }
        }
        let consumed = usize::try_from(decoder.consumed()).unwrap_or(packed.len());
        release(released, consumed.saturating_sub(released));
        released = consumed;
    }
}
