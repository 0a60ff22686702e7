//! A desk over a store: what serves hosts where no engine runs.
//!
//! The node that holds the lease of a stream fills a store, shows itself there every few seconds and
//! at every tick, and takes requests from it. A [`StoredDesk`] reads all that, and asks.
//!
//! Invariant: it never tells more than the store holds, and says how old that is. A command is
//! confirmed when the node has logged it; one that no node takes while its asker waits is withdrawn
//! and never carried out later.

mod ask;
mod notes;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arb_core::port::{
    Answer, Catalog, Clock, Component, ComponentState, Cursor, DecisionRow, Desk, Measure,
    MeasureKind, MeasureValue, Notes, Receipt, Request, Shown, Store, TradingSettings, View,
};
use arb_core::time::nanos;
use arb_core::{Command, ConfigError, StoreError};
use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

/// How a desk over a store is made.
#[derive(Clone)]
pub struct DeskOptions {
    /// What a node fills.
    pub store: Arc<dyn Store>,
    /// The node's stream.
    pub stream: String,
    /// The node's time, to tell the age of what it shows.
    pub clock: Arc<dyn Clock>,
    /// Who asks, for the record.
    pub asked_by: String,
    /// Time between two looks into the store.
    pub poll: Duration,
    /// How long who asks waits for a node to take a request, and as long again for its answer.
    pub patience: Duration,
    /// How long a node may take a request whose asker died; not less than the patience.
    pub valid_for: Duration,
    /// Age of what is shown from which the node counts as lost.
    pub lost_after: Duration,
}

impl DeskOptions {
    /// A desk of the stream `node` that looks once a second, waits 5 s, leaves requests for 10 s,
    /// and takes a node for lost after 30 s.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            stream: "node".to_owned(),
            clock,
            asked_by: "api".to_owned(),
            poll: SECOND,
            patience: 5 * SECOND,
            valid_for: 10 * SECOND,
            lost_after: 30 * SECOND,
        }
    }
}

impl fmt::Debug for DeskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, clock, asked_by, poll, patience, .. } = self;
        f.debug_struct("DeskOptions")
            .field("stream", stream)
            .field("clock", clock)
            .field("asked_by", asked_by)
            .field("poll", poll)
            .field("patience", patience)
            .finish_non_exhaustive()
    }
}

/// A desk without an engine behind it; cheap to clone. It looks into the store until the last clone
/// is dropped.
#[derive(Clone, Debug)]
pub struct StoredDesk {
    shared: Arc<Shared>,
    /// Ends with the last clone.
    _poll: Arc<JoinSet<()>>,
}

/// What the desk, its task and its streams share.
#[derive(Debug)]
struct Shared {
    options: DeskOptions,
    seen: watch::Sender<Arc<Seen>>,
    /// Somebody waits for news.
    hurry: Notify,
    read_failures: AtomicU64,
    asked: AtomicU64,
}

/// The store as it was looked at last.
#[derive(Clone, Debug)]
struct Seen {
    /// Where the node stood when it was shown; zero before.
    shown: Cursor,
    view: Arc<View>,
    decisions: Arc<[DecisionRow]>,
    parts: Arc<[Component]>,
    /// The last record whose notes are stored.
    stored: Cursor,
    /// Why the last look failed, if it did.
    trouble: Option<String>,
}

impl StoredDesk {
    /// Looks into the store, and goes on looking. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read; one that no node has filled yet is no error.
    pub async fn open(options: DeskOptions) -> Result<Self, StoreError> {
        let seen = Seen {
            shown: Cursor::default(),
            view: Arc::new(View::empty()),
            decisions: Arc::from([]),
            parts: Arc::from([]),
            stored: Cursor::default(),
            trouble: None,
        };
        let seen = look(&options, &seen).await?;
        let shared = Arc::new(Shared {
            options,
            seen: watch::Sender::new(Arc::new(seen)),
            hurry: Notify::new(),
            read_failures: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        });
        let mut task = JoinSet::new();
        task.spawn(poll(Arc::clone(&shared)));
        Ok(Self { shared, _poll: Arc::new(task) })
    }

    /// Looks into the store now, for who cannot wait for the next regular look; returns when that
    /// look is over, or at the next regular one.
    pub async fn refresh(&self) {
        let mut seen = self.shared.seen.subscribe();
        self.shared.hurry.notify_one();
        // The sender lives as long as this desk.
        let _ = seen.changed().await;
    }
}

async fn poll(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(shared.options.poll) => {}
            () = shared.hurry.notified() => {}
        }
        let before = Arc::clone(&shared.seen.borrow());
        let seen = look(&shared.options, &before).await.unwrap_or_else(|error| {
            shared.read_failures.fetch_add(1, Ordering::Relaxed);
            if before.trouble.is_none() {
                tracing::warn!(%error, "the store cannot be read; what was read last is shown");
            }
            Seen { trouble: Some(error.to_string()), ..Seen::clone(&before) }
        });
        shared.seen.send_replace(Arc::new(seen));
    }
}

/// What there is now, given what was there before.
async fn look(options: &DeskOptions, before: &Seen) -> Result<Seen, StoreError> {
    let DeskOptions { store, stream, .. } = options;
    let stored = store.cursor(stream).await?.unwrap_or_default();
    let Some(shown) = store.shown(stream, before.shown).await? else {
        return Ok(Seen { stored, trouble: None, ..before.clone() });
    };
    let Shown { cursor, mut view, decisions, parts } = shown;
    let catalog = catalog_of(&**store, &view).await?;
    view.rates = store.latest_rates(&catalog).await?.into();
    Ok(Seen {
        shown: cursor,
        view: Arc::new(view),
        decisions: decisions.into(),
        parts: parts.into(),
        stored,
        trouble: None,
    })
}

