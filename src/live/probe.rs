//! Whether the venue answers from here, part by part.

use std::sync::Arc;
use std::time::Duration;

use arb_binance::Limits;
use arb_binance::net::{Addresses, Broker, FuturesRest, Rest, SpotRest, try_stream};
use arb_binance::wire::SymbolTable;
use arb_core::port::Clock;
use arb_core::{Market, VenueError};

use super::{LiveError, VenueClock, venue};

/// How long a stream may take to deliver; the quietest one sends every second.
const PATIENCE: Duration = Duration::from_secs(15);

/// How the machine's clock stands against the venue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// Milliseconds that the venue is ahead.
    pub offset_ms: i64,
    /// How wrong that may be, milliseconds.
    pub uncertainty_ms: i64,
}

/// Whether the venue answers from here, and how `clock` stands against its own.
///
/// # Errors
/// [`LiveError::Venue`] with what a person should do, [`LiveError::Config`] for bad addresses.
pub async fn probe(
    addresses: &Addresses,
    clock: Arc<dyn Clock>,
) -> Result<ClockReading, LiveError> {
    addresses.check("addresses")?;
    let clock = Arc::new(VenueClock::new(clock));
    let broker = Arc::new(Broker::new(Limits::FUTURES, Arc::clone(&clock) as Arc<dyn Clock>));
    let venue = || venue("the venue's clock".to_owned());
    let rest = Rest::new(&addresses.futures_rest, Market::Um, broker).map_err(venue())?;
    let rest = FuturesRest::new(rest, Arc::new(SymbolTable::new([])));
    Ok(clock.measure(&rest).await.map_err(venue())?.reading())
}

/// A part of the venue that was tried.
#[derive(Debug)]
pub struct Tried {
    /// Its name, such as `spot requests`.
    pub part: &'static str,
    /// Where it is.
    pub address: String,
    /// Whether it delivers.
    pub outcome: Result<(), VenueError>,
}

/// Tries what a node needs beside the futures requests: spot requests, both routed paths of
/// futures streams, spot streams, Coinbase.
pub async fn try_parts(addresses: &Addresses, clock: Arc<dyn Clock>) -> Vec<Tried> {
    let binance =
        |stream: &str| format!(r#"{{"method":"SUBSCRIBE","params":["{stream}"],"id":1}}"#);
    let futures = |path: &str| format!("{}/{path}/stream", addresses.futures_ws);
    let streams = [
        ("market streams", Some(futures("market")), binance("!markPrice@arr@1s")),
        ("public streams", Some(futures("public")), binance("btcusdt@bookTicker")),
        (
            "spot streams",
            Some(format!("{}/stream", addresses.spot_ws)),
            binance("btcusdt@bookTicker"),
        ),
        ("coinbase", addresses.coinbase_ws.clone(), coinbase()),
    ];
    let mut tried = vec![spot(addresses, clock).await];
    let given =
        streams.into_iter().filter_map(|(part, address, text)| Some((part, address?, text)));
    let all = given.map(|(part, address, text)| async move {
        let outcome = try_stream(&address, &text, PATIENCE).await;
        Tried { part, address, outcome }
    });
    tried.extend(futures_util::future::join_all(all).await);
    tried
}

fn coinbase() -> String {
    r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["ticker"]}"#.to_owned()
}

async fn spot(addresses: &Addresses, clock: Arc<dyn Clock>) -> Tried {
    let address = addresses.spot_rest.clone();
    let broker = Arc::new(Broker::new(Limits::SPOT, clock));
    let outcome = match Rest::new(&address, Market::Spot, broker) {
        Ok(rest) => SpotRest::new(rest).exchange_info().await.map(|_| ()),
        Err(error) => Err(error),
    };
    Tried { part: "spot requests", address, outcome }
}
