//! Events as they are matched: by name, instant and value.
//!
//! Invariant: two events of one name and instant describe the same thing.

use arb_core::{Decimal, EventKind, Health, InputValue, Price, Timestamp, Trade};

use super::super::Which;
use super::super::cause::CauseKind;
use super::super::facts::Facts;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SeenTrade {
    pub(super) trade: Trade,
    pub(super) arrival: Arrival,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    InTime,
    Late,
    BackFilled,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    Input(InputValue),
    Mark(Price, Option<Price>),
    Quote(Price, Price),
    Settled(Decimal, Option<Price>),
}

impl Datum {
    pub(super) fn text(&self) -> String {
        let index = |price: &Option<Price>| {
            price.map_or(String::new(), |price| format!(" (index or mark {price})"))
        };
        match self {
            Self::Input(value) => match value {
                InputValue::FundingRate(v) | InputValue::OpenInterest(v) => v.to_string(),
                InputValue::FundingIntervalHours(v) => format!("{v} h"),
                InputValue::NextFundingAt(v) => v.to_string(),
                InputValue::LongShortRatio(v)
                | InputValue::TopTraderRatio(v)
                | InputValue::CoinbasePremium(v) => v.to_string(),
                InputValue::Liquidation(direction, notional) => {
                    format!("{} {notional}", direction.as_str())
                }
                InputValue::LiquidationFeed(state) => format!("{state:?}").to_lowercase(),
            },
            Self::Mark(mark, other) => format!("{mark}{}", index(other)),
            Self::Quote(bid, ask) => format!("{bid} / {ask}"),
            Self::Settled(rate, mark) => format!("{rate}{}", index(mark)),
        }
    }
}

pub(super) fn trade_text(seen: &SeenTrade) -> String {
    let SeenTrade { trade, arrival } = seen;
    let how = match arrival {
        Arrival::InTime => "",
        Arrival::Late => ", late",
        Arrival::BackFilled => ", back-filled",
    };
    format!("{} × {} {:?} at {}{how}", trade.price, trade.qty, trade.taker_side, trade.ts)
}

/// Name, time and value of a record that describes an instant.
pub(super) fn datum(kind: &EventKind) -> Option<(&'static str, Timestamp, Datum)> {
    Some(match kind {
        EventKind::Funding(funding) => {
            let value = Datum::Settled(funding.rate, funding.mark_price);
            ("funding_settled", funding.funding_time, value)
        }
        EventKind::Mark(mark) => {
            ("mark_price", mark.ts, Datum::Mark(mark.mark_price, mark.index_price))
        }
        EventKind::Quote(quote) => {
            ("quote", quote.ts, Datum::Quote(quote.best_bid, quote.best_ask))
        }
        EventKind::Input(input) => {
            (input_name(&input.value), input.as_of, Datum::Input(input.value))
        }
        _ => return None,
    })
}

const fn input_name(value: &InputValue) -> &'static str {
    match value {
        InputValue::FundingRate(_) => "funding_rate",
        InputValue::FundingIntervalHours(_) => "funding_interval_hours",
        InputValue::NextFundingAt(_) => "next_funding_at",
        InputValue::OpenInterest(_) => "open_interest",
        InputValue::LongShortRatio(_) => "long_short_ratio",
        InputValue::TopTraderRatio(_) => "top_trader_ratio",
        InputValue::CoinbasePremium(_) => "coinbase_premium",
        InputValue::Liquidation(..) => "liquidation",
        InputValue::LiquidationFeed(_) => "liquidation_feed",
    }
}

/// The cause such an event belongs to, and the event in words.
pub(super) fn words(
    facts: &mut Facts,
    which: Which,
    kind: &EventKind,
) -> Option<(CauseKind, String)> {
    let operator = |what: &str| CauseKind::Operator { what: what.to_owned() };
    let (cause, text) = match kind {
        EventKind::Command(command) => {
            let text = format!("{command:?}").to_lowercase();
            let name = text.split(['(', ' ']).next().unwrap_or_default().to_owned();
            (operator(&name), text)
        }
        EventKind::Phase(phase) => {
            let text = format!("{phase:?}").to_lowercase();
            (operator("phase"), text)
        }
        EventKind::Transfer(transfer) => (operator("transfer"), format!("{}", transfer.amount)),
        EventKind::Health(health) => {
            let what = match health {
                Health::Clock { .. } => "clock",
                Health::Connection { .. } => "connection",
                Health::Peg(_) => "peg",
                Health::Log(_) => "log",
            };
            (CauseKind::Health { what: what.to_owned() }, format!("{health:?}"))
        }
        EventKind::Gap(gap) => {
            let symbol = facts.joint(which, gap.instrument);
            let cause = CauseKind::Trades { symbol: facts.symbol(symbol).to_owned() };
            (cause, format!("gap after trade {}", gap.after_id))
        }
        EventKind::GapAccepted(gap) => {
            let symbol = facts.joint(which, gap.instrument);
            let cause = CauseKind::Trades { symbol: facts.symbol(symbol).to_owned() };
            (cause, format!("gap accepted before trade {}", gap.next_id))
        }
        _ => return None,
    };
    Some((cause, text))
}
