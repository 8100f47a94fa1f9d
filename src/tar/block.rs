//! Header blocks under construction: fields, numbers and checksum, laid out as Go's archive/tar lays them out.
//!
//! Knows one block. Must not know which dialect a member needs.

use super::{BLOCK, padding};

/// Longest name and link target in a header block.
pub(super) const NAME_SIZE: usize = 100;

/// Whether `value` fits into an octal field of `width` bytes, its NUL included.
pub(super) fn fits_octal(width: u32, value: i64) -> bool {
    value >= 0 && value >> ((width - 1) * 3) == 0
}

/// Whether `value` fits into a base-256 field of `width` bytes, the first one being the sign.
pub(super) fn fits_base256(width: u32, value: i64) -> bool {
    width >= 9 || matches!(value >> ((width - 1) * 8), 0 | -1)
}

/// The magic of a block to write.
#[derive(Clone, Copy)]
pub(super) enum Magic {
    Ustar,
    Gnu,
}

/// How numbers are written.
#[derive(Clone, Copy)]
pub(super) enum Numbers {
    /// Octal, and 0 where that does not suffice: a record has the true value.
    Octal,
    /// Octal, and base-256 where that does not suffice.
    Binary,
}

/// A header block under construction.
pub(super) struct Block([u8; BLOCK]);

impl Block {
    pub(super) fn new() -> Block {
        Block([0; BLOCK])
    }

    pub(super) fn set(&mut self, at: usize, byte: u8) {
        self.0[at] = byte;
    }

    /// Copies `text` into a field, with a NUL behind it if there is room, cut where it is too long. A cut that would
    /// end in a slash, which old readers take for a directory's name, is moved before it.
    pub(super) fn text(&mut self, at: usize, size: usize, text: &[u8]) {
        let field = &mut self.0[at..at + size];
        let fits = text.len().min(size);
        field[..fits].copy_from_slice(&text[..fits]);
        if let Some(terminator) = field.get_mut(fits) {
            *terminator = 0;
        }
        if text.len() > size && field[size - 1] == b'/' {
            let kept = text[..size - 1].iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
            field[kept] = 0;
        }
    }

    pub(super) fn octal(&mut self, at: usize, size: usize, value: i64) {
        let fits = fits_octal(size as u32, value);
        let digits = format!("{:0width$o}", if fits { value } else { 0 }, width = size - 1);
        self.text(at, size, digits.as_bytes());
    }

    pub(super) fn number(&mut self, at: usize, size: usize, value: i64, numbers: Numbers) {
        if matches!(numbers, Numbers::Octal) || fits_octal(size as u32, value) {
            return self.octal(at, size, value);
        }
        let sign = if value < 0 { 0xff } else { 0 };
        let bytes = value.to_be_bytes();
        let padded = std::iter::repeat_n(sign, size.saturating_sub(bytes.len())).chain(bytes);
        let skipped = bytes.len().saturating_sub(size);
        self.0[at..at + size].iter_mut().zip(padded.skip(skipped)).for_each(|(slot, byte)| *slot = byte);
        self.0[at] |= 0x80;
    }

    /// Sets magic and checksum.
    pub(super) fn seal(mut self, magic: Magic) -> [u8; BLOCK] {
        let bytes = match magic {
            Magic::Ustar => b"ustar\x0000",
            Magic::Gnu => b"ustar  \0",
        };
        self.0[257..265].copy_from_slice(bytes);
        self.0[148..156].fill(b' ');
        let sum: i64 = self.0.iter().map(|byte| i64::from(*byte)).sum();
        self.octal(148, 7, sum);
        self.0
    }
}

/// An extension header with its body and padding; all but name, type and size is zero.
pub(super) fn raw_blocks(name: &[u8], body: &[u8], typeflag: u8, magic: Magic) -> Vec<u8> {
    let name = to_ascii(name);
    let name = &name[..name.len().min(NAME_SIZE)];
    let end = name.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let mut block = Block::new();
    block.text(0, NAME_SIZE, &name[..end]);
    for (at, size, value) in
        [(100, 8, 0), (108, 8, 0), (116, 8, 0), (124, 12, body.len() as i64), (136, 12, 0)]
    {
        block.octal(at, size, value);
    }
    block.set(156, typeflag);
    let mut out = block.seal(magic).to_vec();
    out.extend_from_slice(body);
    out.resize(out.len() + padding(body.len() as u64), 0);
    out
}

/// What is left of a text without NULs and all that is not ASCII.
pub(super) fn to_ascii(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| (1..0x80).contains(byte)).collect()
}
