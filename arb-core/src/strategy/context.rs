//! What a strategy may see: the present, read-only.

use rust_decimal::Decimal;

use crate::carry::quantities::SpotOf;
use crate::event::Direction;
use crate::indicator::Indicators;
use crate::instrument::{Instrument, InstrumentId};
use crate::market::{Inputs, MarketState};
use crate::num::Qty;
use crate::risk::CarryLimits;
use crate::time::Timestamp;

/// Costs of one entry and exit as fractions of price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryCosts {
    /// Fee of a taker fill.
    pub taker_fee: Decimal,
    /// Slippage of a market order.
    pub slippage: Decimal,
    /// Full spread: of the book where there is one, else as configured.
    pub spread: Decimal,
    /// Fee of a spot fill.
    pub spot_fee: Decimal,
}

impl EntryCosts {
    /// 2 × taker fee + 2 × slippage + spread, a fraction of price.
    #[must_use]
    pub fn round_trip(&self) -> Decimal {
        (self.taker_fee + self.slippage) * Decimal::TWO + self.spread
    }
}

/// The strategy's own carry pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarryPosition {
    /// When it was approved.
    pub opened_at: Timestamp,
    /// Contracts short.
    pub perp_qty: Qty,
    /// Coins held.
    pub spot_qty: Qty,
    /// Average perpetual over average spot entry price minus one, basis points; none before both
    /// legs have filled.
    pub entry_basis_bps: Option<Decimal>,
    /// Whether it is being closed.
    pub is_closing: bool,
}

/// A read-only view of one instrument at one event.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) instrument: InstrumentId,
    pub(crate) markets: &'a [MarketState],
    pub(crate) market: &'a MarketState,
    pub(crate) position: Option<Direction>,
    pub(crate) cool_down_until: Option<Timestamp>,
    pub(crate) costs: EntryCosts,
    pub(crate) spot: Option<SpotOf>,
    pub(crate) carry: Option<CarryPosition>,
    pub(crate) limits: CarryLimits,
}

impl<'a> Context<'a> {
    /// The venue time of the event: the grid time at a tick.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The instrument this call is about.
    #[must_use]
    pub const fn instrument(&self) -> InstrumentId {
        self.instrument
    }

    /// The instrument's filters.
    #[must_use]
    pub fn spec(&self) -> &'a Instrument {
        self.market.spec()
    }

    /// Everything known about the instrument.
    #[must_use]
    pub const fn market(&self) -> &'a MarketState {
        self.market
    }

    /// Everything known about another instrument.
    #[must_use]
    pub fn market_of(&self, instrument: InstrumentId) -> Option<&'a MarketState> {
        self.markets.get(instrument.index())
    }

    /// The spot market of a perpetual, and the coins in one contract; none where there is none.
    #[must_use]
    pub fn spot(&self) -> Option<(&'a MarketState, u32)> {
        let SpotOf { spot, multiplier } = self.spot?;
        Some((self.market_of(spot)?, multiplier))
    }

    /// The strategy's own carry pair in the instrument.
    #[must_use]
    pub const fn carry(&self) -> Option<CarryPosition> {
        self.carry
    }

    /// The limits of the carry book.
    #[must_use]
    pub const fn carry_limits(&self) -> &CarryLimits {
        &self.limits
    }

    /// The instrument's last row of indicators; none before its first trade and tick.
    #[must_use]
    pub fn indicators(&self) -> Option<&'a Indicators> {
        self.market.indicators()
    }

    /// The instrument's market inputs.
    #[must_use]
    pub fn inputs(&self) -> &'a Inputs {
        self.market.inputs()
    }

    /// The strategy's own position in the instrument.
    #[must_use]
    pub const fn position(&self) -> Option<Direction> {
        self.position
    }

    /// End of the strategy's cool-down in the instrument, while it lasts.
    #[must_use]
    pub fn cool_down_until(&self) -> Option<Timestamp> {
        self.cool_down_until.filter(|until| self.now < *until)
    }

    /// What an entry and its exit would cost.
    #[must_use]
    pub const fn costs(&self) -> EntryCosts {
        self.costs
    }
}
