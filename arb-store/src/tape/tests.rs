//! Claims about tapes, made with files written on the spot.

mod errors;
mod formats;
mod holes;
mod inputs;
mod merge;
mod packing;
mod properties;
mod recorded;

use arb_core::{Event, EventKind, InputValue, InstrumentId, Timestamp};

use super::{Gaps, Source, SourceKind, Tape, TapeError, TapeOptions, TapeStats};

/// Milliseconds at which the tapes of these tests begin.
const T0: i64 = 1_717_200_000_000;

const HEADER: &str = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,\
                      is_buyer_maker\n";

type Files = Vec<(Source, Vec<u8>)>;

fn file(
    kind: SourceKind,
    instrument: u16,
    name: &str,
    text: impl Into<Vec<u8>>,
) -> (Source, Vec<u8>) {
    let symbol = ["BTCUSDT", "ETHUSDT"][usize::from(instrument)].to_owned();
    let source = Source { instrument: InstrumentId(instrument), symbol, kind, path: name.into() };
    (source, text.into())
}

fn trades(name: &str, text: impl Into<Vec<u8>>) -> (Source, Vec<u8>) {
    file(SourceKind::Trades, 0, name, text)
}

/// Rows of aggregate trades, a millisecond per id.
fn rows(ids: impl IntoIterator<Item = u64>) -> String {
    let row = |id: u64| {
        let (ms, maker) = (T0 + i64::try_from(id).unwrap(), id.is_multiple_of(2));
        format!("{id},100.{},0.00{},1,1,{ms},{maker}\n", id % 10, id % 7 + 1)
    };
    ids.into_iter().map(row).collect()
}

fn accept() -> TapeOptions {
    TapeOptions { gaps: Gaps::Accept, ..TapeOptions::default() }
}

fn drain(tape: &mut Tape) -> Result<Vec<Event>, TapeError> {
    let mut events = Vec::new();
    while tape.next_batch(&mut events)? > 0 {}
    Ok(events)
}

fn read(files: &Files, options: TapeOptions) -> Result<(Vec<Event>, TapeStats), TapeError> {
    let mut tape = Tape::from_bytes(files, options)?;
    let events = drain(&mut tape)?;
    Ok((events, tape.stats().clone()))
}

/// The events of files that are in order.
fn events(files: &Files) -> Vec<Event> {
    read(files, TapeOptions::default()).unwrap().0
}

/// The message of files that are refused.
fn refusal(files: &Files) -> String {
    read(files, TapeOptions::default()).unwrap_err().to_string()
}

fn ms(at: Timestamp) -> i64 {
    at.as_millis() - T0
}

/// Events in short: what, instrument or id, and milliseconds since [`T0`].
fn short(events: &[Event]) -> Vec<String> {
    let one = |event: &Event| {
        let at = ms(event.at);
        match &event.kind {
            EventKind::Trade(t) => format!("trade {}:{} @{at}", t.instrument.0, t.id),
            EventKind::Gap(g) => format!("gap {}:{} @{at}", g.instrument.0, g.after_id),
            EventKind::GapAccepted(g) => format!("accepted {}:{} @{at}", g.instrument.0, g.next_id),
            EventKind::Funding(f) => {
                format!("funding {}:{} of {} @{at}", f.instrument.0, f.rate, ms(f.funding_time))
            }
            EventKind::Input(i) => {
                let value = match i.value {
                    InputValue::FundingRate(v) => format!("running {v}"),
                    InputValue::FundingIntervalHours(v) => format!("hours {v}"),
                    InputValue::OpenInterest(v) => format!("oi {v}"),
                    InputValue::LongShortRatio(v) => format!("accounts {v}"),
                    InputValue::TopTraderRatio(v) => format!("top {v}"),
                    other => format!("{other:?}"),
                };
                format!("{value} of {}:{} @{at}", i.instrument.0, ms(i.as_of))
            }
            other => panic!("a tape gives no {other:?}"),
        }
    };
    events.iter().map(one).collect()
}
