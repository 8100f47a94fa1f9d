//! One stream, several stages: a source fills windows one after the other, and each of some readers sees them all.
//!
//! Stages run side by side on as many threads as are idle, each stage on one thread at a time. No stage has a thread
//! of its own: whoever is there takes any stage that can go on, so that one thread alone does everything, and all of it
//! while the window is still in its cache. Knows nothing of what windows hold.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::Workers;

/// Most windows that are filled and not yet read by all, where several threads are at work.
const WINDOWS: usize = 8;

/// Threads that wait are woken when so many windows are filled. To wake a thread costs the one that wakes it as much as a
/// tenth of a window; a thread that sleeps while half of the windows fill misses a tenth of the time.
const WORTH_WAKING: usize = WINDOWS / 4;

/// Fills the next window, a fresh one or one that all have read; whether there is more to come.
pub(super) type Source<'s, W> = Box<dyn FnMut(&mut W) -> bool + Send + 's>;
/// Reads a window.
pub(super) type Reader<'s, W> = Box<dyn FnMut(&W) + Send + 's>;

/// Runs `source` to its end and shows every window to every reader, in order, on at most `most` threads: as many as
/// there are stages that cost something. A thread too many costs more than it brings.
pub(super) fn run<W: Default + Send + Sync>(
    workers: &Workers,
    most: usize,
    source: Source<'_, W>,
    readers: Vec<Reader<'_, W>>,
) {
    let readers = readers.into_iter().map(|read| Seat { read: Some(read), next: 0 }).collect();
    let (filled, spare) = (VecDeque::new(), Vec::new());
    let source = Some(source);
    let state = State { source, readers, filled, first: 0, spare, threads: 0, ended: false, broken: false };
    let pipeline = Pipeline { state: Mutex::new(state), changed: Condvar::new() };
    workers.together(most, || pipeline.work());
}

struct Pipeline<'s, W> {
    state: Mutex<State<'s, W>>,
    changed: Condvar,
}

struct State<'s, W> {
    /// Taken out while a thread runs it.
    source: Option<Source<'s, W>>,
    readers: Vec<Seat<'s, W>>,
    /// Windows that not all have read.
    filled: VecDeque<Arc<W>>,
    /// Number of the first of them.
    first: u64,
    /// Windows that all have read.
    spare: Vec<W>,
    /// Threads at work here.
    threads: usize,
    /// Nothing more will be filled.
    ended: bool,
    /// A stage panicked.
    broken: bool,
}

struct Seat<'s, W> {
    /// Taken out while a thread runs it.
    read: Option<Reader<'s, W>>,
    /// Number of the window it reads next.
    next: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Source,
    Reader(usize),
}

impl<'s, W> State<'s, W> {
    /// A stage that can go on: the one this thread ran last, whose data is in its cache, else the reader that is
    /// furthest behind, else the source.
    fn choose(&self, last: Stage) -> Option<Stage> {
        let end = self.first + self.filled.len() as u64;
        let ready = |stage: Stage| match stage {
            Stage::Source => {
                let most = if self.threads == 1 { 1 } else { WINDOWS };
                !self.ended && self.source.is_some() && self.filled.len() < most
            }
            Stage::Reader(i) => {
                self.readers.get(i).is_some_and(|seat| seat.read.is_some() && seat.next < end)
            }
        };
        let behind = (0..self.readers.len())
            .filter(|i| ready(Stage::Reader(*i)))
            .min_by_key(|i| self.readers.get(*i).map(|seat| seat.next));
        let next = behind.map_or(Stage::Source, Stage::Reader);
        [last, next].into_iter().find(|stage| ready(*stage))
    }

    /// A reader and its next window.
    fn take(&mut self, i: usize) -> Option<(Reader<'s, W>, Arc<W>)> {
        let seat = self.readers.get_mut(i)?;
        let window = self.filled.get(usize::try_from(seat.next - self.first).ok()?)?;
        Some((seat.read.take()?, Arc::clone(window)))
    }

    fn is_done(&self) -> bool {
        self.broken || self.ended && self.filled.is_empty()
    }

    /// Takes the windows back that all have read.
    fn recycle(&mut self) {
        let read = self.readers.iter().map(|seat| seat.next).min().unwrap_or(u64::MAX);
        while self.first < read
            && let Some(window) = self.filled.pop_front()
        {
            self.spare.extend(Arc::into_inner(window));
            self.first += 1;
        }
    }
}

type Guard<'p, 's, W> = MutexGuard<'p, State<'s, W>>;

