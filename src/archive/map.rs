//! Memory-mapped files: the only place that may hold unsafe code.
//!
//! Why it is sound enough: a mapping is read-only and private, and a file that another process shortens while it is
//! mapped makes the kernel send SIGBUS, which [`report_truncated_mappings`] turns into a plain exit with code 2. A file
//! that is rewritten in place can change under a reader; `Source::unchanged` looks for that when all was read, and no
//! parser relies on reading the same byte twice.
#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
use std::sync::atomic::AtomicBool;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};
use std::{
    fs::File,
    io,
    ops::Deref,
    sync::atomic::{AtomicU8, AtomicUsize, Ordering},
};

use memmap2::{Mmap, MmapOptions, UncheckedAdvice};

/// A whole file, mapped read-only.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: Mmap,
    /// Where the handler finds its name, if a seat was left.
    seat: Option<&'static Seat>,
    /// Whether something that was populated had to be waited for.
    #[cfg(target_os = "linux")]
    is_cold: AtomicBool,
}

impl Mapping {
    /// Maps all of `file`, which must not be empty; `name` is how people know it.
    pub(super) fn new(file: &File, name: &str) -> io::Result<Mapping> {
        // SAFETY: see the module's comment; nothing in this process writes to files it has mapped.
        let map = unsafe { MmapOptions::new().map(file)? };
        let seat = SEATS.iter().find(|seat| seat.take(&map, name));
        Ok(Mapping {
            map,
            seat,
            #[cfg(target_os = "linux")]
            is_cold: AtomicBool::new(false),
        })
    }

    /// Brings the pages of this range in at one go. Cheaper than one fault after the other, and where stages of a
    /// pipeline run side by side it keeps the wait for the disk away from the stages that compute.
    #[cfg(target_os = "linux")]
    pub(super) fn populate(&self, offset: usize, len: usize) {
        let (start, end) = (offset / PAGE * PAGE, offset.saturating_add(len).min(self.map.len()));
        if start < end {
            // The disk begins on what comes later while this part is waited for and worked on. Asking costs as much
            // as it brings where all is in memory already.
            let later = start.saturating_add(AHEAD);
            let rest = self.map.len().saturating_sub(later);
            if rest > 0 && self.is_cold.load(Ordering::Relaxed) {
                let _ = self.map.advise_range(memmap2::Advice::WillNeed, later, rest.min(end - start));
            }
            let begun = Instant::now();
            // Kernels before 5.14 do not know it; the pages then come by faults.
            let _ = self.map.advise_range(memmap2::Advice::PopulateRead, start, end - start);
            if begun.elapsed() > COLD {
                self.is_cold.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Elsewhere pages come by faults.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn populate(&self, _offset: usize, _len: usize) {}

    /// Tells the kernel that the bytes in this range were read and will not be needed soon, so that a huge file does
    /// not fill this process's resident set. They are read from the file again if somebody does need them.
    ///
    /// Whole blocks are given back, from the one that `offset` lies in to the last that ends in the range: so a file
    /// that is released piece by piece, however small the pieces, is released as a whole.
    pub(super) fn release(&self, offset: usize, len: usize) {
        let end = offset.saturating_add(len).min(self.map.len()) / BLOCK * BLOCK;
        let start = offset / BLOCK * BLOCK;
        if start < end {
            // SAFETY: the mapping is read-only and backed by a file, so dropped pages come back with the same content.
            let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        }
    }
}

/// Advice begins at a page.
#[cfg(target_os = "linux")]
const PAGE: usize = 4096;
/// How far in front of what is populated the disk is sent.
#[cfg(target_os = "linux")]
const AHEAD: usize = 8 << 20;
/// What takes longer to populate, a mebibyte or less, comes from a disk: from memory it takes a tenth of this.
#[cfg(target_os = "linux")]
const COLD: Duration = Duration::from_micros(500);

/// Given back at a time: not less than what one access to a page brings in around it (Linux: `fault_around_bytes`,
/// 64 KiB), and so much that the other processors are not interrupted too often, as giving pages back does.
const BLOCK: usize = 1 << 20;

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some(seat) = self.seat {
            seat.start.store(FREE, Ordering::Release);
        }
    }
}

/// Where files are mapped and what they are called, for the handler, which may neither wait nor allocate. A run that has
/// more files open than there are seats has some that go unnamed.
static SEATS: [Seat; 64] = [const { Seat::free() }; 64];

#[derive(Debug)]
struct Seat {
    /// The mapping's first address, or [`FREE`], or [`TAKEN`] while the rest is being filled in.
    start: AtomicUsize,
    len: AtomicUsize,
    name_len: AtomicUsize,
    name: [AtomicU8; NAME],
}

/// No mapping begins at these addresses.
const FREE: usize = 0;
const TAKEN: usize = 1;
/// Bytes of a name that are kept: its end, which tells files of one folder apart.
const NAME: usize = 240;

impl Seat {
    const fn free() -> Seat {
        Seat {
            start: AtomicUsize::new(FREE),
            len: AtomicUsize::new(0),
            name_len: AtomicUsize::new(0),
            name: [const { AtomicU8::new(0) }; NAME],
        }
    }

    /// Sits down, if nobody sits here.
    fn take(&self, map: &Mmap, name: &str) -> bool {
        if self.start.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let cut = name.ceil_char_boundary(name.len().saturating_sub(NAME));
        let kept = name.get(cut..).unwrap_or_default();
        self.name.iter().zip(kept.bytes()).for_each(|(to, byte)| to.store(byte, Ordering::Relaxed));
        self.name_len.store(kept.len(), Ordering::Relaxed);
        self.len.store(map.len(), Ordering::Relaxed);
        self.start.store(map.as_ptr().addr(), Ordering::Release);
        true
    }

    /// Whether `address` is one of this mapping's.
    #[cfg(unix)]
    fn has(&self, address: usize) -> bool {
        let start = self.start.load(Ordering::Acquire);
        // A file's last page is mapped as a whole.
        let len = self.len.load(Ordering::Relaxed).next_multiple_of(1 << 16);
        start > TAKEN && address.checked_sub(start).is_some_and(|offset| offset < len)
    }
}

/// Makes a file that shrinks while it is mapped end the process with a message that names it and exit code 2 instead of a
/// signal. For programs, not for libraries: it replaces the process's SIGBUS handler.
#[cfg(unix)]
pub fn report_truncated_mappings() {
    extern "C" fn on_sigbus(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the kernel hands a valid siginfo_t to a handler that was installed with SA_SIGINFO.
        let address = unsafe { (*info).si_addr() }.addr();
        let mut name = [0; NAME];
        let mut named: &[u8] = b"an input";
        if let Some(seat) = SEATS.iter().find(|seat| seat.has(address)) {
            name.iter_mut().zip(&seat.name).for_each(|(to, byte)| *to = byte.load(Ordering::Relaxed));
            named = name.get(..seat.name_len.load(Ordering::Relaxed)).unwrap_or(named);
        }
        let rest = b": input changed while reading (the mapped file became shorter)\n";
        for part in [b"error: ", named, rest] {
            // SAFETY: write is async-signal-safe (POSIX.1-2017, 2.4.3), and the buffers are this function's own.
            unsafe { libc::write(2, part.as_ptr().cast(), part.len()) };
        }
        // SAFETY: _exit is async-signal-safe.
        unsafe { libc::_exit(2) };
    }
    // SAFETY: installs a handler that only reads atomics, writes and exits; the action struct is fully initialised.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigbus as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}

/// Elsewhere the system reports a shortened mapping in its own way.
#[cfg(not(unix))]
pub fn report_truncated_mappings() {}
