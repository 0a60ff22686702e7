//! One instrument at the venue: its market, and our orders that work there.
//!
//! Invariant: while a trade's price lies strictly inside `quiet`, no order of ours can fill or
//! trigger, no liquidation is possible and no trade is missing, so the trade costs two comparisons.

use rust_decimal::Decimal;

use serde::{Deserialize, Serialize};

use super::catch_up::CatchUp;
use super::fill;
use super::tape::Tape;
use crate::config::InstrumentConfig;
use crate::event::{Mark, Quote, Side, Trade};
use crate::instrument::Instrument;
use crate::num::{DECIMALS, MAX, ONE, Price, Qty, Round};
use crate::order::{ClientOrderId, Effect, Order, OrderKind};
use crate::time::Timestamp;

/// Prices strictly between two bounds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Band {
    pub(super) above: i64,
    pub(super) below: i64,
}

impl Band {
    pub(super) const ALL: Self = Self { above: i64::MIN, below: i64::MAX };
    const NONE: Self = Self { above: i64::MAX, below: i64::MIN };

    #[inline]
    pub(super) const fn contains(self, price: Price) -> bool {
        self.above < price.units() && price.units() < self.below
    }

    fn up_to(&mut self, price: Price) {
        self.below = self.below.min(price.units());
    }

    fn down_to(&mut self, price: Price) {
        self.above = self.above.max(price.units());
    }
}

/// What a working order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// A stop, for its trigger.
    Armed,
    /// A taker, for the next trade.
    Taking,
    /// A limit order in the book, behind `ahead` in its queue.
    Resting { ahead: Qty },
}

/// An order that the venue has accepted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Working {
    pub(super) order: Order,
    pub(super) filled: Qty,
    /// Trades before this time cannot fill it.
    pub(super) since: Timestamp,
    pub(super) phase: Phase,
}

impl Working {
    pub(super) fn remaining(&self) -> Qty {
        self.order.qty.saturating_sub(self.filled)
    }

    /// Turn among the orders that one trade reaches: stops, takers, resting orders.
    pub(super) const fn rank(&self) -> u8 {
        match (self.order.kind, self.phase) {
            (OrderKind::StopMarket { .. }, _) => 0,
            (_, Phase::Resting { .. }) => 2,
            _ => 1,
        }
    }

    /// Whether it could only enlarge the position of `held` side, or there is none.
    pub(super) fn reduces_nothing(&self, held: Option<Side>) -> bool {
        self.order.effect == Effect::Reduce && held != Some(self.order.side.opposite())
    }

    fn narrow(&self, band: &mut Band) {
        match (self.phase, self.order.kind, self.order.side) {
            (Phase::Armed, OrderKind::StopMarket { stop_price, .. }, Side::Sell) => {
                band.down_to(stop_price);
            }
            (Phase::Armed, OrderKind::StopMarket { stop_price, .. }, Side::Buy) => {
                band.up_to(stop_price);
            }
            (Phase::Resting { .. }, OrderKind::Limit { price, .. }, Side::Sell) => {
                band.up_to(price);
            }
            (Phase::Resting { .. }, OrderKind::Limit { price, .. }, Side::Buy) => {
                band.down_to(price);
            }
            _ => *band = Band::NONE,
        }
    }
}

/// Whether a trade needs a closer look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Pass,
    Closer,
}

/// Oldest ages at which a mark and a quote still count, nanoseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Ages {
    pub(super) mark: i64,
    pub(super) quote: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Desk {
    quiet: Band,
    pub(super) tape: Tape,
    pub(super) catch_up: CatchUp,
    pub(super) spec: Instrument,
    /// Half of the spread assumed without a quote, a fraction of price.
    half_spread: Decimal,
    ages: Ages,
    pub(super) quote: Option<Quote>,
    pub(super) mark: Option<Mark>,
    /// Ascending by id.
    pub(super) working: Vec<Working>,
    /// Prices at which no liquidation is possible.
    pub(super) margin: Band,
    /// The order that opened the position.
    pub(super) opened_by: Option<ClientOrderId>,
}

