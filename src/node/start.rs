//! How a node comes to stand where it stood.
//!
//! Invariant: nothing acts before the log was run to its end. What the last event still owed is
//! derived and written first; then the configuration, warm-up or lost contact, and only then feeds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arb_core::port::{Store, TradingSettings, View};
use arb_core::time::nanos;
use arb_core::{
    Command, ConfigError, EngineConfig, Event, EventKind, FeedState, Gap, InstrumentId, Output,
    PaperVenue, Phase, StoreError, Timestamp,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::driver::{Driver, Ends, News, Stop, last_trade_ids, words};
use super::error::NodeError;
use super::feeds::{Feed, Intake, Resume, supervise};
use super::follower::{Following, check_place, follow};
use super::grid::Grid;
use super::handle::Handle;
use super::journal::Journal;
use super::metrics::{Counters, set};
use super::notes::{Alive, Held, NoteRing};
use super::replica::Replica;
use super::settings::{self, Paused};
use super::tell::{Telling, tell};
use super::view::{Viewer, names};
use super::warm::History;
use super::{Node, NodeOptions, Started, requests, snapshot};
use crate::record::log::{
    LogCursor, LogHeader, LogWriter, Opened, Poisoned, Seq, poison, poisoned,
};

/// Trades of a new instrument read at once.
const NEWCOMER_PAGE: usize = 10_000;
/// Commands that may wait for the engine.
const COMMANDS: usize = 64;

pub(super) async fn start(mut options: NodeOptions) -> Result<Node, NodeError> {
    let base = configured(&mut options)?;
    let header = LogHeader::new(&options.config)?;
    let notes = Arc::new(NoteRing::new());
    let counters = Arc::new(Counters::default());
    counters.measure_also(std::mem::take(&mut options.gauges));
    let (opened, replica, mut started) = recover(&options, &header, &notes).await?;
    check_store(&options, started.records).await?;
    let (commands, asked) = mpsc::channel(COMMANDS);
    let (queue, batches) = mpsc::channel(options.queue.max(1));
    let (view, views) = watch::channel(Arc::new(View::empty()));
    let (signals, decisions) = watch::channel(Arc::from([]));
    let (whole_at, whole) = watch::channel(Arc::from([]));
    let (resume, resumed) = watch::channel(Resume::default());
    let stop = Arc::new(watch::Sender::new(Stop::No));
    let journal = Journal::new(opened.writer, header, options.flush_every);
    let durable = journal.durable();
    let ends = Ends {
        batches,
        commands: asked,
        stop: stop.subscribe(),
        view,
        signals,
        whole_at,
        resume,
        notes: Arc::clone(&notes),
        counters: Arc::clone(&counters),
    };
    let mut driver = driver(&options, base, (replica, journal), ends);
    let from = started.records;
    begin(&mut driver, &options, &mut started).await?;
    driver.publish();
    notes.name(names(&driver.cell.engine));

    let (alive, lives) = watch::channel(Alive::Yes);
    let handle = Handle {
        commands,
        view: views,
        signals: decisions,
        whole_at: whole,
        has_store: options.store.is_some(),
        clock: Arc::clone(&options.clock),
        notes: Arc::clone(&notes),
        alive: lives.clone(),
        counters: Arc::clone(&counters),
        stop,
    };
    let intake = Intake {
        clock: Arc::clone(&options.clock),
        queue,
        resume: resumed,
        counters: Arc::clone(&counters),
    };
    let mut tasks = JoinSet::new();
    if let Some(notifier) = options.notifier.take() {
        let (folder, clock) = (options.log.folder.clone(), Arc::clone(&options.clock));
        let telling = Telling { notifier, notes, alive: lives, counters, clock, folder, from };
        tasks.spawn(tell(telling));
    } else {
        // Nobody lags behind.
        set(&counters.told_seq, Seq::MAX);
    }
    let following = following(&options, durable, &handle);
    tasks.spawn(requests::serve(&following));
    tasks.spawn(watch_over(following, handle.clone()));
    let feeds = open(std::mem::take(&mut options.feeds), &intake);
    let driver = tokio::spawn(driver.run());
    Ok(Node { handle, started, driver, feeds, tasks, alive })
}

/// The driver of a replica that stands at the end of the log.
fn driver(
    options: &NodeOptions,
    base: EngineConfig,
    (replica, journal): (Replica, Journal),
    ends: Ends,
) -> Driver {
    let config = &options.config;
    Driver {
        base,
        viewer: Viewer::default(),
        grid: Grid::new(
            (config.grid_secs, config.paper.grid_grace_ms),
            options.clock.now(),
            replica.last_tick,
        ),
        at: replica.at,
        owed: replica.unlogged().len(),
        cell: replica.cell,
        journal,
        clock: Arc::clone(&options.clock),
        ends,
        folder: options.log.folder.clone(),
        max_waiting: options.max_waiting,
        news: News::Some,
        log_state: FeedState::Up,
    }
}

fn open(feeds: Vec<Feed>, intake: &Intake) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for feed in feeds {
        tasks.spawn(supervise(feed, intake.clone()));
    }
    tasks
}