/// The view's instruments with their stored numbers, in the view's order.
async fn catalog_of(store: &dyn Store, view: &View) -> Result<Catalog, StoreError> {
    let all = store.catalog().await?;
    let find = |name: &String| {
        let entry = all.iter().find(|(_, instrument)| instrument.qualified_name() == *name);
        let (listed, instrument) = entry.ok_or_else(|| StoreError::Corrupt {
            table: "instruments",
            key: name.clone(),
            what: "is shown by the node and not registered".to_owned(),
        })?;
        Ok((listed.key, instrument.clone()))
    };
    Ok(Catalog::new(view.instruments.iter().map(find).collect::<Result<_, StoreError>>()?))
}

impl Shared {
    fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen.borrow())
    }

    /// Whole seconds since the node was where it is shown; none when it was never shown.
    fn age_secs(&self, seen: &Seen) -> Option<i64> {
        let shown = seen.shown != Cursor::default();
        let age = self.options.clock.now().since(seen.view.at) / nanos(SECOND);
        shown.then_some(age.max(0))
    }

    /// Why the node counts as lost, if it does.
    fn lost(&self, seen: &Seen) -> Option<String> {
        let limit = nanos(self.options.lost_after) / nanos(SECOND);
        match self.age_secs(seen) {
            None => {
                Some("no node has shown itself in this store; start `arb run` on it".to_owned())
            }
            Some(age) if age > limit => Some(format!("the node was last seen {age} s ago")),
            Some(_) => None,
        }
    }
}

fn component(name: &str, state: ComponentState, detail: &str) -> Component {
    Component { name: name.to_owned(), state, detail: detail.to_owned() }
}

#[async_trait]
impl Desk for StoredDesk {
    fn snapshot(&self) -> Arc<View> {
        Arc::clone(&self.shared.seen().view)
    }

    fn decisions(&self) -> Vec<DecisionRow> {
        self.shared.seen().decisions.to_vec()
    }

    /// Each stream reads the store by itself: who serves many opens one and shares it.
    fn notes(&self, after_seq: u64) -> Notes {
        notes::stream(&self.shared, after_seq)
    }

    fn health(&self) -> Vec<Component> {
        let seen = self.shared.seen();
        let lost = self.shared.lost(&seen);
        let part = |name: &str| match (&lost, seen.parts.iter().find(|part| part.name == name)) {
            (None, Some(part)) => part.clone(),
            (None, None) => component(name, ComponentState::Off, "the node does not tell"),
            (Some(why), _) => component(name, ComponentState::Degraded, why),
        };
        let store = match &seen.trouble {
            Some(error) => {
                let detail = format!("it cannot be read, what is shown may be old: {error}");
                component("store", ComponentState::Degraded, &detail)
            }
            None if lost.is_some() => component("store", ComponentState::Ok, "it can be read"),
            None => part("store"),
        };
        vec![part("feed"), store, part("executor"), part("guard")]
    }

    fn measures(&self) -> Vec<Measure> {
        let seen = self.shared.seen();
        let count = |count: &AtomicU64| Some(count.load(Ordering::Relaxed));
        let age = self.shared.age_secs(&seen).and_then(|age| u64::try_from(age).ok());
        let figure = |name, help, kind, value: Option<u64>| Some((name, help, kind, value?));
        let figures = [
            figure(
                "arb_view_age_seconds",
                "Time since the node was where the store shows it.",
                MeasureKind::Gauge,
                age,
            ),
            figure(
                "arb_view_seq",
                "Last log record that the view includes.",
                MeasureKind::Counter,
                Some(seen.view.seq),
            ),
            figure(
                "arb_stored_seq",
                "Last log record that the store has.",
                MeasureKind::Counter,
                Some(seen.stored.seq),
            ),
            figure(
                "arb_store_read_failures_total",
                "Failed looks into the store.",
                MeasureKind::Counter,
                count(&self.shared.read_failures),
            ),
            figure(
                "arb_requests_total",
                "Requests that were entered for the node.",
                MeasureKind::Counter,
                count(&self.shared.asked),
            ),
        ];
        figures.into_iter().flatten().map(measure).collect()
    }

    async fn command(&self, command: Command) -> Result<Receipt, StoreError> {
        let unavailable = |what: &str| Err(StoreError::Unavailable(what.into()));
        match self.ask(Request::Command(command)).await? {
            Answer::Done(receipt) => Ok(receipt),
            Answer::Failed(why) => unavailable(&format!("the node could not do it: {why}")),
            Answer::Refused(error) => unavailable(&error.to_string()),
            untaken => unavailable(&self.why(&untaken)),
        }
    }

    async fn configure(&self, settings: TradingSettings) -> Result<Receipt, ConfigError> {
        let refuse = |what: String| ConfigError::new("settings", None, "node", what);
        let answer = self.ask(Request::Settings(settings)).await;
        match answer.map_err(|error| refuse(error.to_string()))? {
            Answer::Done(receipt) => Ok(receipt),
            Answer::Refused(error) => Err(error),
            Answer::Failed(why) => Err(refuse(format!("the node could not do it: {why}"))),
            untaken => Err(refuse(self.why(&untaken))),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for screens")]
fn measure((name, help, kind, value): (&'static str, &'static str, MeasureKind, u64)) -> Measure {
    Measure { name, help, kind, label: None, value: MeasureValue::Number(value as f64) }
}
