//! The threads: one pool for a whole run, whatever is measured in it.

use rayon::prelude::*;

use crate::error::{Error, ErrorKind, Result};

/// A pool of threads. Work inside work shares it: inputs, their blobs, and parts of blobs all run on the same threads.
pub struct Workers(rayon::ThreadPool);

impl Workers {
    /// A pool of `threads` threads; 0 takes as many as the machine grants this process.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system gives no threads.
    pub fn new(threads: usize) -> Result<Workers> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map(Workers).map_err(|e| Error::new(ErrorKind::Io, format!("cannot start threads: {e}")))
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    /// Calls `work` for every item, with its position, and gives the results in the order of the items.
    pub fn map<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
        self.0
            .install(|| items.par_iter().with_max_len(1).enumerate().map(|(i, item)| work(i, item)).collect())
    }
}
