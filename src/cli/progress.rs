//! Progress on standard error: the library's events as bars or plain lines.

use std::{
    collections::HashMap,
    io::{IsTerminal as _, stderr},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use super::{
    args::{Global, ProgressChoice},
    output, stop,
};
use crate::observe::{Event, Observer};

/// Pieces smaller than this are done before a bar could be seen.
const WORTH_A_BAR: u64 = 8 << 20;
/// How often plain progress says something.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Shows what the library does. What is on the screen is cleared when this is dropped.
pub(super) struct Progress {
    show: Show,
    inputs: u64,
    done: AtomicU64,
}

enum Show {
    Nothing,
    Bars { all: MultiProgress, total: Option<ProgressBar>, bars: Mutex<HashMap<(usize, u64), ProgressBar>> },
    Lines { read: AtomicU64, began: Instant, last: Mutex<Instant> },
}

impl Progress {
    pub(super) fn new(global: &Global) -> Progress {
        let show = match global.progress {
            _ if global.verbosity() < 0 => Show::Nothing,
            ProgressChoice::Plain => {
                let now = Instant::now();
                Show::Lines { read: AtomicU64::new(0), began: now, last: Mutex::new(now) }
            }
            ProgressChoice::Auto if stderr().is_terminal() => {
                let all = MultiProgress::new();
                let screen = all.clone();
                stop::before_end(move || wipe(&screen));
                Show::Bars { all, total: None, bars: Mutex::default() }
            }
            ProgressChoice::Auto | ProgressChoice::None => Show::Nothing,
        };
        Progress { show, inputs: 1, done: AtomicU64::new(0) }
    }

    /// Counts inputs too, of which there are `inputs`.
    pub(super) fn of_inputs(mut self, inputs: usize) -> Progress {
        self.inputs = inputs as u64;
        if let Show::Bars { all, total, .. } = &mut self.show
            && inputs > 1
        {
            let bar =
                ProgressBar::new(self.inputs).with_style(style("{wide_bar} {pos}/{len} inputs {left:>5}"));
            let bar = all.add(bar);
            bar.tick();
            *total = Some(bar);
        }
        self
    }

    /// Watches the input of that number.
    pub(super) fn of_input(&self, input: usize) -> OfInput<'_> {
        OfInput { progress: self, input }
    }

    /// An input is done.
    pub(super) fn done(&self, input: usize) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if let Show::Bars { total, bars, .. } = &self.show {
            if let Some(total) = total {
                total.inc(1);
            }
            // Work that was stopped ends no piece.
            if let Ok(mut bars) = bars.lock() {
                bars.retain(|(of, _), bar| {
                    *of != input || {
                        bar.finish_and_clear();
                        false
                    }
                });
            }
        }
    }

    /// Runs `write`, which writes to the terminal, with nothing else on the screen.
    pub(super) fn write<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.show {
            Show::Bars { all, .. } => all.suspend(write),
            Show::Nothing | Show::Lines { .. } => write(),
        }
    }

    /// Clears the screen: there is nothing more to watch.
    pub(super) fn clear(&self) {
        if let Show::Bars { all, .. } = &self.show {
            wipe(all);
        }
    }

    fn event(&self, input: usize, event: Event<'_>) {
        match (&self.show, event) {
            (_, Event::Temporary { path }) => stop::remember(path),
            (Show::Nothing, _) => {}
            (Show::Bars { all, bars, .. }, Event::Begin { id, name, bytes }) if bytes >= WORTH_A_BAR => {
                let style =
                    style("{wide_msg} {bar:8} {bytes:>10}/{total_bytes:10} {bytes_per_sec:>12} {left:>4}");
                let bar = ProgressBar::new(bytes).with_style(style).with_message(name.to_owned());
                if let Ok(mut bars) = bars.lock() {
                    bars.insert((input, id), all.insert(0, bar));
                }
            }
            (Show::Bars { bars, .. }, Event::Advance { id, bytes }) => {
                if let Some(bar) = bars.lock().ok().and_then(|bars| bars.get(&(input, id)).cloned()) {
                    bar.inc(bytes);
                }
            }
            (Show::Bars { bars, .. }, Event::End { id }) => {
                if let Some(bar) = bars.lock().ok().and_then(|mut bars| bars.remove(&(input, id))) {
                    bar.finish_and_clear();
                }
            }
            (Show::Lines { read, began, last }, Event::Advance { bytes, .. }) => {
                let read = read.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
                let Ok(mut last) = last.try_lock() else { return };
                if last.elapsed() >= PLAIN_EVERY {
                    *last = Instant::now();
                    let speed = read as f64 / began.elapsed().as_secs_f64();
                    let done = self.done.load(Ordering::Relaxed);
                    output::complain(&format!(
                        "{done}/{} inputs done, {} MiB read, {:.0} MiB/s",
                        self.inputs,
                        read >> 20,
                        speed / f64::from(1 << 20)
                    ));
                }
            }
            (Show::Bars { .. } | Show::Lines { .. }, _) => {}
        }
    }
}

/// Clears the bars for good: one that ends later would be drawn again.
fn wipe(all: &MultiProgress) {
    let _ = all.clear();
    all.set_draw_target(ProgressDrawTarget::hidden());
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    // Of what has not moved yet, nobody knows how long it takes.
    style.with_key("left", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        if state.pos() > 0 {
            let _ = write!(out, "{:#}", HumanDuration(state.eta()));
        }
    })
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        self.event(0, event);
    }

    fn cancelled(&self) -> bool {
        stop::asked()
    }

    fn insists(&self) -> bool {
        stop::insisted()
    }
}

/// Watches one of several inputs, whose pieces have numbers of their own.
pub(super) struct OfInput<'p> {
    progress: &'p Progress,
    input: usize,
}

impl Observer for OfInput<'_> {
    fn event(&self, event: Event<'_>) {
        self.progress.event(self.input, event);
    }

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }

    fn insists(&self) -> bool {
        self.progress.insists()
    }
}
