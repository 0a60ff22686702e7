//! What is traded, and the venue's rules for it.
//!
//! Invariant: an [`InstrumentId`] indexes vectors inside one process and is never stored; the
//! stable name is (market, symbol).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::num::{Money, Price, Qty, decimal_text};
use crate::time::Timestamp;

/// Leverage of the highest tier of any venue that is known.
pub(crate) const MAX_LEVERAGE: u16 = 150;
/// A rounded `cum` may be off by so much.
const CUM_TOLERANCE: Decimal = Decimal::ONE;

/// Index of an instrument inside one process.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct InstrumentId(pub u16);

impl InstrumentId {
    /// The index into a vector of instruments.
    #[inline]
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Which market of which venue a symbol belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Market {
    /// Binance USDⓈ-M perpetual futures.
    Um,
    /// Binance spot.
    Spot,
    /// Coinbase spot, a reference price only.
    Cb,
}

/// One tier of the venue's maintenance-margin table.
///
/// Maintenance margin of a notional in the tier is `notional × maint_margin_ratio − cum`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeverageBracket {
    /// Largest notional of the tier, quote currency.
    pub notional_cap: Money,
    /// Highest leverage allowed in the tier.
    pub max_leverage: u16,
    /// Maintenance margin as a fraction of notional.
    #[serde(with = "decimal_text")]
    pub maint_margin_ratio: Decimal,
    /// The constant that makes the tiers continuous, quote currency.
    pub cum: Money,
}

/// Whether the venue lets an instrument be traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradingStatus {
    /// Open for trading.
    Trading,
    /// Pending, settling, delivering or closed.
    NotTrading,
}

/// An instrument with the filters an order must pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// The venue's symbol, such as `BTCUSDT`.
    pub symbol: String,
    /// The market it trades in.
    pub market: Market,
    /// Whether it may be traded.
    pub status: TradingStatus,
    /// Smallest price step.
    pub tick_size: Price,
    /// Smallest quantity step.
    pub lot_size: Qty,
    /// Smallest price × quantity of an order that opens risk, quote currency.
    pub min_notional: Money,
    /// Maintenance-margin tiers, lowest first; never empty for a perpetual.
    pub brackets: Vec<LeverageBracket>,
    /// First day of trading, where known.
    pub listed_at: Option<Timestamp>,
    /// Announced end of trading, where there is one.
    pub delivery_at: Option<Timestamp>,
}

impl Market {
    /// `um`, `spot` or `cb`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Um => "um",
            Self::Spot => "spot",
            Self::Cb => "cb",
        }
    }

    /// The venue it belongs to.
    #[must_use]
    pub const fn venue(self) -> &'static str {
        match self {
            Self::Um | Self::Spot => "binance",
            Self::Cb => "coinbase",
        }
    }
}

impl Instrument {
    /// The stable name, such as `um:BTCUSDT`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        format!("{}:{}", self.market.as_str(), self.symbol)
    }

    /// A perpetual with the venue's usual minimum notional of 5 and [`default_brackets`].
    #[must_use]
    pub fn perpetual(symbol: &str, tick_size: Price, lot_size: Qty) -> Self {
        Self {
            symbol: symbol.to_owned(),
            market: Market::Um,
            status: TradingStatus::Trading,
            tick_size,
            lot_size,
            min_notional: Money::round(Decimal::from(5)),
            brackets: default_brackets(),
            listed_at: None,
            delivery_at: None,
        }
    }

    /// A spot market: fully paid, without margin tiers.
    #[must_use]
    pub fn spot(symbol: &str, tick_size: Price, lot_size: Qty) -> Self {
        Self {
            market: Market::Spot,
            brackets: Vec::new(),
            ..Self::perpetual(symbol, tick_size, lot_size)
        }
    }

    /// Whether it is a spot market.
    #[must_use]
    pub fn is_spot(&self) -> bool {
        self.market == Market::Spot
    }

    /// The tier that holds `notional`; the last one beyond the table.
    #[must_use]
    pub fn bracket(&self, notional: Money) -> Option<&LeverageBracket> {
        self.brackets
            .iter()
            .find(|bracket| notional <= bracket.notional_cap)
            .or_else(|| self.brackets.last())
    }

    /// Margin below which the venue liquidates a position of this notional; zero without a table.
    #[must_use]
    pub fn maintenance_margin(&self, notional: Money) -> Money {
        self.bracket(notional).map_or(Money::ZERO, |b| notional.times(b.maint_margin_ratio) - b.cum)
    }
}

