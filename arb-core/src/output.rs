//! Everything the engine says: orders for the venue, and notes for everybody else.
//!
//! Invariant: [`Output::Submit`] can only be built from an [`Approved`](crate::risk::Approved),
//! which only the risk gate makes. Outputs can be written and compared, never read back in.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::event::Direction;
use crate::instrument::InstrumentId;
use crate::num::{Money, Price, Qty};
use crate::order::{ClientOrderId, OrderUpdate};
use crate::risk::{Approved, RiskState, Rule, Trip};
use crate::strategy::{Decision, Tier};
use crate::time::Timestamp;

/// Something the engine wants done or known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Send this order.
    Submit(Box<Approved>),
    /// Cancel this order.
    Cancel {
        /// The order.
        id: ClientOrderId,
        /// Its instrument.
        instrument: InstrumentId,
    },
    /// A decision that reached a tier.
    Signal(Box<Signal>),
    /// A directional position opened, changed or ended.
    Trade(Box<TradeNote>),
    /// A carry pair opened, changed or ended.
    Carry(Box<CarryNote>),
    /// The risk state changed.
    Risk(Box<RiskNote>),
    /// Funding was booked; positive was paid, negative received.
    Funding {
        /// Whose funding.
        instrument: InstrumentId,
        /// The boundary.
        funding_time: Timestamp,
        /// Amount that left the account.
        paid: Money,
        /// No mark price was on record and the last price stood in.
        approx: bool,
    },
    /// Trades are missing; the windows over them are incomplete.
    Hole(Hole),
    /// A record was not used.
    Dropped {
        /// Whose record.
        instrument: InstrumentId,
        /// Why.
        reason: DropReason,
    },
    /// Arithmetic left its range: the instrument takes no further part.
    Quarantined {
        /// Which instrument.
        instrument: InstrumentId,
    },
    /// A configuration took effect.
    Configured {
        /// Its hash.
        hash: String,
    },
    /// A configuration was refused; the present one stays.
    ConfigRefused {
        /// Why.
        message: String,
    },
    /// An entry ended without a fill: its signal fired and nothing was opened.
    Unfilled {
        /// The order.
        id: ClientOrderId,
        /// Its instrument.
        instrument: InstrumentId,
        /// Name of the strategy.
        strategy: String,
        /// What the venue said last.
        update: OrderUpdate,
    },
}

/// A decision as recorded and sent to notifiers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Signal {
    /// Name of the strategy.
    pub strategy: String,
    /// Hash of the configuration in force.
    pub config_hash: String,
    /// An entry was approved.
    pub fired: bool,
    /// Worth a message: not the repetition of a refused signal within its cool-down.
    pub notify: bool,
    /// The decision; its reason includes risk's refusal.
    pub decision: Decision,
}

/// State of a directional trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeStatus {
    /// Open, first target not reached.
    Active,
    /// Half closed at the first target.
    Tp1Hit,
    /// Closed at the final target.
    Tp,
    /// Closed at the initial stop.
    Sl,
    /// Closed at the break-even stop.
    SlBe,
    /// Closed because its time was up.
    Timeout,
    /// Closed by a strong opposite signal.
    SignalFlip,
    /// Closed by an operator or a risk rule.
    Flatten,
    /// Closed by the venue.
    Liquidated,
}

impl TradeStatus {
    /// Whether the position is still open.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Tp1Hit)
    }

    /// The name on screens and in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Tp1Hit => "tp1_hit",
            Self::Tp => "tp",
            Self::Sl => "sl",
            Self::SlBe => "sl_be",
            Self::Timeout => "timeout",
            Self::SignalFlip => "signal_flip",
            Self::Flatten => "flatten",
            Self::Liquidated => "liquidated",
        }
    }
}

