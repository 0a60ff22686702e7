//! What a feed met, counted where a host can read it.
//!
//! Invariant: counting a frame neither waits nor allocates. The counters outlive a feed: one that
//! is opened again goes on counting where the last one ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arb_core::Timestamp;

/// The counters of a feed, shared with whoever shows them.
#[derive(Debug, Default)]
pub struct FeedCounters {
    lines: Mutex<BTreeMap<String, Arc<LineCounters>>>,
    failed_requests: Mutex<BTreeMap<&'static str, u64>>,
    last_failure: Mutex<Option<String>>,
    pub(super) dropped: AtomicU64,
    pub(super) undecodable: AtomicU64,
    pub(super) overlooked: AtomicU64,
}

/// The counters of one line.
#[derive(Debug, Default)]
pub(super) struct LineCounters {
    pub(super) frames: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) lost: AtomicU64,
    /// Nanoseconds; 0 before the first frame.
    pub(super) last_frame_at: AtomicI64,
}

/// A feed at one moment; counts are since the process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedFigures {
    /// By the line's name, such as `market` or `market 2`.
    pub lines: BTreeMap<String, LineFigures>,
    /// Requests that failed for good, by what was asked for.
    pub failed_requests: BTreeMap<&'static str, u64>,
    /// The last failure, for people.
    pub last_failure: Option<String>,
    /// Records that could not be used.
    pub dropped: u64,
    /// Frames that could not be read at all.
    pub undecodable: u64,
    /// Trades that no connection brought although none was lost, found by asking.
    pub overlooked: u64,
}

/// A line at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineFigures {
    /// Frames read.
    pub frames: u64,
    /// Connections that delivered.
    pub connections: u64,
    /// Connections that ended or never came about.
    pub lost: u64,
    /// When the last frame came, venue time; none before the first.
    pub last_frame_at: Option<Timestamp>,
}

/// A count is right whoever panicked beside it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl FeedCounters {
    /// A copy of this moment.
    #[must_use]
    pub fn read(&self) -> FeedFigures {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let line = |(name, line): (&String, &Arc<LineCounters>)| {
            let last = line.last_frame_at.load(Ordering::Relaxed);
            let figures = LineFigures {
                frames: number(&line.frames),
                connections: number(&line.connections),
                lost: number(&line.lost),
                last_frame_at: (last != 0).then(|| Timestamp::from_nanos(last)),
            };
            (name.clone(), figures)
        };
        FeedFigures {
            lines: locked(&self.lines).iter().map(line).collect(),
            failed_requests: locked(&self.failed_requests).clone(),
            last_failure: locked(&self.last_failure).clone(),
            dropped: number(&self.dropped),
            undecodable: number(&self.undecodable),
            overlooked: number(&self.overlooked),
        }
    }

    pub(super) fn line(&self, name: &str) -> Arc<LineCounters> {
        Arc::clone(locked(&self.lines).entry(name.to_owned()).or_default())
    }

    pub(super) fn failed(&self, what: &'static str, failure: String) {
        *locked(&self.failed_requests).entry(what).or_default() += 1;
        self.failure(failure);
    }

    pub(super) fn failure(&self, failure: String) {
        *locked(&self.last_failure) = Some(failure);
    }
}
