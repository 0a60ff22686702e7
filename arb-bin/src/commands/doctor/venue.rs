//! Whether the venue serves this machine: requests, streams, clock.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arb::live::{Addresses, ClockReading, Tried, probe, try_parts};
use arb::node::WallClock;
use arb::port::Clock;

use super::Found;
use crate::commands::run::simulated;
use crate::config::{Config, DataVenue};
use crate::output::message;

/// A clock this wrong is corrected, and told of.
const WRONG_MS: i64 = 500;
/// A clock this wrong stops entries: the engine's own limit.
const FAR_MS: i64 = 5_000;

/// Tries every part of the venue.
pub(super) async fn look(line: Option<&Path>, config: Option<&Config>) -> Result<Vec<Found>> {
    let configured = config.map(|config| &config.settings);
    let configured = configured
        .filter(|settings| settings.data_venue == DataVenue::Sim)
        .and_then(|settings| settings.venue_json.as_deref());
    let (addresses, clock): (Addresses, Arc<dyn Clock>) = match line.or(configured) {
        Some(file) => match simulated(file).await {
            Ok(found) => found,
            Err(error) => {
                let remedy = "start arb sim --data FOLDER and name FOLDER/venue.json";
                return Ok(vec![Found::bad("venue", message(&error), remedy)]);
            }
        },
        None => (Addresses::production(), Arc::new(WallClock)),
    };
    let address = addresses.futures_rest.clone();
    let mut all = match probe(&addresses, Arc::clone(&clock)).await {
        Ok(reading) => vec![
            Found::well("futures", format!("{address} answers and serves this location")),
            clock_found(&reading),
        ],
        Err(error) => vec![Found::bad("futures", format!("{address}: {error}"), UNREACHED)],
    };
    all.extend(try_parts(&addresses, clock).await.into_iter().map(part));
    Ok(all)
}

const UNREACHED: &str = "check the network, the firewall and that the venue serves this location; \
    arb demo needs none of them";

fn part(tried: Tried) -> Found {
    let Tried { part, address, outcome } = tried;
    let error = match outcome {
        Ok(()) => return Found::well(part, format!("{address} delivers")),
        Err(error) => format!("{address}: {error}"),
    };
    match part {
        "coinbase" => Found::note(part, error, "the premium is missing, everything else goes on"),
        "spot requests" | "spot streams" => {
            let remedy = "without it there is neither premium nor carry; check the firewall";
            Found::bad(part, error, remedy)
        }
        _ => Found::bad(part, error, "let WebSocket connections pass the firewall and the proxy"),
    }
}

fn clock_found(reading: &ClockReading) -> Found {
    let ClockReading { offset_ms, uncertainty_ms } = *reading;
    let text = format!("{offset_ms} ms from the venue's, ± {uncertainty_ms} ms");
    let by_ntp = "set the machine's time by NTP, such as with timedatectl set-ntp true";
    match offset_ms.abs() {
        off if off <= WRONG_MS => Found::well("clock", text),
        off if off <= FAR_MS => {
            Found::note("clock", text, format!("the node corrects it; {by_ntp}"))
        }
        _ => Found::bad("clock", text, format!("so far off nothing is entered; {by_ntp}")),
    }
}
