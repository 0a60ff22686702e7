//! New connections within what the venue allows an address.
//!
//! Source: 300 new connections in five minutes and address; repeated violations ban the address.
//!
//! Invariant: whoever connects asks here first, so that a venue which accepts and then cuts is not
//! besieged: what is above the limit waits for its turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arb_core::port::Clock;
use tokio::time::{Instant, sleep_until};

/// Four fifths of what is documented; the rest is for orders and for others behind the address.
const CONNECTIONS: usize = 240;
const PERIOD: Duration = Duration::from_secs(300);

/// Counts the new connections of all hosts; one for everything that runs behind an address.
#[derive(Debug)]
pub struct Dialer {
    clock: Arc<dyn Clock>,
    /// When connections to a host were begun, ascending.
    begun: Mutex<BTreeMap<String, VecDeque<Instant>>>,
}

impl Dialer {
    /// A dialer that has not dialled yet; `clock` tells venue time, in which bans end.
    #[must_use]
    pub const fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, begun: Mutex::new(BTreeMap::new()) }
    }

    /// Waits until a connection to this address may be begun, and counts it.
    pub(super) async fn admit(&self, address: &str) {
        while let Err(due) = self.ask(host(address), Instant::now()) {
            sleep_until(due).await;
        }
    }

    /// Counts a connection, or tells when to ask again.
    fn ask(&self, host: &str, now: Instant) -> Result<(), Instant> {
        // A count is right whoever panicked beside it.
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let times = begun.entry(host.to_owned()).or_default();
        while times.front().is_some_and(|first| now.duration_since(*first) >= PERIOD) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= CONNECTIONS => Err(*first + PERIOD),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

/// `fstream.binance.com` of `wss://fstream.binance.com/market/stream`.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use arb_core::Timestamp;

    use super::*;

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }

        fn wait(&self, _: Timestamp) -> Duration {
            Duration::ZERO
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connections_beyond_the_limit_wait_until_the_first_is_five_minutes_old() {
        let dialer = Dialer::new(Arc::new(Still));
        let began = Instant::now();
        for _ in 0..CONNECTIONS {
            dialer.admit("wss://fstream.binance.com/market/stream").await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        dialer.admit("wss://stream.binance.com/stream").await;
        assert_eq!(began.elapsed(), Duration::ZERO, "another host has its own count");
        dialer.admit("wss://fstream.binance.com/public/stream").await;
        assert!(began.elapsed() >= PERIOD, "{:?}", began.elapsed());
    }
}
