//! What a market lists: `exchangeInfo` of futures and spot.
//!
//! Invariant: tick, lot and minimum come from the filters, never from the precisions. A listing
//! that cannot be read is dropped with its name; the others stand. Of a futures body only
//! contracts of type `PERPETUAL` are the engine's business; the others are marked as such.

use arb_core::{
    Decimal, Instrument, Market, Money, NumError, Price, Qty, TradingStatus, VenueError,
    decimal_text, default_brackets,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::decode;
use crate::wire::message::Fault;
use crate::wire::text::{Flaw, Text, Whole, instant, price, qty};

/// The delivery date that means none: 2100-12-25.
const NO_DELIVERY: u64 = 4_133_404_800_000;

/// What a market lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeInfo {
    /// The venue's limits for requests and orders.
    pub rate_limits: Vec<RateLimit>,
    /// What is listed, in the venue's order.
    pub listings: Vec<Listing>,
    /// Listings that could not be read.
    pub dropped: Vec<DroppedListing>,
}

impl ExchangeInfo {
    /// The perpetual contracts, whether they trade at the moment or not.
    pub fn perpetuals(&self) -> impl Iterator<Item = &Listing> {
        self.listings.iter().filter(|listing| listing.contract == Contract::Perpetual)
    }

    /// The listing with this symbol.
    #[must_use]
    pub fn listing(&self, symbol: &str) -> Option<&Listing> {
        self.listings.iter().find(|listing| listing.instrument.symbol == symbol)
    }
}

/// What kind of thing is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// A spot pair.
    Spot,
    /// A perpetual on a coin.
    Perpetual,
    /// Anything else: delivery contracts, perpetuals on shares, kinds unknown yet.
    Other,
}

/// One listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The engine's view; margin tiers are the cautious default until `leverageBracket` is read.
    pub instrument: Instrument,
    /// Its kind.
    pub contract: Contract,
    /// The base asset as written, such as `1000PEPE`.
    pub base_asset: String,
    /// The quote asset.
    pub quote_asset: String,
    /// Limits of single orders.
    pub order_limits: OrderLimits,
}

/// Limits of single orders; none where the venue has none, or one beyond what the core counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderLimits {
    /// Lowest price of a limit order.
    pub min_price: Option<Price>,
    /// Highest price of a limit order.
    pub max_price: Option<Price>,
    /// Smallest quantity.
    pub min_qty: Option<Qty>,
    /// Largest quantity of a limit order.
    pub max_qty: Option<Qty>,
    /// Largest quantity of a market order.
    pub max_market_qty: Option<Qty>,
    /// A buy may cost at most mark price times this.
    pub max_buy_ratio: Option<Decimal>,
    /// A sale may bring no less than mark price times this.
    pub min_sell_ratio: Option<Decimal>,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitKind {
    /// Request weight.
    RequestWeight,
    /// Orders.
    Orders,
    /// Anything else.
    Other,
}

/// A limit of requests or orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What it counts.
    pub kind: RateLimitKind,
    /// Length of its period, seconds.
    pub secs: u32,
    /// How much is allowed.
    pub limit: u32,
}

/// A listing that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exchangeInfo, symbol {symbol}, field {field}: {fault}; the listing is left out")]
pub struct DroppedListing {
    /// Its symbol; empty where even that could not be read.
    pub symbol: String,
    /// The field at fault; empty for the whole listing.
    pub field: &'static str,
    /// What is wrong.
    pub fault: Fault,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, default)]
    rate_limits: Vec<RateLimitWire<'a>>,
    #[serde(borrow)]
    symbols: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RateLimitWire<'a> {
    #[serde(borrow)]
    rate_limit_type: Text<'a>,
    #[serde(borrow)]
    interval: Text<'a>,
    interval_num: u32,
    limit: u32,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListingWire<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    contract_type: Option<Text<'a>>,
    delivery_date: Option<Whole>,
    onboard_date: Option<Whole>,
    is_spot_trading_allowed: Option<bool>,
    #[serde(borrow)]
    base_asset: Text<'a>,
    #[serde(borrow)]
    quote_asset: Text<'a>,
    #[serde(borrow)]
    filters: Vec<&'a RawValue>,
}

