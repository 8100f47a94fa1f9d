//! Deterministic zstd: libzstd's multi-threaded mode, always.
//!
//! libzstd cuts its input into the same jobs for one worker and for many, but into none for zero workers, and
//! writes another frame header when it knows the size beforehand. So there is always at least one worker, and the
//! size is never pledged: a layer that is rewritten while it streams has no size yet.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use zstd::stream::write::Encoder;

/// Names what decides the bytes. The version is that of the library that is linked.
pub(super) fn id() -> String {
    format!("zstd/libzstd-{}/workers", zstd::zstd_safe::version_string())
}

/// Writes one zstd frame with a checksum.
pub struct ZstdEncoder<W: Write>(Encoder<'static, W>);

impl<W: Write> ZstdEncoder<W> {
    pub(super) fn new(level: u32, threads: NonZeroUsize, out: W) -> io::Result<ZstdEncoder<W>> {
        let mut encoder = Encoder::new(out, i32::try_from(level).unwrap_or(i32::MAX))?;
        encoder.multithread(u32::try_from(threads.get()).unwrap_or(u32::MAX))?;
        encoder.include_checksum(true)?;
        Ok(ZstdEncoder(encoder))
    }

    /// Writes the rest of the frame, and gives the output back.
    ///
    /// # Errors
    /// Whatever the output says.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for ZstdEncoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}
