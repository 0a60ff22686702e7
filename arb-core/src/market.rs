//! What the engine knows about one instrument: trades, indicators, inputs, quote.
//!
//! Invariant: trade ids count up by one; a jump is a hole and makes the windows over it
//! incomplete, announced by the feed or not. Windows advance only on the instrument's own trades
//! and on ticks.

mod inputs;

pub use self::inputs::{InputAges, InputName, Inputs, Liquidations};
use serde::{Deserialize, Serialize};

use crate::event::{Quote, Trade};
use crate::indicator::{Indicators, Missing, Windows};
use crate::instrument::{Instrument, InstrumentId};
use crate::num::{Money, ONE, Price, Round};
use crate::output::{DropReason, Hole, Output};
use crate::time::{HOUR, SECOND, Timestamp};
use rust_decimal::Decimal;

/// The id that is next before the first trade; no venue counts so far.
const NO_TRADE: u64 = u64::MAX;
/// Age from which a quote says nothing about the spread.
const QUOTE_MAX_AGE: i64 = 10 * SECOND;

/// The state of one instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MarketState {
    id: InstrumentId,
    next_trade_id: u64,
    last_trade_at: Timestamp,
    last_price: Option<Price>,
    quarantined: bool,
    windows: Windows,
    late_trades: u64,
    last_tick: Timestamp,
    /// The last full hour and the last price then.
    hour: Option<(Timestamp, Price)>,
    row: Option<Indicators>,
    quote: Option<Quote>,
    inputs: Inputs,
    spec: Instrument,
    spread: Decimal,
}

impl MarketState {
    /// An instrument before its first event; `spread` is assumed where there is no book.
    #[must_use]
    pub fn new(id: InstrumentId, spec: Instrument, spread: Decimal, inputs: Inputs) -> Self {
        Self {
            id,
            next_trade_id: NO_TRADE,
            last_trade_at: Timestamp::EPOCH,
            last_price: None,
            quarantined: false,
            windows: Windows::default(),
            late_trades: 0,
            last_tick: Timestamp::EPOCH,
            hour: None,
            row: None,
            quote: None,
            inputs,
            spec,
            spread,
        }
    }

    /// Its index.
    #[must_use]
    pub const fn id(&self) -> InstrumentId {
        self.id
    }

    /// The instrument's filters.
    #[must_use]
    pub const fn spec(&self) -> &Instrument {
        &self.spec
    }

    /// Price of the last trade.
    #[must_use]
    pub const fn last_price(&self) -> Option<Price> {
        self.last_price
    }

    /// Time of the last trade; the epoch before any.
    #[must_use]
    pub const fn last_trade_at(&self) -> Timestamp {
        self.last_trade_at
    }

    /// Id of the last trade; none before any.
    #[must_use]
    pub const fn last_trade_id(&self) -> Option<u64> {
        if self.last_price.is_some() { self.next_trade_id.checked_sub(1) } else { None }
    }

    /// The row of the last tick; none before the first trade and tick.
    #[must_use]
    pub const fn indicators(&self) -> Option<&Indicators> {
        self.row.as_ref()
    }

    /// The market inputs.
    #[must_use]
    pub const fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Mark price, or the last price where there is no fresh mark.
    #[must_use]
    pub fn mark_or_last(&self, now: Timestamp) -> Option<Price> {
        self.inputs.mark_price(now).or(self.last_price)
    }

    /// The price at the last full hour for a settlement then, else the last price.
    #[must_use]
    pub fn settlement_price(&self, boundary: Timestamp) -> Option<Price> {
        match self.hour {
            Some((hour, price)) if hour == boundary => Some(price),
            _ => self.last_price,
        }
    }

    /// The quote, where it is younger than 10 s.
    pub(crate) fn fresh_quote(&self, now: Timestamp) -> Option<Quote> {
        self.quote.filter(|quote| now.since(quote.ts) <= QUOTE_MAX_AGE)
    }

    /// (ask − bid) ÷ mid of a quote younger than 10 s.
    #[must_use]
    pub fn quoted_spread(&self, now: Timestamp) -> Option<Decimal> {
        let quote = self.fresh_quote(now)?;
        let (bid, ask) = (quote.best_bid.to_decimal(), quote.best_ask.to_decimal());
        ((ask - bid) * Decimal::TWO).checked_div(ask + bid)
    }

    /// Whether a quote was ever seen.
    #[must_use]
    pub const fn has_quote(&self) -> bool {
        self.quote.is_some()
    }

    /// Best price at which one can sell now: the quote, else the last price less half a spread.
    #[must_use]
    pub fn bid(&self, now: Timestamp) -> Option<Price> {
        self.touch(now, |quote| quote.best_bid, (Decimal::NEGATIVE_ONE, Round::Down))
    }

    /// Best price at which one can buy now: the quote, else the last price plus half a spread.
    #[must_use]
    pub fn ask(&self, now: Timestamp) -> Option<Price> {
        self.touch(now, |quote| quote.best_ask, (Decimal::ONE, Round::Up))
    }

    fn touch(
        &self,
        now: Timestamp,
        quoted: impl Fn(&Quote) -> Price,
        (sign, round): (Decimal, Round),
    ) -> Option<Price> {
        if let Some(quote) = self.fresh_quote(now) {
            return Some(quoted(&quote));
        }
        let factor = Decimal::ONE + self.spread / Decimal::TWO * sign;
        Price::from_decimal(self.last_price?.to_decimal().saturating_mul(factor), round).ok()
    }

    /// The quoted spread, else the configured one, as a fraction of price.
    #[must_use]
    pub fn spread(&self, now: Timestamp) -> Decimal {
        self.quoted_spread(now).unwrap_or(self.spread)
    }

