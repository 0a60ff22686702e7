//! The task that owns the engine: it stamps what comes in, logs it, shows it to venue and engine,
//! and acts.
//!
//! Invariant: log first, then act. An event is in the log's buffer before the engine sees it, what
//! the engine says is there before anything follows from it, and an order leaves only when its
//! record is on the disk. Times given to the engine never regress. Trades up to a grid time and its
//! grace come before the tick, whatever else the machine is busy with, because batches carry the
//! time of their receipt.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arb_core::port::{Clock, View};
use arb_core::{
    EngineConfig, Event, EventKind, FeedState, Health, Hole, InstrumentId, MarketState, Output,
    Signal, Timestamp,
};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::asked::Asked;
use super::cell::Cell;
use super::error::NodeError;
use super::feeds::{Batch, Resume};
use super::grid::Grid;
use super::journal::{Begins, Journal};
use super::metrics::{Counters, add, set};
use super::notes::{Held, NoteRing};
use super::view::{Viewer, WholeAt, names};
use crate::record::log::{LogHeader, Poisoned, Seq, poison};

/// Where a driver's things come from and go to.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) batches: mpsc::Receiver<Batch>,
    pub(super) commands: mpsc::Receiver<Asked>,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) view: watch::Sender<Arc<View>>,
    pub(super) signals: watch::Sender<Arc<[Signal]>>,
    pub(super) whole_at: watch::Sender<WholeAt>,
    pub(super) resume: watch::Sender<Resume>,
    pub(super) notes: Arc<NoteRing>,
    pub(super) counters: Arc<Counters>,
}

/// Whether somebody wants the node to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    No,
    Yes,
}

/// The engine, its log, and the time.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) cell: Cell,
    pub(super) journal: Journal,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ends: Ends,
    pub(super) grid: Grid,
    /// Folder of the log.
    pub(super) folder: std::path::PathBuf,
    /// Most bytes that may wait for the disk.
    pub(super) max_waiting: usize,
    /// The configuration the node was started with, under the operator's settings.
    pub(super) base: EngineConfig,
    pub(super) viewer: Viewer,
    /// Time of the last event.
    pub(super) at: Timestamp,
    /// Outputs of the last event that the log lacks, because death came in between.
    pub(super) owed: usize,
    /// Something happened that a view shows.
    pub(super) news: News,
    /// What was last said about the log's health.
    pub(super) log_state: FeedState,
}

/// Whether there is something to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    Some,
}

/// Why the loop goes round.
enum Woken {
    Stop,
    Landed,
    Asked(Asked),
    Batch(Batch),
    Time,
}

impl Driver {
    /// Runs until somebody stops it or it fails; then everything is on the disk.
    pub(super) async fn run(mut self) -> Result<(), NodeError> {
        let ended = self.turns().await;
        if let Err(NodeError::Poisoned { seq, message }) = &ended {
            // Those who follow the log end before the event. It is named once it is on the disk: a
            // name without its event would be taken for that of the next one.
            self.journal.retire();
            if self.journal.barrier(Begins::Within).await? {
                let poisoned = Poisoned { seq: *seq, message: message.clone() };
                poison(&self.folder, &poisoned)?;
            }
        }
        ended
    }

    async fn turns(&mut self) -> Result<(), NodeError> {
        self.publish();
        loop {
            match self.woken().await {
                Woken::Stop => break,
                Woken::Landed => self.landed().await?,
                Woken::Asked(asked) => self.on_asked(asked).await?,
                Woken::Batch(batch) => self.on_batch(batch).await?,
                Woken::Time => self.advance_to(self.clock.now()).await?,
            }
            self.tend().await?;
        }
        self.finish().await
    }

    async fn woken(&mut self) -> Woken {
        let flush = self.journal.due();
        let wait = self.clock.wait(self.grid.due().min(self.cell.next_wakeup()));
        let flushing = self.journal.is_flushing();
        let Self { journal, ends, .. } = self;
        tokio::select! {
            biased;
            _ = ends.stop.wait_for(|stop| *stop == Stop::Yes) => Woken::Stop,
            Some(asked) = ends.commands.recv() => Woken::Asked(asked),
            Some(batch) = ends.batches.recv() => Woken::Batch(batch),
            () = tokio::time::sleep(wait) => Woken::Time,
            () = journal.until_landed(), if flushing => Woken::Landed,
            () = tokio::time::sleep_until(flush.unwrap_or_else(Instant::now)), if flush.is_some() => {
                Woken::Landed
            }
        }
    }

    /// What is due after every turn: the flush, the view.
    pub(super) async fn tend(&mut self) -> Result<(), NodeError> {
        if self.journal.has_landed() {
            self.landed().await?;
        }
        if self.journal.due().is_some_and(|due| due <= Instant::now()) {
            self.journal.start(self.begins());
        }
        if self.journal.waiting() > self.max_waiting {
            // A slow disk is waited for, a full one ends the node: protective stops rest at the
            // venue, and events that nobody keeps are no basis for decisions.
            if self.journal.is_stuck() {
                return Err(self.journal.no_room().unwrap_or(NodeError::Ended));
            }
            self.barrier().await?;
        }
        if self.news == News::Some || self.viewer.is_due(self.at) {
            self.publish();
        }
        Ok(())
    }