/// What is wrong with a symbol, and what is allowed; none when nothing is.
///
/// Venues list symbols of other scripts too, so every letter outside ASCII may stand in one.
#[must_use]
pub fn symbol_flaw(symbol: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    match symbol {
        "" => Some("is empty; a symbol such as BTCUSDT is needed"),
        _ if symbol.len() > 40 => Some("is too long; 40 bytes are allowed"),
        _ if !symbol.chars().all(fits) => {
            Some("is no symbol; letters, digits, _ and - are allowed")
        }
        _ if symbol.contains(|c: char| c.is_ascii_lowercase()) => {
            Some("has small letters; symbols are in capitals, such as BTCUSDT")
        }
        _ => None,
    }
}

/// The first tier that the venue's formula cannot mean: its field, and what is allowed. Tiers are
/// lowest first and counted from 1.
#[must_use]
pub fn brackets_flaw(brackets: &[LeverageBracket]) -> Option<(String, String)> {
    let told = |field, message| Some((field, message));
    let mut below = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
    for (tier, bracket) in (1..).zip(brackets) {
        let of = |field: &str| format!("brackets[{tier}].{field}");
        let (cap, ratio) = (bracket.notional_cap.to_decimal(), bracket.maint_margin_ratio);
        let (floor, ratio_below, cum_below) = below;
        if cap <= floor {
            return told(of("notional_cap"), format!("{cap} given, more than {floor} is allowed"));
        }
        if bracket.max_leverage == 0 || bracket.max_leverage > MAX_LEVERAGE {
            let given = bracket.max_leverage;
            let message = format!("{given} given, 1 to {MAX_LEVERAGE} is allowed");
            return told(of("max_leverage"), message);
        }
        if ratio <= ratio_below || ratio >= Decimal::ONE {
            let message =
                format!("{ratio} given, a fraction above {ratio_below} and below 1 is allowed");
            return told(of("maint_margin_ratio"), message);
        }
        let continuous = cum_below + floor * (ratio - ratio_below);
        let cum = bracket.cum.to_decimal();
        if (cum - continuous).abs() > CUM_TOLERANCE {
            let continuous = continuous.normalize();
            let message = format!("{cum} given, {continuous} makes the tiers continuous");
            return told(of("cum"), message);
        }
        below = (cap, ratio, cum);
    }
    None
}

/// A cautious table for instruments whose own is not known: 1 % to 50 k, then 2.5, 5, 10, 25 %.
#[must_use]
pub fn default_brackets() -> Vec<LeverageBracket> {
    [
        (50_000, 50, (1, 2), 0),
        (250_000, 20, (25, 3), 750),
        (1_000_000, 10, (5, 2), 7_000),
        (5_000_000, 5, (10, 2), 57_000),
        (100_000_000, 2, (25, 2), 807_000),
    ]
    .into_iter()
    .map(|(cap, max_leverage, (mantissa, scale), cum)| LeverageBracket {
        notional_cap: Money::round(Decimal::from(cap)),
        max_leverage,
        maint_margin_ratio: Decimal::new(mantissa, scale),
        cum: Money::round(Decimal::from(cum)),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintenance_margin_is_continuous_over_the_tiers() {
        let tick = Price::parse(b"0.1").unwrap();
        let lot = Qty::parse(b"0.001").unwrap();
        let btc = Instrument::perpetual("BTCUSDT", tick, lot);
        let step = Money::round(Decimal::new(1, 2));
        for bracket in btc.brackets.iter().take(btc.brackets.len() - 1) {
            let at = btc.maintenance_margin(bracket.notional_cap);
            let above = btc.maintenance_margin(bracket.notional_cap + step);
            assert!(above >= at && above - at <= step, "{at} then {above}");
        }
    }
}