    /// Quote volume of the last 24 hours, by 5-minute bars; none until 24 hours were seen.
    #[must_use]
    pub fn quote_volume_24h(&self) -> Option<Money> {
        let units = self.windows.quote_volume_24h(self.last_tick)?;
        let scaled = units / i128::from(ONE);
        Decimal::try_from_i128_with_scale(scaled, 8).ok().map(Money::round)
    }

    /// When the window of four hours will be whole if no trade is missed until then; none before
    /// the first trade and while contact is lost.
    #[must_use]
    pub fn whole_at(&self) -> Option<Timestamp> {
        self.windows.whole_at()
    }

    /// Mean time between the trades of the last hour, nanoseconds; none without a trade.
    #[must_use]
    pub fn mean_trade_gap(&self) -> Option<i64> {
        let trades = i64::try_from(self.windows.trades_1h(self.last_tick)).ok()?;
        HOUR.checked_div(trades)
    }

    /// Whether a hole exists that may still be filled, or contact is lost.
    #[must_use]
    pub fn has_unfilled_hole(&self) -> bool {
        self.windows.holes.has_unfilled()
    }

    /// The holes of the last day that may still be filled, oldest first.
    pub fn unfilled_holes(&self) -> impl Iterator<Item = Hole> {
        let instrument = self.id;
        self.windows.holes.unfilled().map(move |missing| {
            let Missing { from_id, to_id, start, end, .. } = *missing;
            Hole { instrument, from_id, to_id, start, end }
        })
    }

    /// Whether arithmetic left its range; the instrument then takes no further part.
    #[must_use]
    pub const fn is_quarantined(&self) -> bool {
        self.quarantined
    }

    /// Trades that came after the tick they belonged before.
    #[must_use]
    pub const fn late_trades(&self) -> u64 {
        self.late_trades
    }

    /// Bytes held for the windows.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.windows.bytes()
    }

    /// Takes a trade; true when it counts as one.
    #[inline]
    pub(crate) fn on_trade(&mut self, trade: &Trade, out: &mut Vec<Output>) -> bool {
        let in_line = trade.id == self.next_trade_id
            && trade.id != NO_TRADE
            && trade.ts >= self.last_trade_at
            && trade.ts > self.last_tick
            && !self.quarantined
            && !self.windows.holes.is_open();
        if !in_line && !self.out_of_line(trade, out) {
            return false;
        }
        self.next_trade_id = trade.id + 1;
        self.last_trade_at = trade.ts;
        if trade.qty.is_zero() {
            return false;
        }
        self.last_price = Some(trade.price);
        self.windows.push(trade);
        true
    }

    /// Everything about a trade that is not the usual next one; false when it must be dropped.
    #[cold]
    fn out_of_line(&mut self, trade: &Trade, out: &mut Vec<Output>) -> bool {
        let instrument = self.id;
        let mut drop = |reason| out.push(Output::Dropped { instrument, reason });
        if self.quarantined || trade.id == NO_TRADE {
            drop(DropReason::Quarantined);
            return false;
        }
        if self.next_trade_id == NO_TRADE {
            self.windows.holes.start(trade.ts);
            return true;
        }
        if trade.id < self.next_trade_id {
            drop(DropReason::Duplicate);
            return false;
        }
        if trade.ts < self.last_trade_at {
            drop(DropReason::TimeWentBack);
            return false;
        }
        self.late_trades += u64::from(trade.ts <= self.last_tick);
        let lost_at = self.windows.holes.close();
        if trade.id > self.next_trade_id {
            let hole = Missing {
                from_id: self.next_trade_id,
                to_id: trade.id - 1,
                start: self.last_trade_at,
                end: trade.ts,
                accepted: false,
            };
            self.windows.add_hole(hole);
            let Missing { from_id, to_id, start, end, .. } = hole;
            out.push(Output::Hole(Hole { instrument, from_id, to_id, start, end }));
        } else if let Some(from) = lost_at {
            self.windows.heal(from);
        }
        true
    }

    pub(crate) fn on_gap(&mut self) {
        if self.last_price.is_some() {
            self.windows.holes.open(self.last_trade_at);
        }
    }

    pub(crate) fn on_gap_accepted(&mut self, next_id: u64) {
        self.windows.holes.accept(next_id);
    }

    pub(crate) fn on_backfill(&mut self, trades: &[Trade]) -> usize {
        self.windows.backfill(trades)
    }

    pub(crate) fn on_quote(&mut self, quote: &Quote) {
        if quote.best_bid <= quote.best_ask {
            self.quote = Some(*quote);
        }
    }

    pub(crate) const fn inputs_mut(&mut self) -> &mut Inputs {
        &mut self.inputs
    }

    /// Brings the windows to the time of a trade, for strategies that look at every one.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.windows.advance(now);
    }

    /// Takes the row of grid time `now`; tells when the instrument must be quarantined.
    pub(crate) fn on_tick(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.last_tick = now;
        self.inputs.advance(now);
        let Some(last_price) = self.last_price.filter(|_| !self.quarantined) else { return };
        if now == now.floor_to(HOUR) {
            self.hour = Some((now, last_price));
        }
        self.row = Some(self.windows.row(now, last_price));
        if self.windows.overflowed() {
            self.quarantine(out);
        }
    }

    /// Takes the instrument out of everything but the closing of its position.
    pub(crate) fn quarantine(&mut self, out: &mut Vec<Output>) {
        if !self.quarantined {
            self.quarantined = true;
            self.row = None;
            out.push(Output::Quarantined { instrument: self.id });
        }
    }
}

#[cfg(test)]
mod tests;
