//! A tape read on a thread of its own, some batches ahead of who uses them.
//!
//! Invariant: the same events in the same order as from the tape itself, then the same error. At
//! most [`AHEAD`] batches wait, so memory does not depend on how slow the user is.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use arb_core::Event;

use super::error::TapeError;
use super::{Tape, TapeStats};

/// Batches that may wait.
const AHEAD: usize = 3;
/// Events of a batch, but for a few: handing one over costs a wake-up of the other thread.
const EVENTS: usize = 8_192;

/// Events and the packed bytes read until behind them.
type Batch = Result<(Vec<Event>, u64), TapeError>;

/// Recorded events in their total order, decoded while the ones before are in use.
///
/// Made by [`Tape::read_ahead`].
#[derive(Debug)]
pub struct ReadAhead {
    batches: Receiver<Batch>,
    /// Takes used vectors back.
    used: Sender<Vec<Event>>,
    thread: JoinHandle<TapeStats>,
    bytes_read: u64,
}

impl Tape {
    /// Goes on reading on a thread of its own.
    ///
    /// # Errors
    /// [`TapeError::Io`] where the system gives no thread.
    pub fn read_ahead(self) -> Result<ReadAhead, TapeError> {
        let (given, batches) = sync_channel(AHEAD);
        let (used, spare) = channel();
        let bytes_read = self.stats.bytes_read;
        let thread = Builder::new()
            .name("tape".to_owned())
            .spawn(move || self.give(&given, &spare))
            .map_err(|source| TapeError::Io { file: "the reading thread".into(), source })?;
        Ok(ReadAhead { batches, used, thread, bytes_read })
    }

    /// Reads to the end, the first error, or until nobody listens.
    fn give(mut self, to: &SyncSender<Batch>, spare: &Receiver<Vec<Event>>) -> TapeStats {
        loop {
            let mut events = spare.try_recv().unwrap_or_default();
            events.clear();
            let mut read = Ok(1);
            while events.len() < EVENTS && matches!(read, Ok(1..)) {
                read = self.next_batch(&mut events);
            }
            let is_last = !matches!(read, Ok(1..));
            if !events.is_empty() && to.send(Ok((events, self.stats.bytes_read))).is_err() {
                break;
            }
            if let Err(error) = read {
                let _ = to.send(Err(error));
            }
            if is_last {
                break;
            }
        }
        self.stats
    }
}

impl ReadAhead {
    /// Replaces `out` by the next events and tells how many; zero at the end.
    ///
    /// # Errors
    /// As [`Tape::next_batch`].
    pub fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<usize, TapeError> {
        let used = std::mem::take(out);
        if used.capacity() > 0 {
            // At the end of the tape nobody takes it.
            let _ = self.used.send(used);
        }
        let Ok(batch) = self.batches.recv() else { return Ok(0) };
        (*out, self.bytes_read) = batch?;
        Ok(out.len())
    }

    /// Packed bytes read for what was given so far, of [`Tape::total_bytes`].
    #[must_use]
    pub const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Ends reading and tells what was read, which is more than was given before the end.
    #[must_use]
    pub fn finish(self) -> TapeStats {
        drop(self.batches);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