/// `exchangeInfo` of futures.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn exchange_info(body: &[u8]) -> Result<ExchangeInfo, VenueError> {
    read(body, Market::Um)
}

/// `exchangeInfo` of spot.
///
/// # Errors
/// [`VenueError::Decode`].
pub fn spot_exchange_info(body: &[u8]) -> Result<ExchangeInfo, VenueError> {
    read(body, Market::Spot)
}

fn read(body: &[u8], market: Market) -> Result<ExchangeInfo, VenueError> {
    let wire: Wire<'_> = decode(body)?;
    let mut info = ExchangeInfo {
        rate_limits: wire.rate_limits.iter().filter_map(rate_limit).collect(),
        listings: Vec::with_capacity(wire.symbols.len()),
        dropped: Vec::new(),
    };
    for raw in wire.symbols {
        let read = serde_json::from_str(raw.get()).map_err(Flaw::from);
        match read.and_then(|wire: ListingWire<'_>| listing(&wire, market)) {
            Ok(listing) => info.listings.push(listing),
            Err(Flaw { field, fault }) => {
                let named = serde_json::from_str::<Named<'_>>(raw.get());
                let symbol = named.map(|named| named.symbol.0.into_owned()).unwrap_or_default();
                info.dropped.push(DroppedListing { symbol, field, fault });
            }
        }
    }
    Ok(info)
}

fn rate_limit(wire: &RateLimitWire<'_>) -> Option<RateLimit> {
    let unit = match &*wire.interval.0 {
        "SECOND" => 1,
        "MINUTE" => 60,
        "HOUR" => 3_600,
        "DAY" => 86_400,
        _ => return None,
    };
    let kind = match &*wire.rate_limit_type.0 {
        "REQUEST_WEIGHT" => RateLimitKind::RequestWeight,
        "ORDERS" => RateLimitKind::Orders,
        _ => RateLimitKind::Other,
    };
    Some(RateLimit { kind, secs: wire.interval_num.checked_mul(unit)?, limit: wire.limit })
}

fn listing(wire: &ListingWire<'_>, market: Market) -> Result<Listing, Flaw> {
    let filters = Filters::read(&wire.filters)?;
    let trading = wire.status.0 == "TRADING" && wire.is_spot_trading_allowed != Some(false);
    let contract = match wire.contract_type.as_ref().map(|text| &*text.0) {
        None if market == Market::Spot => Contract::Spot,
        Some("PERPETUAL") => Contract::Perpetual,
        _ => Contract::Other,
    };
    let moment = |number: Option<Whole>| number.filter(|n| n.0 != 0).and_then(|n| instant(n.0));
    Ok(Listing {
        instrument: Instrument {
            symbol: wire.symbol.0.to_string(),
            market,
            status: if trading { TradingStatus::Trading } else { TradingStatus::NotTrading },
            tick_size: filters.tick_size.ok_or(missing("tickSize"))?,
            lot_size: filters.lot_size.ok_or(missing("stepSize"))?,
            min_notional: filters.min_notional,
            brackets: if market == Market::Um { default_brackets() } else { Vec::new() },
            listed_at: moment(wire.onboard_date),
            delivery_at: moment(wire.delivery_date.filter(|date| date.0 < NO_DELIVERY)),
        },
        contract,
        base_asset: wire.base_asset.0.to_string(),
        quote_asset: wire.quote_asset.0.to_string(),
        order_limits: filters.limits,
    })
}

const fn missing(field: &'static str) -> Flaw {
    Flaw::new(field, Fault::Number(NumError::Empty))
}

