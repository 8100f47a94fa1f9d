//! Inflating at speed: rounds that each read three literals or a match, without asking after each symbol what is left.

use super::{
    Bits, Codes, Fault,
    block::{NO_CODE, NO_DISTANCE},
    code::Entry,
    output::Output,
};

/// Most bytes that are copied at once.
const COPY: usize = 32;

/// Room that a round needs: for two literals, the longest match, and what its last copy writes beyond it.
const ROOM: usize = 2 + 258 + COPY;

/// Reads on in a coded block until it ends (`true`), or until the next round could not be sure of its input and its room
/// (`false`). Compiled twice, since the instructions that BMI2 has for bits save a twentieth.
#[multiversion::multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub(super) fn run(bits: &mut Bits<'_>, codes: &Codes, output: &mut Output<'_>) -> Result<bool, Fault> {
    let Output { buffer, at: filled, past } = output;
    let Some(last) = buffer.len().checked_sub(ROOM) else { return Ok(false) };
    // Copies, so that they are kept in registers.
    let (buffer, mut at, mut here) = (&mut **buffer, *filled, *bits);
    here.fill();
    // What the next bits stand for, looked up as soon as they are known.
    let mut entry = codes.literals.entry(here.peek());
    let ended = loop {
        let Some(ahead) = here.ahead().filter(|_| at <= last) else { break Ok(false) };
        let mut used = 0;
        here.refill(ahead, &mut used);
        // Of 56 bits three literals leave 23, enough for the next look.
        if entry.is_literal() {
            at = put(entry, buffer, at);
            entry = next(entry, &mut here, codes);
            if entry.is_literal() {
                at = put(entry, buffer, at);
                entry = next(entry, &mut here, codes);
                if entry.is_literal() {
                    at = put(entry, buffer, at);
                    entry = next(entry, &mut here, codes);
                    here.advance(used);
                    continue;
                }
            }
        }
        // Two leave 34, and the longest length takes 20.
        if entry.is_odd() {
            if entry.is_second() {
                entry = codes.literals.second(entry, &mut here);
            }
            if entry.is_literal() {
                at = put(entry, buffer, at);
                entry = next(entry, &mut here, codes);
                here.advance(used);
                continue;
            }
            if entry.is_odd() {
                here.drop(entry.bits());
                here.advance(used);
                break if entry.is_end() { Ok(true) } else { Err(NO_CODE) };
            }
        }
        let length = entry.value(here.peek());
        here.drop(entry.bits());
        here.refill(ahead, &mut used);
        here.advance(used);
        // Of 56 bits the longest distance leaves 28.
        let mut far = codes.distances.entry(here.peek());
        if far.is_second() {
            far = codes.distances.second(far, &mut here);
        }
        if far.is_odd() {
            here.drop(far.bits());
            break Err(NO_DISTANCE);
        }
        let distance = far.value(here.peek());
        entry = next(far, &mut here, codes);
        at = if distance <= at {
            repeat(buffer, at, length, distance)
        } else {
            match past.copy(buffer, at, length, distance) {
                Ok(end) => end,
                Err(fault) => break Err(fault),
            }
        };
    };
    (*bits, *filled) = (here, at);
    ended
}

/// Writes a literal; where it ends.
#[inline(always)]
fn put(entry: Entry, buffer: &mut [u8], at: usize) -> usize {
    if let Some(slot) = buffer.get_mut(at) {
        *slot = entry.byte();
    }
    at.wrapping_add(1)
}

/// What the bits behind those of `entry` stand for as a literal or a length.
#[inline(always)]
fn next(entry: Entry, bits: &mut Bits<'_>, codes: &Codes) -> Entry {
    bits.drop(entry.bits());
    codes.literals.entry(bits.peek())
}

/// Writes what stands `distance` bytes back in the buffer, in copies of one size that may write too much; where it ends.
#[inline(always)]
fn repeat(buffer: &mut [u8], at: usize, length: usize, distance: usize) -> usize {
    let (mut from, mut to, end) = (at.wrapping_sub(distance), at, at.wrapping_add(length));
    if distance >= COPY {
        loop {
            copy::<COPY>(buffer, from, to);
            (from, to) = (from.wrapping_add(COPY), to.wrapping_add(COPY));
            if to >= end {
                break;
            }
        }
    } else if distance > 1 {
        // Less than one copy repeats: each starts where the one before still was right.
        let step = distance.min(8);
        while to < end {
            copy::<8>(buffer, from, to);
            (from, to) = (from.wrapping_add(step), to.wrapping_add(step));
        }
    } else if let (Some(byte), Some(run)) = (buffer.get(from).copied(), buffer.get_mut(at..end)) {
        run.fill(byte);
    }
    end
}

#[inline(always)]
fn copy<const COUNT: usize>(buffer: &mut [u8], from: usize, to: usize) {
    let Some(bytes) = buffer.get(from..).and_then(<[u8]>::first_chunk::<COUNT>).copied() else { return };
    if let Some(place) = buffer.get_mut(to..).and_then(<[u8]>::first_chunk_mut) {
        *place = bytes;
    }
}