    async fn landed(&mut self) -> Result<(), NodeError> {
        self.journal.landed().await?;
        self.heed_log().await
    }

    /// Tells the engine when the log's health has changed.
    pub(super) async fn heed_log(&mut self) -> Result<(), NodeError> {
        let now = if self.journal.is_stuck() { FeedState::Down } else { FeedState::Up };
        if now == self.log_state {
            return Ok(());
        }
        self.log_state = now;
        if let Some(error) = self.journal.trouble() {
            add(&self.ends.counters.log_failures, 1);
            tracing::error!(
                %error,
                "the log cannot be written: entries stop, exits go on; make room on its disk"
            );
        } else {
            tracing::info!("the log can be written again");
        }
        let kind = EventKind::Health(Health::Log(now));
        self.input(Event { at: self.stamp(self.clock.now()), kind }).await.map(|_| ())
    }

    async fn on_batch(&mut self, batch: Batch) -> Result<(), NodeError> {
        let Batch { received, mut events } = batch;
        self.advance_to(received).await?;
        let at = self.stamp(received);
        let counters = &self.ends.counters;
        add(&counters.events, events.len() as u64);
        counters.last_batch_ns.store(received.as_nanos(), Ordering::Relaxed);
        match events.last().map(|event| &event.kind) {
            Some(EventKind::Trade(last)) => {
                counters.feed_lag.add((received.since(last.ts).max(0) / 1_000).unsigned_abs());
            }
            // Feeds that are opened again go on behind the last trade, so they are told it now.
            Some(EventKind::Gap(_)) => self.news = News::Some,
            _ => {}
        }
        for event in &mut events {
            event.at = at;
            self.decide(event)?;
            if !self.cell.is_quiet() {
                self.follow(event).await?;
            }
        }
        let took = self.clock.now().since(received).max(0) / 1_000;
        self.ends.counters.took(took.unsigned_abs());
        Ok(())
    }

    /// Tells ticks and venue requests that are due before `now`, each at its own time.
    pub(super) async fn advance_to(&mut self, now: Timestamp) -> Result<(), NodeError> {
        let skipped = self.grid.skip_stale(now);
        if skipped > 0 {
            add(&self.ends.counters.skipped_ticks, skipped);
            tracing::warn!(skipped, "ticks were left out because they were due long ago");
        }
        loop {
            let (tick, wakeup) = (self.grid.due(), self.cell.next_wakeup());
            if tick.min(wakeup) > now {
                return Ok(());
            }
            if wakeup <= tick {
                self.wake(wakeup).await?;
            } else {
                let (at, grid) = (self.stamp(tick), self.grid.next());
                self.grid.advance();
                self.input(Event { at, kind: EventKind::Tick(grid) }).await?;
                self.count_late();
                self.viewer.renew();
                self.news = News::Some;
            }
        }
    }

    /// Writes what the log's last event still owes: outputs, then the venue's answers.
    pub(super) async fn settle_owed(&mut self) -> Result<(), NodeError> {
        let told = self.cell.out.len().saturating_sub(std::mem::take(&mut self.owed));
        self.tell(told);
        self.answer(self.at).await
    }

    /// Makes everything so far durable.
    pub(super) async fn make_durable(&mut self) -> Result<(), NodeError> {
        match self.barrier().await? {
            true => Ok(()),
            false => Err(self.journal.no_room().unwrap_or(NodeError::Ended)),
        }
    }

    /// Lets the venue do what it was asked to do by `wakeup`.
    async fn wake(&mut self, wakeup: Timestamp) -> Result<(), NodeError> {
        let at = self.stamp(wakeup);
        self.cell.wake(at);
        self.at = at;
        self.answer(at).await
    }

    /// A time that does not lie before the last event.
    pub(super) fn stamp(&self, at: Timestamp) -> Timestamp {
        at.max(self.at)
    }

    /// Takes an event in, and everything the venue answers to it.
    ///
    /// What the venue was asked to do before that time it does first, as in every replay.
    pub(super) async fn input(&mut self, event: Event) -> Result<Seq, NodeError> {
        while self.cell.next_wakeup() < event.at {
            self.wake(self.cell.next_wakeup()).await?;
        }
        let seq = self.decide(&event)?;
        self.follow(&event).await?;
        Ok(seq)
    }

    /// What follows from an event: outputs, actions, answers, and what follows from those.
    async fn follow(&mut self, event: &Event) -> Result<(), NodeError> {
        self.tell(0);
        if self.cell.wants_action() {
            self.act(event).await?;
        }
        self.answer(event.at).await
    }

    /// Takes in what the venue has answered.
    pub(super) async fn answer(&mut self, at: Timestamp) -> Result<(), NodeError> {
        while let Some(answer) = self.cell.next_answer(at) {
            self.decide(&answer)?;
            self.tell(0);
            if self.cell.wants_action() {
                self.act(&answer).await?;
            }
        }
        Ok(())
    }

