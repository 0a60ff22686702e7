//! Order books over the network: diff streams, snapshots by request, and a new snapshot after
//! every break.
//!
//! Source: *How to manage a local order book correctly*; the rules themselves are
//! [`OrderBook`]'s. A snapshot is asked for once an update waits for it, because one that is older
//! than the first update cannot be continued.
//!
//! Invariant: what a [`Shelf`] shows is a book in step, or nothing: from the first sign of a
//! missing update until the next snapshot fits, there are no levels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arb_core::{InstrumentId, Timestamp, VenueError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::backoff::Backoff;
use super::dialer::Dialer;
use super::line::{Line, LineConfig, LineEvent};
use super::rest::FuturesRest;
use crate::book::{BookSide, DepthRules, OrderBook, SnapshotOutcome, UpdateOutcome};
use crate::wire::rest::DepthSnapshot;
use crate::wire::{self, DepthUpdate, Level, Message, Reader, SymbolTable};

/// Streams of a connection.
const MOST_STREAMS: usize = 1_024;
/// Levels a side of a snapshot; it weighs 20.
const SNAPSHOT: u16 = 1_000;
/// A quiet book still changes within this.
const SILENCE: Duration = Duration::from_secs(60);
/// Frames of a line that wait before it does.
const WAITING: usize = 1_024;

/// The best levels of a book in step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookView {
    /// The last update inside; none while the book is out of step, and then there are no levels.
    pub update_id: Option<u64>,
    /// When the venue sent that update; none right after a snapshot.
    pub at: Option<Timestamp>,
    /// Buy levels, best first.
    pub bids: Vec<Level>,
    /// Sell levels, best first.
    pub asks: Vec<Level>,
}

/// Where the books of some perpetuals are shown.
#[derive(Debug)]
pub struct Shelf {
    views: BTreeMap<InstrumentId, watch::Sender<BookView>>,
    depth: usize,
    snapshots: AtomicU64,
    breaks: AtomicU64,
}

impl Shelf {
    /// A shelf for these instruments that shows `depth` levels a side.
    #[must_use]
    pub fn new(instruments: impl IntoIterator<Item = InstrumentId>, depth: usize) -> Self {
        let view = |instrument| (instrument, watch::Sender::new(BookView::default()));
        Self {
            views: instruments.into_iter().map(view).collect(),
            depth,
            snapshots: AtomicU64::new(0),
            breaks: AtomicU64::new(0),
        }
    }

    /// Follows the book of an instrument; none where it has no place here.
    #[must_use]
    pub fn watch(&self, instrument: InstrumentId) -> Option<watch::Receiver<BookView>> {
        Some(self.views.get(&instrument)?.subscribe())
    }

    /// Snapshots that were taken.
    #[must_use]
    pub fn snapshots(&self) -> u64 {
        self.snapshots.load(Ordering::Relaxed)
    }

    /// Times a book that was in step fell out of it.
    #[must_use]
    pub fn breaks(&self) -> u64 {
        self.breaks.load(Ordering::Relaxed)
    }

    fn has(&self, instrument: InstrumentId) -> bool {
        self.views.contains_key(&instrument)
    }

    fn show(&self, instrument: InstrumentId, book: &OrderBook, at: Option<Timestamp>) {
        let Some(view) = self.views.get(&instrument) else { return };
        view.send_modify(|view| {
            view.update_id = book.update_id();
            view.at = at;
            for (levels, side) in
                [(&mut view.bids, BookSide::Bids), (&mut view.asks, BookSide::Asks)]
            {
                levels.clear();
                if book.is_synced() {
                    levels.extend(book.levels(side).take(self.depth));
                }
            }
        });
    }
}

/// Books that are kept in step; dropping it ends their connections.
#[derive(Debug)]
pub struct Depth {
    _tasks: JoinSet<()>,
}

impl Depth {
    /// Follows the books of these symbols on the present tokio runtime. `address` is that of the
    /// futures streams before the routed path; symbols without a place on the shelf are left out.
    #[must_use]
    pub fn start(
        address: &str,
        symbols: &[(InstrumentId, String)],
        rest: &FuturesRest,
        dialer: &Arc<Dialer>,
        shelf: &Arc<Shelf>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let wanted: Vec<_> = symbols.iter().filter(|(id, _)| shelf.has(*id)).cloned().collect();
        for (number, part) in wanted.chunks(MOST_STREAMS).enumerate() {
            let stream = |(_, symbol): &(InstrumentId, String)| {
                format!("{}@depth@100ms", symbol.to_lowercase())
            };
            let streams: Vec<String> = part.iter().map(stream).collect();
            let name = format!("depth {}", number + 1);
            let mut config =
                LineConfig::streams(name, format!("{address}/public/stream"), &streams);
            config.silence = SILENCE;
            let (out, events) = mpsc::channel(WAITING);
            let line = Line::start(config, Arc::clone(dialer), out);
            let books = Books::new(part, rest.clone(), Arc::clone(shelf));
            tasks.spawn(books.follow(line, events));
        }
        Self { _tasks: tasks }
    }
}

