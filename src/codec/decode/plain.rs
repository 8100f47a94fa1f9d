//! No compression: the blob is its content.

use super::{DecodeError, Frames, Input, Progress, Step};
use crate::limits::Limits;

struct Plain<'a> {
    input: Input<'a>,
}

pub(in crate::codec) fn decoder<'a>(blob: &'a [u8], _: &Limits) -> Box<dyn Step + 'a> {
    Box::new(Plain { input: Input::new(blob) })
}

impl Step for Plain<'_> {
    fn step(&mut self, out: &mut [u8]) -> Result<Progress, DecodeError> {
        let count = self.input.rest().len().min(out.len());
        if count == 0 {
            return Ok(Progress::End);
        }
        for (to, from) in out.iter_mut().zip(self.input.rest()) {
            *to = *from;
        }
        self.input.advance(count);
        Ok(Progress::Wrote(count))
    }

    fn consumed(&self) -> usize {
        self.input.at
    }

    fn frames(&self) -> Frames {
        Frames { content: 1, ..Frames::default() }
    }
}