/// A directional trade at the moment something about it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TradeNote {
    /// Number of the intent: the trade's id inside the run.
    pub id: u64,
    /// Name of the strategy.
    pub strategy: String,
    /// What is traded.
    pub instrument: InstrumentId,
    /// Long or short.
    pub direction: Direction,
    /// Strength of the signal that opened it.
    pub tier: Option<Tier>,
    /// Score of that signal.
    pub score: f64,
    /// State now.
    pub status: TradeStatus,
    /// First entry fill.
    pub entry_time: Timestamp,
    /// Last exit fill, once closed.
    pub exit_time: Option<Timestamp>,
    /// Average entry price, rounded to 8 decimals.
    pub entry_price: Price,
    /// Average exit price of what is closed so far, rounded to 8 decimals.
    pub exit_price: Option<Price>,
    /// Filled entry quantity.
    pub qty: Qty,
    /// Quantity still open.
    pub open_qty: Qty,
    /// Stop in force.
    pub stop_price: Price,
    /// First target.
    pub tp1_price: Price,
    /// Final target.
    pub tp2_price: Price,
    /// Realised profit or loss before fees and funding.
    pub pnl: Money,
    /// Fees paid.
    pub fee: Money,
    /// Funding paid (positive) or received (negative).
    pub funding: Money,
    /// |entry − initial stop| × quantity: one R of this trade.
    pub r_trade: Money,
    /// (pnl − fee − funding) ÷ `r_trade` over all exits so far; null before any exit.
    pub r_multiple: Option<f64>,
}

/// State of a carry pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarryStatus {
    /// Slices are still being added.
    Opening,
    /// Held.
    Open,
    /// Being taken down.
    Closing,
    /// Gone, but for coins too few to sell.
    Closed,
}

impl CarryStatus {
    /// The name on screens and in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// A carry pair at the moment something about it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CarryNote {
    /// Number of the intent: the pair's id inside the run.
    pub id: u64,
    /// Name of the strategy.
    pub strategy: String,
    /// The perpetual that is short.
    pub perp: InstrumentId,
    /// The spot market whose coins are held.
    pub spot: InstrumentId,
    /// State now.
    pub status: CarryStatus,
    /// Why it is being closed.
    pub reason: Option<String>,
    /// When it was approved.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// Contracts short now.
    pub perp_qty: Qty,
    /// Coins held now; what is left of a closed pair is dust.
    pub spot_qty: Qty,
    /// Average price of the short, rounded to 8 decimals.
    pub perp_entry_price: Option<Price>,
    /// Average price of the coins, rounded to 8 decimals.
    pub spot_entry_price: Option<Price>,
    /// Average perpetual over average spot entry price minus one, basis points to 4 decimals.
    #[serde(with = "optional_decimal")]
    pub entry_basis_bps: Option<Decimal>,
    /// Largest spot notional held.
    pub notional: Money,
    /// Fees paid, those in coins at their price.
    pub fees: Money,
    /// Funding paid (positive) or received (negative).
    pub funding: Money,
    /// Profit after fees and funding, coins at the bid, the short at mark or last price.
    pub pnl: Money,
}

impl CarryNote {
    /// What the prices of both legs gave, without fees and funding.
    #[must_use]
    pub fn basis_pnl(&self) -> Money {
        self.pnl + self.fees + self.funding
    }
}

mod optional_decimal {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::num::decimal_text;

    #[derive(Serialize, Deserialize)]
    struct Text(#[serde(with = "decimal_text")] Decimal);

    #[expect(clippy::ref_option, reason = "the signature serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Decimal>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Text).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Decimal>, D::Error> {
        Ok(Option::<Text>::deserialize(d)?.map(|text| text.0))
    }
}

/// A change of the risk state or a rule that tripped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiskNote {
    /// When.
    pub at: Timestamp,
    /// The state from now on.
    pub state: RiskState,
    /// The rule that tripped, with limit and actual; none for an operator's command.
    pub trip: Option<Trip>,
    /// The operator's words, where there are some.
    pub reason: String,
    /// The strategy that is paused, if one is.
    pub strategy: Option<String>,
}

/// Missing trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// Whose trades.
    pub instrument: InstrumentId,
    /// First missing id.
    pub from_id: u64,
    /// Last missing id.
    pub to_id: u64,
    /// Time of the last trade before it.
    pub start: Timestamp,
    /// Time of the first trade after it.
    pub end: Timestamp,
}

impl Hole {
    /// Number of missing trades.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.to_id + 1 - self.from_id
    }
}

/// Why a record was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The instrument is not configured.
    UnknownInstrument,
    /// The trade's id was seen before.
    Duplicate,
    /// The trade is older than the one before it.
    TimeWentBack,
    /// A value is outside what fixed point can hold.
    OutOfRange,
    /// The instrument is quarantined.
    Quarantined,
}

/// A rule that cannot be checked with the data at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RuleOff {
    /// The rule.
    pub rule: Rule,
    /// The missing feed.
    pub missing: &'static str,
}
