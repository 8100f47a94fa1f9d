//! Being stopped: Ctrl-C and SIGTERM ask running work to stop, and soon afterwards end the program all the same.
//!
//! Knows signals. Work looks for the request through its observer.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    time::Duration,
};

/// How long work that was asked to stop has for it: work that looks for the request does so many times a second, and
/// what does not look, such as a read that blocks, is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a shell adds to the number of the signal that ended a program.
const BY_SIGNAL: u8 = 128;

/// The first signal that came; 0 for none.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
/// Another one came.
static INSISTED: AtomicBool = AtomicBool::new(false);
/// What clears the screen.
static BEFORE_END: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);
/// What must not stay behind when work is not waited for.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// From now on a signal asks work to stop. Soon afterwards, or at the next signal, the program ends.
pub(super) fn soon() {
    #[cfg(unix)]
    listen(Some(PATIENCE));
}

/// From now on a signal asks work to stop, which is waited for: it has other programs to end and things to tidy up. The
/// next signal asks it not to be gentle.
pub(super) fn gently() {
    #[cfg(unix)]
    listen(None);
}

#[cfg(unix)]
fn listen(patience: Option<Duration>) {
    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        iterator::Signals,
    };
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let first = SIGNAL.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            match patience {
                Some(patience) if first => drop(std::thread::spawn(move || {
                    std::thread::sleep(patience);
                    end();
                })),
                Some(_) => end(),
                None => INSISTED.store(!first, Ordering::Relaxed),
            }
        }
    });
}

/// Ends the program without waiting for any work.
#[cfg(unix)]
fn end() {
    // Whoever holds the screen may be stuck in writing to it.
    let clear = BEFORE_END.lock().ok().and_then(|mut clear| clear.take());
    if let Some(clear) = clear {
        let clearing = std::thread::spawn(clear);
        let begun = std::time::Instant::now();
        while !clearing.is_finished() && begun.elapsed() < PATIENCE / 5 {
            std::thread::sleep(PATIENCE / 100);
        }
    }
    for path in TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = std::fs::remove_file(path);
    }
    signal_hook::low_level::exit(i32::from(code()));
}

/// Whether work was asked to stop.
pub(super) fn asked() -> bool {
    SIGNAL.load(Ordering::Relaxed) != 0
}

/// Whether it was asked more than once.
pub(super) fn insisted() -> bool {
    INSISTED.load(Ordering::Relaxed)
}

/// Has `clear` done before the program ends without waiting.
pub(super) fn before_end(clear: impl FnOnce() + Send + 'static) {
    if let Ok(mut slot) = BEFORE_END.lock() {
        *slot = Some(Box::new(clear));
    }
}

/// Notes a file that goes when the program ends without waiting for whoever made it.
pub(super) fn remember(path: &Path) {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
}

/// The exit code of a program that was stopped: 130 for Ctrl-C, 143 for SIGTERM.
pub(super) fn code() -> u8 {
    const SIGINT: u8 = 2;
    let signal = u8::try_from(SIGNAL.load(Ordering::Relaxed)).ok().filter(|signal| *signal != 0);
    BY_SIGNAL.saturating_add(signal.unwrap_or(SIGINT))
}
