//! Whether the venue answers from here.

use std::sync::Arc;

use arb_binance::Limits;
use arb_binance::net::{Addresses, Broker, FuturesRest, Rest};
use arb_binance::wire::SymbolTable;
use arb_core::Market;
use arb_core::port::Clock;

use super::{LiveError, VenueClock, venue};

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
