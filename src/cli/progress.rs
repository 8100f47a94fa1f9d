//! Progress on standard error: the library's events as bars or plain lines.

use std::{
    collections::HashMap,
    io::{IsTerminal as _, stderr},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{
    args::{Global, ProgressChoice},
    output,
};
use crate::observe::{Event, Observer};

/// Pieces smaller than this are done before a bar could be seen.
const WORTH_A_BAR: u64 = 8 << 20;
/// How often plain progress says something.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Set by the first Ctrl-C.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Makes Ctrl-C ask running work to stop, and a second one end the program at once.
pub(super) fn stop_on_interrupt() {
    #[cfg(unix)]
    {
        use signal_hook::{consts::SIGINT, flag};
        // In this order: the first signal finds the flag down, and only then raises it.
        let _ = flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&STOP));
        let _ = flag::register(SIGINT, Arc::clone(&STOP));
    }
}

/// Shows what the library does.
pub(super) struct Progress {
    show: Show,
}

enum Show {
    Nothing,
    Bars { all: MultiProgress, bars: Mutex<HashMap<u64, ProgressBar>> },
    Lines { read: AtomicU64, last: Mutex<Instant> },
}

impl Progress {
    pub(super) fn new(global: &Global) -> Progress {
        let show = match global.progress {
            _ if global.verbosity() < 0 => Show::Nothing,
            ProgressChoice::Plain => {
                Show::Lines { read: AtomicU64::new(0), last: Mutex::new(Instant::now()) }
            }
            ProgressChoice::Auto if stderr().is_terminal() => {
                Show::Bars { all: MultiProgress::new(), bars: Mutex::default() }
            }
            ProgressChoice::Auto | ProgressChoice::None => Show::Nothing,
        };
        Progress { show }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        match (&self.show, event) {
            (Show::Nothing, _) => {}
            (Show::Bars { all, bars }, Event::Begin { id, name, bytes }) if bytes >= WORTH_A_BAR => {
                let template = "{wide_msg} {bytes:>10}/{total_bytes} {bytes_per_sec:>12} {eta:>5}";
                let style =
                    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
                let bar = all.add(ProgressBar::new(bytes).with_style(style).with_message(name.to_owned()));
                if let Ok(mut bars) = bars.lock() {
                    bars.insert(id, bar);
                }
            }
            (Show::Bars { bars, .. }, Event::Advance { id, bytes }) => {
                if let Some(bar) = bars.lock().ok().and_then(|bars| bars.get(&id).cloned()) {
                    bar.inc(bytes);
                }
            }
            (Show::Bars { bars, .. }, Event::End { id }) => {
                if let Some(bar) = bars.lock().ok().and_then(|mut bars| bars.remove(&id)) {
                    bar.finish_and_clear();
                }
            }
            (Show::Lines { read, last }, Event::Advance { bytes, .. }) => {
                let read = read.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
                let Ok(mut last) = last.try_lock() else { return };
                if last.elapsed() >= PLAIN_EVERY {
                    *last = Instant::now();
                    output::complain(&format!("{} MiB read", read >> 20));
                }
            }
            (Show::Bars { .. } | Show::Lines { .. }, _) => {}
        }
    }

    fn cancelled(&self) -> bool {
        STOP.load(Ordering::Relaxed)
    }
}