/// One book with its request for a snapshot.
#[derive(Debug)]
struct Kept {
    symbol: String,
    book: OrderBook,
    is_asked: bool,
    backoff: Backoff,
}

type Answer = (InstrumentId, Result<DepthSnapshot, VenueError>);

/// The books of one line.
#[derive(Debug)]
struct Books {
    books: BTreeMap<InstrumentId, Kept>,
    reader: Reader,
    rest: FuturesRest,
    shelf: Arc<Shelf>,
    up: u32,
    requests: JoinSet<Answer>,
}

impl Books {
    fn new(symbols: &[(InstrumentId, String)], rest: FuturesRest, shelf: Arc<Shelf>) -> Self {
        let table = SymbolTable::new(symbols.iter().map(|(id, symbol)| (symbol.as_str(), *id)));
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(30));
        let kept = |(instrument, symbol): &(InstrumentId, String)| {
            let kept = Kept {
                symbol: symbol.clone(),
                book: OrderBook::new(DepthRules::Futures),
                is_asked: false,
                backoff: Backoff::new(first, longest, symbol),
            };
            (*instrument, kept)
        };
        Self {
            books: symbols.iter().map(kept).collect(),
            reader: wire::futures::reader(table),
            rest,
            shelf,
            up: 0,
            requests: JoinSet::new(),
        }
    }

    async fn follow(mut self, _line: Line, mut events: mpsc::Receiver<LineEvent>) {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.line_event(event),
                    None => return,
                },
                Some(answered) = self.requests.join_next() => {
                    if let Ok((instrument, answer)) = answered {
                        self.answered(instrument, answer);
                    }
                }
            }
        }
    }

    fn line_event(&mut self, event: LineEvent) {
        match event {
            LineEvent::Up { .. } => self.up += 1,
            LineEvent::Frames { frames, .. } => {
                let Self { books, reader, shelf, rest, requests, .. } = self;
                for frame in frames.iter() {
                    reader.read(frame, |message| {
                        if let Message::Depth(update) = message
                            && let Some(kept) = books.get_mut(&update.instrument)
                        {
                            kept.update(&update, shelf);
                            kept.ask(update.instrument, rest, requests);
                        }
                    });
                }
            }
            LineEvent::Down { was_up, .. } => {
                self.up = self.up.saturating_sub(u32::from(was_up));
                if self.up == 0 {
                    for (instrument, kept) in &mut self.books {
                        kept.lose(*instrument, &self.shelf);
                    }
                }
            }
        }
    }

    fn answered(&mut self, instrument: InstrumentId, answer: Result<DepthSnapshot, VenueError>) {
        let Some(kept) = self.books.get_mut(&instrument) else { return };
        kept.is_asked = false;
        match answer {
            Ok(snapshot) => {
                self.shelf.snapshots.fetch_add(1, Ordering::Relaxed);
                // A late answer must not replace a book that is in step.
                if kept.book.is_synced() {
                    return;
                }
                if let SnapshotOutcome::Synced { .. } = kept.book.snapshot(&snapshot) {
                    kept.backoff.reset();
                    self.shelf.show(instrument, &kept.book, None);
                    return;
                }
                tracing::debug!(symbol = kept.symbol, "a book's snapshot was too old");
            }
            Err(error) => {
                tracing::warn!(symbol = kept.symbol, %error, "a book's snapshot failed");
            }
        }
        // The next one after a while: the venue may serve the same old one at once.
        kept.ask(instrument, &self.rest, &mut self.requests);
    }
}

impl Kept {
    fn update(&mut self, update: &DepthUpdate<'_>, shelf: &Shelf) {
        match self.book.update(update) {
            UpdateOutcome::Applied => {
                shelf.show(update.instrument, &self.book, Some(update.sent_at));
            }
            UpdateOutcome::Gap => {
                shelf.breaks.fetch_add(1, Ordering::Relaxed);
                shelf.show(update.instrument, &self.book, None);
            }
            UpdateOutcome::Buffered | UpdateOutcome::Old => {}
        }
    }

    /// Asks for a snapshot where the book is out of step and none is on its way.
    fn ask(
        &mut self,
        instrument: InstrumentId,
        rest: &FuturesRest,
        requests: &mut JoinSet<Answer>,
    ) {
        if self.is_asked || self.book.is_synced() {
            return;
        }
        self.is_asked = true;
        let (rest, symbol, wait) = (rest.clone(), self.symbol.clone(), self.backoff.next());
        requests.spawn(async move {
            tokio::time::sleep(wait).await;
            (instrument, rest.depth(&symbol, SNAPSHOT).await)
        });
    }

    fn lose(&mut self, instrument: InstrumentId, shelf: &Shelf) {
        if self.book.is_synced() {
            shelf.breaks.fetch_add(1, Ordering::Relaxed);
        }
        self.book.reset();
        shelf.show(instrument, &self.book, None);
    }
}
