//! Feeds and their supervision: each runs in a task of its own and fills one bounded queue.
//!
//! Invariant: a trade is never thrown away here. A full queue makes the feed wait; only quotes that
//! a newer one of the same instrument follows in the same batch are left out then. A feed that
//! fails, or panics, is opened again after a pause, and its instruments have lost contact in
//! between.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arb_core::port::Clock;
use arb_core::port::MarketFeed;
use arb_core::{Event, EventKind, Hole, InstrumentId, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::metrics::{Counters, add};

/// Longest pause before a feed is opened again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a feed needs to know to go on without a hole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// Id of the last trade the engine has of each instrument; none where it has none.
    pub last_trade_ids: Vec<Option<u64>>,
    /// The last settlement of funding the engine was told of each instrument.
    pub last_settlements: Vec<Option<Timestamp>>,
    /// Holes of the last day that the engine still has, also those of an earlier life.
    pub holes: Vec<Hole>,
}

/// Makes a feed, also after the last one failed; connecting belongs into its first `next`.
pub type OpenFeed = Box<dyn FnMut(&Resume) -> Box<dyn MarketFeed> + Send>;

/// A feed of the node.
pub struct Feed {
    /// Its name in messages.
    pub name: String,
    /// The instruments whose trades it brings: without the feed they lose contact.
    pub instruments: Vec<InstrumentId>,
    /// Makes it.
    pub open: OpenFeed,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, instruments, .. } = self;
        f.debug_struct("Feed").field("name", name).field("instruments", instruments).finish()
    }
}

/// Events that came together.
#[derive(Debug)]
pub(super) struct Batch {
    /// When, in venue time.
    pub(super) received: Timestamp,
    pub(super) events: Vec<Event>,
}

/// What the tasks of feeds share.
#[derive(Clone, Debug)]
pub(super) struct Intake {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) queue: mpsc::Sender<Batch>,
    pub(super) resume: watch::Receiver<Resume>,
    pub(super) counters: Arc<Counters>,
}

/// Runs a feed until it ends.
pub(super) async fn supervise(mut feed: Feed, intake: Intake) {
    let mut pause = Duration::from_secs(1);
    loop {
        let resume = intake.resume.borrow().clone();
        let source = (feed.open)(&resume);
        // A task of its own, so that its panic is an error here.
        let mut task = JoinSet::new();
        task.spawn(run(source, intake.clone()));
        let started = tokio::time::Instant::now();
        let what = match task.join_next().await {
            Some(Ok(Ok(()))) => return,
            Some(Ok(Err(error))) => error.to_string(),
            Some(Err(died)) => died.to_string(),
            None => return,
        };
        tracing::warn!(feed = feed.name, error = what, "the feed failed and is opened again");
        if lose_contact(&feed.instruments, &intake, &resume).await.is_err() {
            return;
        }
        add(&intake.counters.feed_restarts, 1);
        if started.elapsed() > LONGEST_PAUSE {
            pause = Duration::from_secs(1);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn run(mut source: Box<dyn MarketFeed>, intake: Intake) -> Result<(), arb_core::VenueError> {
    let mut events = Vec::new();
    loop {
        let goes_on = source.next(&mut events).await?;
        if !events.is_empty() {
            let held = events.capacity();
            let batch = std::mem::replace(&mut events, Vec::with_capacity(held.min(4_096)));
            if send(batch, &intake).await.is_err() {
                return Ok(());
            }
        }
        if !goes_on {
            return Ok(());
        }
    }
}

/// The driver has ended.
struct Over;

async fn send(mut events: Vec<Event>, intake: &Intake) -> Result<(), Over> {
    if intake.queue.capacity() == 0 {
        add(&intake.counters.coalesced_quotes, coalesce(&mut events));
    }
    let received = intake.clock.now();
    let sent = intake.queue.send(Batch { received, events }).await;
    let waiting = intake.queue.max_capacity() - intake.queue.capacity();
    intake.counters.queue_depth.store(waiting as u64, Ordering::Relaxed);
    sent.map_err(|_| Over)
}

/// Leaves out quotes that a newer one of the same instrument follows; tells how many.
fn coalesce(events: &mut Vec<Event>) -> u64 {
    let mut newest: Vec<InstrumentId> = Vec::new();
    let mut keep = vec![true; events.len()];
    for (event, keep) in events.iter().zip(&mut keep).rev() {
        if let EventKind::Quote(quote) = &event.kind {
            *keep = !newest.contains(&quote.instrument);
            newest.push(quote.instrument);
        }
    }
    let before = events.len();
    let mut keep = keep.into_iter();
    events.retain(|_| keep.next().unwrap_or(true));
    (before - events.len()) as u64
}

async fn lose_contact(
    instruments: &[InstrumentId],
    intake: &Intake,
    resume: &Resume,
) -> Result<(), Over> {
    let newest = intake.resume.borrow().clone();
    let last = |id: &InstrumentId| {
        let of = |resume: &Resume| resume.last_trade_ids.get(id.index()).copied().flatten();
        of(&newest).or_else(|| of(resume)).unwrap_or_default()
    };
    let gap = |id: &InstrumentId| {
        let gap = arb_core::Gap { instrument: *id, after_id: last(id) };
        Event { at: Timestamp::EPOCH, kind: EventKind::Gap(gap) }
    };
    let events: Vec<Event> = instruments.iter().map(gap).collect();
    if events.is_empty() { Ok(()) } else { send(events, intake).await }
}

#[cfg(test)]
mod tests {
    use arb_core::Quote;

    use super::*;

    fn quote(instrument: u16, bid: &str) -> Event {
        let quote = Quote {
            instrument: InstrumentId(instrument),
            ts: Timestamp::EPOCH,
            best_bid: bid.parse().unwrap(),
            best_ask: "9".parse().unwrap(),
        };
        Event { at: Timestamp::EPOCH, kind: EventKind::Quote(quote) }
    }

    #[test]
    fn only_quotes_that_a_newer_one_follows_are_left_out() {
        let tick = Event::tick(Timestamp::EPOCH);
        let mut events =
            vec![quote(0, "1"), quote(1, "2"), tick.clone(), quote(0, "3"), tick.clone()];
        assert_eq!(coalesce(&mut events), 1);
        assert_eq!(events, [quote(1, "2"), tick.clone(), quote(0, "3"), tick]);
    }
}