fn following(options: &NodeOptions, durable: watch::Receiver<Seq>, handle: &Handle) -> Following {
    Following {
        config: options.config.clone(),
        registry: options.registry.clone(),
        log: options.log.clone(),
        stream: options.stream.clone(),
        store: options.store.clone(),
        keep: options.keep,
        rates_every: options.rates_every,
        durable,
        counters: Arc::clone(&handle.counters),
        desk: handle.clone(),
        leased: watch::Sender::new(None),
    }
}

/// Runs the follower; a log that does not fit its code halts the engine, because then nobody knows
/// what a restart would make of it.
async fn watch_over(what: Following, handle: Handle) {
    let followed = tokio::spawn(follow(what)).await;
    let error = match followed {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(died) => died.to_string(),
    };
    tracing::error!(error, "the log is no longer followed");
    let reason = format!("the log is no longer followed: {error}");
    let _ = arb_core::port::Desk::command(&handle, Command::Halt { reason }).await;
}

/// Lays the settings of an earlier run over the configuration; tells what it was without them.
fn configured(options: &mut NodeOptions) -> Result<EngineConfig, ConfigError> {
    let base = options.config.clone();
    if let Some(changed) = settings::read(&options.log.folder)? {
        options.config = settings::apply(&base, &lay_over(changed, &base))?;
    }
    Ok(base)
}

/// Makes sure that a store that answers was filled from this log.
async fn check_store(options: &NodeOptions, records: Seq) -> Result<(), NodeError> {
    let Some(store) = &options.store else { return Ok(()) };
    match store.cursor(&options.stream).await {
        Ok(Some(cursor)) => check_place(&options.stream, cursor.seq, records),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Settings of an earlier run over the configuration of this one: of its strategies those that are
/// still loaded, all where none is.
fn lay_over(mut settings: TradingSettings, base: &EngineConfig) -> TradingSettings {
    let loaded = settings::settings_of(base, Paused::No).enabled_strategies;
    settings.enabled_strategies.retain(|name| loaded.contains(name));
    if settings.enabled_strategies.is_empty() {
        settings.enabled_strategies = loaded;
    }
    settings
}

/// Opens the log and runs it to its end.
async fn recover(
    options: &NodeOptions,
    header: &LogHeader,
    notes: &Arc<NoteRing>,
) -> Result<(Opened, Replica, Started), NodeError> {
    let (log, header) = (options.log.clone(), header.clone());
    let (registry, config) = (options.registry.clone(), options.config.clone());
    let notes = Arc::clone(notes);
    let run = move || -> Result<_, NodeError> {
        let opened = LogWriter::open(log.clone(), &header)?;
        let last = opened.writer.last();
        let found = snapshot::newest(&log.folder, config.run, last);
        let snapshot = found.as_ref().map_or(0, |snapshot| snapshot.seq);
        let replica = match found {
            Some(snapshot) => Replica::restore(registry, snapshot)?,
            None => Replica::new(registry, PaperVenue::new(&config)),
        };
        let replica = rerun(replica, &log.folder, last, &notes)?;
        let torn = opened.torn.clone();
        if let Some(torn) = &torn {
            tracing::warn!(torn.bytes, torn.what, kept = %torn.kept.display(), "the log's end was torn");
        }
        let poisoned = poisoned(&log.folder)?.pop().map(|poisoned| poisoned.seq);
        let poisoned = poisoned.filter(|seq| *seq == last);
        let started = Started { snapshot, records: last, torn, warmed: 0, poisoned };
        Ok((opened, replica, started))
    };
    tokio::task::spawn_blocking(run).await.map_err(|e| NodeError::Task(e.to_string()))?
}

fn rerun(
    mut replica: Replica,
    folder: &Path,
    last: Seq,
    notes: &NoteRing,
) -> Result<Replica, NodeError> {
    let mut cursor = LogCursor::new(folder, replica.seq);
    loop {
        let step = catch_unwind(AssertUnwindSafe(|| replica.next(&mut cursor, last)));
        match step {
            Ok(Ok(Some((seq, _)))) => {
                let (event, at) = (seq, replica.at);
                for (ordinal, output) in (0..).zip(&replica.cell.out) {
                    notes.push(Held { event, ordinal, at, output: output.clone() });
                }
            }
            Ok(Ok(None)) => return Ok(replica),
            Ok(Err(error)) => return Err(error),
            Err(panic) => {
                let (seq, message) = (cursor.last(), words(&*panic));
                poison(folder, &Poisoned { seq, message: message.clone() })?;
                return Err(NodeError::Poisoned { seq, message });
            }
        }
    }
}

/// Everything between the log's end and the first event of a feed.
async fn begin(
    driver: &mut Driver,
    options: &NodeOptions,
    started: &mut Started,
) -> Result<(), NodeError> {
    driver.settle_owed().await?;
    let is_new = started.records == 0;
    if is_new {
        configure(driver, options, Timestamp::EPOCH).await?;
    }
    let now = options.clock.now().max(driver.at);
    if is_new && let Some(store) = &options.store {
        started.warmed = warm_up(driver, options, &**store).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "no warm-up from the store");
            0
        });
    }
    if driver.cell.engine.phase() == Phase::WarmUp {
        // Also of a warm-up that death cut short: what it lacks is a hole.
        driver.input(Event { at: driver.at.max(now), kind: EventKind::Phase(Phase::Live) }).await?;
    }
    if let Some(seq) = started.poisoned {
        let reason = format!("event {seq} made the engine panic and was passed over");
        let kind = EventKind::Command(Box::new(Command::Halt { reason }));
        driver.input(Event { at: now, kind }).await?;
    }
    let hash = arb_core::hash_of(&serde_json::to_vec(&options.config).unwrap_or_default());
    if driver.cell.engine.config_hash() != Some(hash.as_str()) {
        configure(driver, options, now).await?;
    }
    if !is_new && let Some(store) = &options.store {
        started.warmed += newcomers(driver, options, &**store).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "no history of new instruments from the store");
            0
        });
    }
    for (index, last) in (0..).zip(last_trade_ids(&driver.cell)) {
        // The log ends somewhere in the past: whatever came since was not seen.
        if let Some(after_id) = last {
            let kind = EventKind::Gap(Gap { instrument: InstrumentId(index), after_id });
            driver.input(Event { at: driver.at.max(now), kind }).await?;
        }
    }
    driver.make_durable().await
}

