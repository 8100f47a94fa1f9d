//! The threads: one pool for a whole run, whatever is measured in it; and what the run remembers.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use super::known::Known;
use crate::error::{Error, ErrorKind, Result};

/// A pool of threads. Work inside work shares it: inputs, their blobs, and stages of blobs all run on the same threads.
pub struct Workers {
    pool: rayon::ThreadPool,
    known: Option<Known>,
}

impl Workers {
    /// A pool of `threads` threads; 0 takes as many as the machine grants this process.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system gives no threads.
    pub fn new(threads: usize) -> Result<Workers> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| Error::new(ErrorKind::Io, format!("cannot start threads: {e}")))?;
        Ok(Workers { pool, known: None })
    }

    /// The same, remembering from one input to the next what compressed layers hold: a layer that occurs in many inputs
    /// is hashed in each, and decoded once (or, where several threads come upon it at the same moment, once by each of
    /// them). Takes at most some 32 MiB.
    pub fn remembering(self) -> Workers {
        Workers { known: Some(Known::default()), ..self }
    }

    /// What is remembered from one input to the next.
    pub(super) fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Calls `work` for every item, with its position, and gives the results in the order of the items. Items are
    /// begun in their order, so the largest should come first.
    pub fn map<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::with_capacity(items.len()));
        self.together(items.len(), || {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(i) else { break };
                let result = work(i, item);
                results.lock().unwrap_or_else(PoisonError::into_inner).push((i, result));
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_unstable_by_key(|(i, _)| *i);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Runs `work` on a thread of the pool, and at the same time on threads that are idle or become so, at most on
    /// `most` in all. Where no other thread comes, one must be enough: `work` may wait only for what another thread is
    /// doing within it.
    pub(super) fn together(&self, most: usize, work: impl Fn() + Sync) {
        self.pool.scope(|scope| {
            for _ in 1..most.min(self.threads()) {
                scope.spawn(|_| work());
            }
            work();
        });
    }
}