impl Desk {
    pub(super) fn new(config: &InstrumentConfig, ages: Ages) -> Self {
        Self {
            quiet: Band::ALL,
            tape: Tape::new(),
            catch_up: CatchUp::default(),
            spec: config.spec.clone(),
            half_spread: config.spread_bps.saturating_mul(Decimal::new(5, 5)),
            ages,
            quote: None,
            mark: None,
            working: Vec::new(),
            margin: Band::ALL,
            opened_by: None,
        }
    }

    #[inline]
    pub(super) fn on_trade(&mut self, trade: &Trade) -> Look {
        self.tape.add(trade);
        if self.quiet.contains(trade.price) { Look::Pass } else { Look::Closer }
    }

    /// Takes account of every change of orders or margin.
    pub(super) fn rewatch(&mut self) {
        if self.catch_up.is_open() {
            self.quiet = Band::NONE;
            return;
        }
        let mut quiet = self.margin;
        for working in &self.working {
            working.narrow(&mut quiet);
        }
        self.quiet = quiet;
    }

    /// Looks at every trade until the bands are drawn anew.
    #[cfg(test)]
    pub(super) fn watch_everything(&mut self) {
        (self.quiet, self.margin) = (Band::NONE, Band::NONE);
    }

    pub(super) fn find(&self, id: ClientOrderId) -> Option<usize> {
        self.working.binary_search_by_key(&id, |working| working.order.id).ok()
    }

    pub(super) fn insert(&mut self, working: Working) {
        let at = self.working.partition_point(|other| other.order.id < working.order.id);
        self.working.insert(at, working);
    }

    pub(super) fn remove(&mut self, id: ClientOrderId) -> Option<Working> {
        self.find(id).map(|at| self.working.remove(at))
    }

    pub(super) fn fresh_mark(&self, at: Timestamp) -> Option<Price> {
        let mark = self.mark.filter(|mark| at.since(mark.ts) <= self.ages.mark)?;
        Some(mark.mark_price)
    }

    /// What the venue values a position at: the mark, or the last price where there is none.
    pub(super) fn valuation(&self, at: Timestamp) -> Option<Price> {
        self.fresh_mark(at).or(self.tape.last_price())
    }

    fn fresh_quote(&self, at: Timestamp) -> Option<Quote> {
        self.quote.filter(|quote| at.since(quote.ts) <= self.ages.quote)
    }

    /// Half of the spread of the book, or the assumed one, in price units.
    pub(super) fn half_spread(&self, price: Price, at: Timestamp) -> Decimal {
        match self.fresh_quote(at) {
            Some(Quote { best_bid, best_ask, .. }) if best_bid <= best_ask => {
                (best_ask.to_decimal() - best_bid.to_decimal()) / Decimal::TWO
            }
            Some(_) => Decimal::ZERO,
            None => price.to_decimal().saturating_mul(self.half_spread),
        }
    }

    /// Whether a limit order would take at once: its price reaches the other side of the book.
    pub(super) fn is_marketable(&self, side: Side, limit: Price, at: Timestamp) -> bool {
        let touch = match (self.fresh_quote(at), side) {
            (Some(quote), Side::Buy) => Some(quote.best_ask),
            (Some(quote), Side::Sell) => Some(quote.best_bid),
            (None, _) => self
                .tape
                .last_price()
                .map(|last| fill::against(side, last, self.half_spread(last, at), Price::ZERO)),
        };
        touch.is_some_and(|touch| !fill::is_beyond(side, limit, touch))
    }

    /// `ratio` of the volume of the last 5 minutes, floored to the lot.
    pub(super) fn share_of_volume(&self, ratio: Decimal, at: Timestamp) -> Qty {
        let volume = Decimal::try_from_i128_with_scale(self.tape.volume_5m(at), DECIMALS);
        let share = volume.unwrap_or(Decimal::MAX).saturating_mul(ratio);
        let largest = Decimal::from(MAX / ONE);
        Qty::from_decimal(share.min(largest), Round::Down)
            .and_then(|qty| qty.round_to_lot(self.spec.lot_size, Round::Down))
            .unwrap_or_default()
    }

    /// The largest maintenance ratio: how fast the required margin can grow with notional.
    pub(super) fn steepest_margin(&self) -> Decimal {
        let ratios = self.spec.brackets.iter().map(|bracket| bracket.maint_margin_ratio);
        ratios.max().unwrap_or_default()
    }
}