/// What the filters of a listing say.
#[derive(Default)]
struct Filters {
    tick_size: Option<Price>,
    lot_size: Option<Qty>,
    min_notional: Money,
    limits: OrderLimits,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind<'a> {
    #[serde(borrow)]
    filter_type: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PriceFilter<'a> {
    #[serde(borrow)]
    min_price: Text<'a>,
    #[serde(borrow)]
    max_price: Text<'a>,
    #[serde(borrow)]
    tick_size: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LotFilter<'a> {
    #[serde(borrow)]
    min_qty: Text<'a>,
    #[serde(borrow)]
    max_qty: Text<'a>,
    #[serde(borrow)]
    step_size: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotionalFilter {
    #[serde(with = "decimal_text", alias = "minNotional")]
    notional: Decimal,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RatioFilter {
    #[serde(with = "decimal_text")]
    multiplier_up: Decimal,
    #[serde(with = "decimal_text")]
    multiplier_down: Decimal,
}

impl Filters {
    fn read(raws: &[&RawValue]) -> Result<Self, Flaw> {
        let mut filters = Self::default();
        for raw in raws {
            let Kind { filter_type } = serde_json::from_str(raw.get())?;
            filters.add(&filter_type.0, raw.get())?;
        }
        Ok(filters)
    }

    fn add(&mut self, kind: &str, text: &str) -> Result<(), Flaw> {
        match kind {
            "PRICE_FILTER" => {
                let filter: PriceFilter<'_> = serde_json::from_str(text)?;
                self.tick_size = Some(price("tickSize", &filter.tick_size)?);
                self.limits.min_price = Price::parse(filter.min_price.0.as_bytes()).ok();
                self.limits.max_price = Price::parse(filter.max_price.0.as_bytes()).ok();
            }
            "LOT_SIZE" => {
                let filter: LotFilter<'_> = serde_json::from_str(text)?;
                let step = qty("stepSize", &filter.step_size)?;
                self.lot_size = Some(step).filter(|step| !step.is_zero());
                self.limits.min_qty = bound(&filter.min_qty);
                self.limits.max_qty = bound(&filter.max_qty);
            }
            "MARKET_LOT_SIZE" => {
                let filter: LotFilter<'_> = serde_json::from_str(text)?;
                self.limits.max_market_qty = bound(&filter.max_qty);
            }
            "MIN_NOTIONAL" | "NOTIONAL" => {
                let filter: NotionalFilter = serde_json::from_str(text)?;
                self.min_notional = Money::round(filter.notional);
            }
            "PERCENT_PRICE" => {
                let filter: RatioFilter = serde_json::from_str(text)?;
                self.limits.max_buy_ratio = Some(filter.multiplier_up);
                self.limits.min_sell_ratio = Some(filter.multiplier_down);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A bound of which zero means none.
fn bound(text: &Text<'_>) -> Option<Qty> {
    Qty::parse(text.0.as_bytes()).ok().filter(|qty| !qty.is_zero())
}

/// The coins that one unit of a base asset stands for, and the coin: 1,000 and `PEPE` of
/// `1000PEPE`, one million of `1MBABYDOGE`, one and itself of `BTC` and `1INCH`.
#[must_use]
pub fn multiplier(base_asset: &str) -> (u32, &str) {
    let coin = |rest: &str| rest.starts_with(|first: char| !first.is_ascii_digit());
    for (prefix, factor) in [("1000000", 1_000_000), ("10000", 10_000), ("1000", 1_000)] {
        if let Some(rest) = base_asset.strip_prefix(prefix).filter(|rest| coin(rest)) {
            return (factor, rest);
        }
    }
    match base_asset.strip_prefix("1M") {
        Some(rest) if rest.len() >= 3 => (1_000_000, rest),
        _ => (1, base_asset),
    }
}

/// The spot pair that hedges a perpetual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge<'a> {
    /// The pair.
    pub spot: &'a Listing,
    /// Spot units that one unit of the perpetual stands for; prices divide by it.
    pub multiplier: u32,
}

impl Listing {
    /// The spot pair of the same coin and quote. One of the very same name wins, since spot lists
    /// some multiplied coins too.
    #[must_use]
    pub fn hedge<'a>(&self, spot: &'a ExchangeInfo) -> Option<Hedge<'a>> {
        let find = |base: &str| {
            let same = |it: &&Listing| it.base_asset == base && it.quote_asset == self.quote_asset;
            spot.listings.iter().find(same)
        };
        if let Some(spot) = find(&self.base_asset) {
            return Some(Hedge { spot, multiplier: 1 });
        }
        let (multiplier, coin) = multiplier(&self.base_asset);
        find(coin).map(|spot| Hedge { spot, multiplier })
    }
}
