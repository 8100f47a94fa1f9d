//! Inflates one stream into one buffer after the other.

use super::{
    Bits, Codes, Fault, Header, Kind, Symbol,
    output::{Output, Past},
    round,
};

/// Where in a stream the decoder stands.
#[derive(Clone, Copy)]
enum Place {
    /// In front of a block.
    Header,
    /// In a stored block of which so many bytes are left.
    Stored(usize),
    /// In a coded block, in front of a symbol.
    Coded(Kind),
    /// In a coded block, in a match of which so many bytes are left.
    Match {
        kind: Kind,
        length: usize,
        distance: usize,
    },
    End,
}

/// A decoder of one raw stream.
pub(in crate::codec) struct Inflate<'a> {
    stream: Stream<'a>,
    past: Past,
    fault: Option<Fault>,
}

impl<'a> Inflate<'a> {
    /// A decoder of the stream at the start of `bytes`.
    pub(in crate::codec) fn new(bytes: &'a [u8]) -> Inflate<'a> {
        let (bits, codes) = (Bits::new(bytes), Box::new(Codes::new()));
        let stream = Stream { bits, place: Place::Header, last: false, codes };
        Inflate { stream, past: Past::new(), fault: None }
    }

    /// Goes on with another stream.
    pub(in crate::codec) fn restart(&mut self, bytes: &'a [u8]) {
        (self.stream.bits, self.stream.place, self.stream.last) = (Bits::new(bytes), Place::Header, false);
        self.past.forget();
        self.fault = None;
    }

    /// Bytes read so far: at the end all of the stream, and nothing of what follows.
    pub(in crate::codec) fn consumed(&self) -> usize {
        self.stream.bits.read()
    }

    /// Whether all is inflated.
    pub(in crate::codec) fn is_done(&self) -> bool {
        matches!(self.stream.place, Place::End)
    }

    /// Writes to `buffer` until it is full, all is inflated or something is wrong; how many bytes. A fault comes when what
    /// is in front of it was given out, and stays. Bytes of the buffer behind those that count may change too.
    pub(in crate::codec) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut output = Output { buffer: &mut *buffer, at: 0, past: &self.past };
        if self.fault.is_none() {
            self.fault = self.stream.run(&mut output).err();
        }
        let at = output.at;
        if let (0, Some(fault)) = (at, self.fault) {
            return Err(fault);
        }
        if !self.is_done() {
            self.past.remember(buffer.get(..at).unwrap_or_default());
        }
        Ok(at)
    }
}

struct Stream<'a> {
    bits: Bits<'a>,
    place: Place,
    /// Whether the block it stands in is the last one.
    last: bool,
    codes: Box<Codes>,
}

impl Stream<'_> {
    /// Reads on until the output is full or all is inflated.
    fn run(&mut self, output: &mut Output<'_>) -> Result<(), Fault> {
        loop {
            self.place = match self.place {
                Place::End => return Ok(()),
                Place::Header => self.header()?,
                _ if output.room() == 0 => return Ok(()),
                Place::Stored(left) => self.stored(left, output)?,
                Place::Match { kind, length, distance } => match output.copy(length, distance)? {
                    0 => Place::Coded(kind),
                    length => Place::Match { kind, length, distance },
                },
                Place::Coded(kind) => self.symbol(kind, output)?,
            }
        }
    }

    fn header(&mut self) -> Result<Place, Fault> {
        let Header { last, kind, stored } = self.codes.read(&mut self.bits)?;
        self.last = last;
        Ok(match (kind, stored) {
            (Kind::Stored, 0) => self.after(),
            (Kind::Stored, left) => Place::Stored(left),
            _ => Place::Coded(kind),
        })
    }

    /// What comes after a block.
    fn after(&self) -> Place {
        if self.last { Place::End } else { Place::Header }
    }

    fn stored(&mut self, left: usize, output: &mut Output<'_>) -> Result<Place, Fault> {
        let bytes = self.bits.take_bytes(left.min(output.room()));
        if bytes.is_empty() {
            return Err(Fault::Truncated);
        }
        output.push(bytes);
        Ok(match left.saturating_sub(bytes.len()) {
            0 => self.after(),
            left => Place::Stored(left),
        })
    }

    /// Reads on in a coded block: quickly where there is much ahead and much room, else one symbol.
    fn symbol(&mut self, kind: Kind, output: &mut Output<'_>) -> Result<Place, Fault> {
        let codes = self.codes.of(kind);
        if round::run(&mut self.bits, codes, output)? {
            return Ok(self.after());
        }
        Ok(match codes.symbol(&mut self.bits)? {
            Symbol::Literal(byte) => {
                output.push(&[byte]);
                Place::Coded(kind)
            }
            Symbol::Match { length, distance } => Place::Match { kind, length, distance },
            Symbol::End => self.after(),
        })
    }
}
