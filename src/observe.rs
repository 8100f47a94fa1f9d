//! What the library tells whoever watches it work. The library itself never draws.

use std::path::Path;

/// Something that happened while a job ran.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A piece of work of `bytes` input bytes begins; `id` is unique within the run.
    Begin {
        /// Unique within the run.
        id: u64,
        /// What is worked on, for people.
        name: &'a str,
        /// Input bytes it will read.
        bytes: u64,
    },
    /// `bytes` more input bytes of piece `id` were read.
    Advance {
        /// As in [`Event::Begin`].
        id: u64,
        /// Bytes since the last event.
        bytes: u64,
    },
    /// Piece `id` is a layer that need not be decoded: its bytes, which were hashed, are those of a layer that was.
    Known {
        /// As in [`Event::Begin`].
        id: u64,
    },
    /// A file was made that the job itself removes or moves to its place; whoever ends the process before should
    /// remove it.
    Temporary {
        /// Where it is.
        path: &'a Path,
    },
    /// Piece `id` is done.
    End {
        /// As in [`Event::Begin`].
        id: u64,
    },
}

/// Watches a job. Called from worker threads, so it must be quick.
pub trait Observer: Sync {
    /// Takes one event.
    fn event(&self, event: Event<'_>);

    /// Whether the job should stop as soon as it can (Ctrl-C).
    fn cancelled(&self) -> bool {
        false
    }

    /// Whether it was asked to stop a second time: it need not be gentle with programs that it has started.
    fn insists(&self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}
