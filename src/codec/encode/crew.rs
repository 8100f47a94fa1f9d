//! Threads that compress, for all encoders of a run: whichever layer still has work, all of them work on it.
//!
//! Knows blocks and who waits for them. Must not know what they are written to.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::block::Block;

/// The threads that encoders share. With one thread there is none, and whoever writes compresses.
pub struct Crew {
    share: NonZeroUsize,
    deflaters: Option<Arc<Deflaters>>,
}

impl Crew {
    /// `threads` threads for as many encoders at a time as `encoders`.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn new(threads: NonZeroUsize, encoders: usize) -> io::Result<Crew> {
        let share = threads.get().checked_div(encoders.max(1)).and_then(NonZeroUsize::new);
        let deflaters = if threads.get() > 1 { Some(Arc::new(Deflaters::start(threads)?)) } else { None };
        Ok(Crew { share: share.unwrap_or(NonZeroUsize::MIN), deflaters })
    }

    /// How many threads an encoder that brings its own may have.
    pub(super) fn share(&self) -> NonZeroUsize {
        self.share
    }

    /// Those that deflate blocks.
    pub(super) fn deflaters(&self) -> Option<Arc<Deflaters>> {
        self.deflaters.clone()
    }
}

/// Threads that deflate blocks. They wait for nobody but who hands them one, so encoders may wait for them on any pool.
pub(super) struct Deflaters {
    /// Taken away when there is to be no more work.
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// Blocks that were handed out and not fetched yet.
    out: Arc<AtomicUsize>,
    /// Blocks to be used again.
    spare: Mutex<Vec<Block>>,
}

/// What a thread is handed: a block, and where to put it when it is deflated.
struct Job {
    block: Block,
    level: u32,
    reply: SyncSender<io::Result<Block>>,
}

impl Deflaters {
    fn start(threads: NonZeroUsize) -> io::Result<Deflaters> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(threads.get());
        let queue = Arc::new(Mutex::new(queue));
        let (out, spare) = (Arc::default(), Mutex::default());
        let mut deflaters = Deflaters { jobs: Some(jobs), threads: Vec::new(), out, spare };
        for _ in 0..threads.get() {
            let queue = Arc::clone(&queue);
            let work = move || while serve(&queue).is_some() {};
            deflaters.threads.push(thread::Builder::new().name("deflate".into()).spawn(work)?);
        }
        Ok(deflaters)
    }

    /// Whether so much is handed out, by whomever, that more would only fill memory.
    pub(super) fn are_busy(&self) -> bool {
        self.out.load(Ordering::Relaxed) >= self.threads.len().saturating_mul(2)
    }

    /// Hands a block out.
    pub(super) fn hand_out(&self, block: Block, level: u32) -> io::Result<Pending> {
        let (reply, receiver) = mpsc::sync_channel(1);
        self.out.fetch_add(1, Ordering::Relaxed);
        let pending = Pending { receiver, out: Arc::clone(&self.out) };
        let jobs = self.jobs.as_ref().ok_or_else(lost)?;
        jobs.send(Job { block, level, reply }).map_err(|_| lost())?;
        Ok(pending)
    }

    /// A block to fill.
    pub(super) fn empty(&self) -> Block {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(Block::new)
    }

    /// Takes a block back that is not needed any more.
    pub(super) fn recycle(&self, mut block: Block) {
        block.clear();
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(block);
    }
}

/// Does one job; `None` when there will be no more.
fn serve(queue: &Mutex<Receiver<Job>>) -> Option<()> {
    let Job { mut block, level, reply } = queue.lock().ok()?.recv().ok()?;
    let result = block.deflate(level).map(|()| block);
    // Nobody waits for it when the encoder was dropped.
    let _ = reply.send(result);
    Some(())
}

impl Drop for Deflaters {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has been noticed by the loss of its reply.
            let _ = thread.join();
        }
    }
}

/// A block that was handed out.
pub(super) struct Pending {
    receiver: Receiver<io::Result<Block>>,
    out: Arc<AtomicUsize>,
}

impl Pending {
    /// Waits until it is deflated.
    pub(super) fn fetch(self) -> io::Result<Block> {
        self.receiver.recv().map_err(|_| lost())?
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.out.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lost() -> io::Error {
    io::Error::other("a thread that deflates is gone")
}