async fn configure(
    driver: &mut Driver,
    options: &NodeOptions,
    at: Timestamp,
) -> Result<(), NodeError> {
    driver.input(options.config.to_event(at)?).await?;
    let refused = driver.cell.out.iter().find_map(|output| match output {
        Output::ConfigRefused { message } => Some(message.clone()),
        _ => None,
    });
    match refused {
        Some(message) => {
            Err(ConfigError::new("configuration", None, "configuration", message).into())
        }
        None => Ok(()),
    }
}

/// Gives the engine the stored trades of instruments that it never saw trade: they were added to a
/// log that lives. No tick comes between them, so bars and windows are laid by the trades' own
/// times and nothing is decided meanwhile; tells how many trades.
async fn newcomers(
    driver: &mut Driver,
    options: &NodeOptions,
    store: &dyn Store,
) -> Result<u64, StoreError> {
    let broken = |error: NodeError| StoreError::Backend(Box::new(error));
    let specs: Vec<_> = options.config.instruments.iter().map(|i| i.spec.clone()).collect();
    let catalog = store.register(&specs).await?;
    let from = options.clock.now().plus(-nanos(options.warm_up));
    let mut count = 0;
    for (of, last) in catalog.iter().map(|(of, _)| of).zip(last_trade_ids(&driver.cell)) {
        let mut next = if last.is_none() { store.first_id_at(of.key, from).await? } else { None };
        while let Some(id) = next {
            let page = store.trades(of, id, NEWCOMER_PAGE).await?;
            next = page.last().map(|last| last.id + 1);
            for trade in page {
                let at = driver.at.max(trade.ts);
                driver.input(Event { at, kind: EventKind::Trade(trade) }).await.map_err(broken)?;
                count += 1;
            }
            driver.tend().await.map_err(broken)?;
        }
    }
    Ok(count)
}

/// Runs stored history through the engine; tells how many events.
async fn warm_up(
    driver: &mut Driver,
    options: &NodeOptions,
    store: &dyn Store,
) -> Result<u64, StoreError> {
    let broken = |error: NodeError| StoreError::Backend(Box::new(error));
    let specs: Vec<_> = options.config.instruments.iter().map(|i| i.spec.clone()).collect();
    let catalog = store.register(&specs).await?;
    let until = options.clock.now();
    let mut history = History::open(store, &catalog, (until, options.warm_up)).await?;
    let Some(mut event) = history.next().await? else { return Ok(0) };
    let kind = EventKind::Phase(Phase::WarmUp);
    driver.input(Event { at: event.at, kind }).await.map_err(broken)?;
    let paper = &options.config.paper;
    // Settlements reach back further than trades, and nothing is decided about them.
    let from = event.at.max(until.plus(-nanos(options.warm_up)));
    let mut grid = Grid::new((options.config.grid_secs, paper.grid_grace_ms), from, None);
    let mut count = 0;
    loop {
        while grid.next() < event.at {
            driver.input(Event::tick(grid.next())).await.map_err(broken)?;
            grid.advance();
        }
        driver.input(event).await.map_err(broken)?;
        count += 1;
        if count % 1_000 == 0 {
            driver.tend().await.map_err(broken)?;
        }
        match history.next().await? {
            Some(next) => event = next,
            None => break,
        }
    }
    set(&driver.ends.counters.seq, driver.journal.buffer.last());
    Ok(count)
}
