//! What the handlers of one host share.
//!
//! Invariant: everything here is a cache, a limit or a counter. Nothing is kept that a restart may
//! not lose.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arb_core::port::{Catalog, Listed, Principal};
use arb_core::{Market, Timestamp};
use axum::extract::FromRef;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::api::HourBook;
use crate::cache::{CatalogCache, RatesCache, TimedCache};
use crate::coins::Coins;
use crate::error::ApiError;
use crate::extract::Symbols;
use crate::factors::FactorBook;
use crate::host::Host;
use crate::idempotency::Idempotency;
use crate::limits::Limits;
use crate::metrics::{OpenStreams, Requests};
use crate::stream::Hub;

/// How long an expensive read waits for its turn.
const HEAVY_WAIT: Duration = Duration::from_secs(2);

/// State of every handler.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// What a host's handlers share; `host` is what the embedder gave.
pub(crate) struct Shared {
    pub(crate) host: Arc<Host>,
    pub(crate) started_at: Timestamp,
    /// Names this process in request ids and in ids of stream messages.
    pub(crate) boot: String,
    pub(crate) rates: RatesCache,
    pub(crate) timed: TimedCache,
    pub(crate) catalog: CatalogCache,
    pub(crate) factors: FactorBook,
    pub(crate) hours: HourBook,
    pub(crate) idempotency: Idempotency,
    pub(crate) limits: Limits,
    pub(crate) requests: Requests,
    pub(crate) streams: Arc<OpenStreams>,
    pub(crate) hub: Hub,
    heavy: Semaphore,
    next_request: AtomicU64,
    stopping: watch::Sender<Stopping>,
}

/// Whether the host is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    Yes,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<App> for Arc<Host> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.host)
    }
}

impl App {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        let options = &host.options;
        let boot = format!("{:08x}", RandomState::new().build_hasher().finish() >> 32);
        Self(Arc::new(Shared {
            started_at: host.clock.now(),
            hub: Hub::new(&boot, options.max_streams),
            boot,
            rates: RatesCache::default(),
            timed: TimedCache::default(),
            catalog: CatalogCache::default(),
            factors: FactorBook::default(),
            hours: HourBook::default(),
            idempotency: Idempotency::new(options),
            limits: Limits::new(options),
            requests: Requests::default(),
            streams: Arc::default(),
            heavy: Semaphore::new(options.max_heavy_reads),
            next_request: AtomicU64::new(1),
            stopping: watch::Sender::new(Stopping::No),
            host,
        }))
    }

    /// A number for a request that brought none.
    pub(crate) fn request_id(&self) -> String {
        let number = self.next_request.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number:x}", self.boot)
    }

    /// The configured perpetuals by name.
    pub(crate) fn coins(&self) -> Coins<'_> {
        Coins::new(&self.host.symbols)
    }

    /// The store's list of instruments.
    pub(crate) async fn listed(&self) -> Result<Arc<Catalog>, ApiError> {
        self.catalog.of(&*self.host.store).await
    }

    /// The perpetuals that were asked for, by key; the configured ones where none were named.
    pub(crate) async fn chosen(
        &self,
        symbols: Option<&Symbols>,
    ) -> Result<Vec<(String, Listed)>, ApiError> {
        let (catalog, coins) = (self.listed().await?, self.coins());
        let named = symbols.map(|symbols| symbols.0.as_slice()).filter(|named| !named.is_empty());
        let Some(named) = named else {
            // A configured perpetual that the store has not seen yet has no figures.
            let known = coins.symbols().filter_map(|symbol| {
                let of = catalog.find(Market::Um, symbol)?;
                Some((coins.coin(symbol).to_owned(), of))
            });
            return Ok(known.collect());
        };
        let found = named.iter().map(|given| {
            let (of, instrument) = coins.find(&catalog, given)?;
            Ok((coins.coin(&instrument.symbol).to_owned(), of))
        });
        found.collect()
    }

    /// A turn among the expensive reads.
    pub(crate) async fn heavy(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        match tokio::time::timeout(HEAVY_WAIT, self.heavy.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(ApiError::Busy),
        }
    }

    /// Who presents this access token or API key.
    pub(crate) async fn authenticate(&self, bearer: &str) -> Result<Principal, ApiError> {
        Ok(self.host.accounts.authenticate(bearer).await?)
    }

    /// Writes into the audit log what a caller did. It is done already, so a failure is for the
    /// log of the process.
    pub(crate) async fn note(&self, who: &Principal, action: &str, detail: &str) {
        if let Err(error) = self.host.accounts.note(who, action, detail).await {
            tracing::error!(user = who.user, action, %error, "cannot write the audit log");
        }
    }

    /// Tells everything that waits to end.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(Stopping::Yes);
    }

    /// Ends when the host is being stopped; what streams wait for beside their messages.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as this application.
        let _ = stopping.wait_for(|state| *state == Stopping::Yes).await;
    }
}