impl<'s, W: Default> Pipeline<'s, W> {
    /// Runs stages until all is done. Waits only while other threads run stages, so it always ends.
    fn work(&self) {
        let _alarm = Alarm(self);
        let mut state = self.lock();
        state.threads += 1;
        let mut last = Stage::Source;
        while !state.is_done() {
            let Some(stage) = state.choose(last) else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            last = stage;
            state = match stage {
                Stage::Source => self.fill(state),
                Stage::Reader(i) => self.read(state, i),
            };
            state.recycle();
            let waiting_is_over = state.filled.len() >= WORTH_WAKING || state.ended;
            if stage != Stage::Source || waiting_is_over {
                self.changed.notify_all();
            }
        }
    }

    fn fill<'p>(&'p self, mut state: Guard<'p, 's, W>) -> Guard<'p, 's, W> {
        let Some(mut source) = state.source.take() else { return state };
        let mut window = state.spare.pop().unwrap_or_default();
        drop(state);
        let more = source(&mut window);
        let mut state = self.lock();
        state.source = Some(source);
        state.filled.push_back(Arc::new(window));
        state.ended = !more;
        state
    }

    fn read<'p>(&'p self, mut state: Guard<'p, 's, W>, i: usize) -> Guard<'p, 's, W> {
        let Some((mut read, window)) = state.take(i) else { return state };
        drop(state);
        read(&window);
        // Before the lock is taken again, so that whoever recycles the window holds the only reference to it.
        drop(window);
        let mut state = self.lock();
        if let Some(seat) = state.readers.get_mut(i) {
            seat.read = Some(read);
            seat.next += 1;
        }
        state
    }

    fn lock(&self) -> Guard<'_, 's, W> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the other threads go when a stage panics: what it was to do will never be done.
struct Alarm<'p, 's, W>(&'p Pipeline<'s, W>);

impl<W> Drop for Alarm<'_, '_, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state.lock().unwrap_or_else(PoisonError::into_inner).broken = true;
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts to `end` and lets three readers add up, each in its own way.
    fn sums(threads: usize, end: u64) -> [u64; 3] {
        let workers = Workers::new(threads).unwrap();
        let (mut number, mut sums) = (0, [0_u64; 3]);
        let source = move |window: &mut u64| {
            number += 1;
            *window = number;
            number < end
        };
        let readers = sums.iter_mut().zip(1..).map(|(sum, factor)| {
            // Depends on the order of the windows.
            Box::new(move |window: &u64| *sum = sum.wrapping_mul(31).wrapping_add(window * factor))
                as Reader<'_, u64>
        });
        run(&workers, 4, Box::new(source), readers.collect());
        sums
    }

    #[test]
    fn every_reader_sees_every_window_in_order() {
        let expected = [1, 2, 3].map(|factor| {
            (1..=5000).fold(0_u64, |sum, number| sum.wrapping_mul(31).wrapping_add(number * factor))
        });
        for threads in 1..=6 {
            assert_eq!(sums(threads, 5000), expected, "{threads} threads");
        }
        assert_eq!(sums(2, 1), [1, 2, 3]);
    }

    #[test]
    fn as_many_windows_as_are_needed_and_no_more() {
        #[derive(Default)]
        struct Counted(Option<Arc<()>>);
        for (threads, most) in [(1, 1), (4, WINDOWS)] {
            let (seen, mut left) = (Arc::new(()), 1000);
            let mark = Arc::clone(&seen);
            let source = move |window: &mut Counted| {
                window.0.get_or_insert_with(|| Arc::clone(&mark));
                left -= 1;
                left > 0
            };
            let mut highest = 0;
            // Less the two that this test holds itself.
            let reader = |_: &Counted| highest = highest.max(Arc::strong_count(&seen) - 2);
            run(&Workers::new(threads).unwrap(), 2, Box::new(source), vec![Box::new(reader)]);
            assert!(highest >= 1 && highest <= most, "{highest} windows for {threads} threads");
        }
    }

    #[test]
    fn works_within_work() {
        let workers = Workers::new(2).unwrap();
        let results = workers.map(&[300_u64, 200, 100, 50], |_, end| {
            let mut sum = 0;
            let mut number = 0;
            let source = move |window: &mut u64| {
                number += 1;
                *window = number;
                number < *end
            };
            run(&workers, 2, Box::new(source), vec![Box::new(|window: &u64| sum += window)]);
            sum
        });
        assert_eq!(results, [45150, 20100, 5050, 1275]);
    }

    #[test]
    fn a_stage_that_panics_stops_the_others() {
        let workers = Workers::new(3).unwrap();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let reader = |window: &u64| assert!(*window == 0, "as planned");
            let mut number = 0;
            let source = move |window: &mut u64| {
                number += 1;
                *window = number / 100;
                true
            };
            run(&workers, 3, Box::new(source), vec![Box::new(reader), Box::new(|_: &u64| ())]);
        }));
        assert!(caught.is_err());
    }
}
