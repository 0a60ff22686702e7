//! The server around the venue: HTTP and WebSocket in, virtual time from the clock.
//!
//! Invariant: it decides nothing. Every request and message goes to the one [`Venue`] under one
//! lock, so that what the venue says and what connections get have the same order. Only here is a
//! clock read.

mod control;
mod gate;
mod rest;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arb_core::Timestamp;
use axum::Router;
use axum::serve::ListenerExt as _;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::gate::Gate;
use self::socket::Sockets;
use super::market::SimMarket;
use super::venue::{Outbox, Venue, VenueConfig};

/// Wall time between ticks while somebody listens, and while nobody does.
const BUSY_TICK: Duration = Duration::from_millis(2);
const IDLE_TICK: Duration = Duration::from_millis(20);

/// Where a running venue is found: what `--ready-json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Base of futures REST; paths begin with `/fapi` or `/futures/data`.
    pub futures_rest: String,
    /// Base of futures streams; paths begin with `/public` or `/market`.
    pub futures_ws: String,
    /// Base of spot REST; paths begin with `/api`.
    pub spot_rest: String,
    /// Base of spot streams; paths are `/ws` and `/stream` behind it.
    pub spot_ws: String,
    /// Coinbase's Exchange feed.
    pub coinbase_exchange_ws: String,
    /// Coinbase's Advanced Trade feed.
    pub coinbase_advanced_ws: String,
    /// Base of the control endpoint.
    pub control: String,
    /// Virtual time.
    pub clock: ClockInfo,
}

/// How virtual time follows wall time: `epoch_ms + (wall − wall_ms) × speed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClockInfo {
    /// Virtual time at the start, milliseconds since 1970.
    pub epoch_ms: i64,
    /// Wall time at the start, milliseconds since 1970.
    pub wall_ms: i64,
    /// Virtual milliseconds in one of the wall.
    pub speed: u32,
}

/// Virtual time.
#[derive(Clone, Copy, Debug)]
struct Clock {
    started: Instant,
    info: ClockInfo,
}

impl Clock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_nanos()).unwrap_or(i64::MAX);
        let epoch = Timestamp::from_millis(self.info.epoch_ms);
        epoch.plus(passed.saturating_mul(i64::from(self.info.speed)))
    }
}

/// The venue and who is connected.
#[derive(Debug)]
struct Core {
    venue: Venue,
    outbox: Outbox,
    sockets: Sockets,
}

#[derive(Debug)]
struct Shared {
    core: Mutex<Core>,
    market: Arc<SimMarket>,
    clock: Clock,
    away: AtomicBool,
}

impl Shared {
    /// A panic elsewhere leaves the venue usable: it is consistent between calls.
    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running venue. It stops when it is dropped.
#[derive(Debug)]
pub struct SimServer {
    shared: Arc<Shared>,
    addresses: Addresses,
    tasks: [JoinHandle<()>; 2],
}

impl SimServer {
    /// Starts to serve a market on a listener.
    ///
    /// # Errors
    /// Where the listener has no address.
    pub fn start(
        listener: TcpListener,
        market: Arc<SimMarket>,
        config: VenueConfig,
    ) -> io::Result<Self> {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let info = ClockInfo {
            epoch_ms: market.epoch().as_millis(),
            wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX),
            speed: config.speed.max(1),
        };
        let addresses = addresses(listener.local_addr()?, info);
        let core = Core {
            venue: Venue::new(market.clone(), config),
            outbox: Outbox::default(),
            sockets: Sockets::default(),
        };
        let shared = Arc::new(Shared {
            core: Mutex::new(core),
            market,
            clock: Clock { started: Instant::now(), info },
            away: AtomicBool::new(false),
        });
        let tasks =
            [tokio::spawn(tick(shared.clone())), tokio::spawn(serve(listener, shared.clone()))];
        Ok(Self { shared, addresses, tasks })
    }

    /// Where it is found.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.core().sockets.clear();
    }
}

fn addresses(local: SocketAddr, clock: ClockInfo) -> Addresses {
    let (http, ws) = (format!("http://{local}"), format!("ws://{local}"));
    Addresses {
        spot_ws: format!("{ws}/spot"),
        coinbase_exchange_ws: format!("{ws}/coinbase/exchange"),
        coinbase_advanced_ws: format!("{ws}/coinbase/advanced"),
        control: format!("{http}/control"),
        spot_rest: http.clone(),
        futures_rest: http,
        futures_ws: ws,
        clock,
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = Router::new()
        .fallback(rest::handle)
        .with_state(shared.clone())
        .into_make_service_with_connect_info::<SocketAddr>();
    // Small frames must not wait for each other's acknowledgement.
    let gate = Gate { listener, shared }.tap_io(|stream| _ = stream.set_nodelay(true));
    // It only ends with the task.
    let _ = axum::serve(gate, router).await;
}

/// Says what is due, again and again.
async fn tick(shared: Arc<Shared>) {
    loop {
        let listened = {
            let mut core = shared.core();
            let now = shared.clock.now();
            let Core { venue, outbox, sockets } = &mut *core;
            venue.tick(now, outbox);
            sockets.deliver(venue, outbox);
            shared.away.store(venue.is_away(), Ordering::Relaxed);
            venue.open_connections() > 0
        };
        tokio::time::sleep(if listened { BUSY_TICK } else { IDLE_TICK }).await;
    }
}