    /// Logs an event and shows it to venue and engine.
    #[inline]
    fn decide(&mut self, event: &Event) -> Result<Seq, NodeError> {
        let seq = self.journal.buffer.event(event)?;
        self.at = event.at;
        self.viewer.watch(event);
        // What a panic leaves behind is never looked at again: the node ends.
        let observed = catch_unwind(AssertUnwindSafe(|| self.cell.observe(event)));
        observed.map(|()| seq).map_err(|panic| NodeError::Poisoned { seq, message: words(&*panic) })
    }

    /// Logs and notes what the engine said, from the given output on.
    #[inline]
    pub(super) fn tell(&mut self, from: usize) {
        if self.cell.out.is_empty() {
            return;
        }
        let is_configured = |output: &Output| matches!(output, Output::Configured { .. });
        if self.cell.out.iter().skip(from).any(is_configured) {
            self.ends.notes.name(names(&self.cell.engine));
            self.viewer.reconfigured();
            if let Some(Ok(header)) = self.cell.engine.config().map(LogHeader::new) {
                self.journal.set_header(header);
            }
        }
        let event = self.journal.buffer.last().saturating_sub(from as u64);
        for (ordinal, output) in (0..).zip(&self.cell.out).skip(from) {
            // An output that cannot be encoded would be one that cannot be replayed: the next
            // start finds it missing and says so.
            let Ok(seq) = self.journal.buffer.output(output) else { continue };
            match output {
                Output::Hole(_) => add(&self.ends.counters.gaps, 1),
                Output::Dropped { .. } => add(&self.ends.counters.dropped, 1),
                _ => {}
            }
            set(&self.ends.counters.noted_seq, seq);
            let output = output.clone();
            self.ends.notes.push(Held { event, ordinal, at: self.at, output });
            self.news = News::Some;
        }
    }

    /// Carries out what the engine wants once its record is on the disk.
    pub(super) async fn act(&mut self, event: &Event) -> Result<(), NodeError> {
        let durable = self.barrier().await?;
        self.cell.act(event);
        if !durable {
            self.cell.refuse_entries();
        }
        Ok(())
    }

    pub(super) async fn barrier(&mut self) -> Result<bool, NodeError> {
        let durable = self.journal.barrier(self.begins()).await?;
        set(&self.ends.counters.durable_seq, *self.journal.durable().borrow());
        Ok(durable)
    }

    fn begins(&self) -> Begins {
        if self.cell.has_answers() { Begins::Within } else { Begins::Between }
    }

    fn count_late(&self) {
        let config = self.cell.engine.config();
        let count = config.map_or(0, |config| config.instruments.len());
        let ids = (0..u16::try_from(count).unwrap_or(u16::MAX)).map(InstrumentId);
        let late = ids.filter_map(|id| Some(self.cell.engine.market(id)?.late_trades())).sum();
        set(&self.ends.counters.late_trades, late);
    }

    /// Shows the present state to hosts and feeds.
    pub(super) fn publish(&mut self) {
        self.news = News::None;
        let seq = self.journal.buffer.last();
        set(&self.ends.counters.seq, seq);
        set(&self.ends.counters.durable_seq, *self.journal.durable().borrow());
        let view = self.viewer.view(&self.cell, seq, self.at);
        self.ends.view.send_replace(Arc::new(view));
        self.ends.signals.send_replace(self.viewer.signals());
        self.ends.resume.send_replace(Resume {
            last_trade_ids: last_trade_ids(&self.cell),
            last_settlements: last_settlements(&self.cell),
            holes: unfilled_holes(&self.cell),
        });
        self.ends.whole_at.send_replace(self.viewer.whole_at());
    }

    /// Takes in what has come, and makes everything durable.
    async fn finish(&mut self) -> Result<(), NodeError> {
        self.ends.batches.close();
        while let Ok(batch) = self.ends.batches.try_recv() {
            self.on_batch(batch).await?;
        }
        self.publish();
        self.make_durable().await
    }
}

/// What a panic said.
pub(super) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".to_owned())
}

/// What the engine still lacks, of all instruments.
fn unfilled_holes(cell: &Cell) -> Vec<Hole> {
    let count = cell.engine.config().map_or(0, |config| config.instruments.len());
    let ids = (0..u16::try_from(count).unwrap_or(u16::MAX)).map(InstrumentId);
    ids.filter_map(|id| cell.engine.market(id)).flat_map(MarketState::unfilled_holes).collect()
}

/// Ids of the last trades the engine has.
pub(super) fn last_trade_ids(cell: &Cell) -> Vec<Option<u64>> {
    of_each(cell, MarketState::last_trade_id)
}

/// The last settlements the engine was told.
fn last_settlements(cell: &Cell) -> Vec<Option<Timestamp>> {
    of_each(cell, |market| market.inputs().last_settlement())
}

fn of_each<T>(cell: &Cell, what: impl Fn(&MarketState) -> Option<T>) -> Vec<Option<T>> {
    let count = cell.engine.config().map_or(0, |config| config.instruments.len());
    let ids = (0..u16::try_from(count).unwrap_or(u16::MAX)).map(InstrumentId);
    ids.map(|id| cell.engine.market(id).and_then(&what)).collect()
}
