//! Records of every kind, in any key order, read by a JSON parser.
//!
//! Invariant: fields that are not needed are not looked at, so that the venue may add and change
//! them; a field that is needed is exact or drops the record with its name.

use arb_core::{Direction, InstrumentId, Qty, Side, Trade};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::levels::{self, Levels};
use super::{Product, Sink};
use crate::wire::message::{
    BookTicker, DepthUpdate, Dropped, Interval, Kline, Liquidation, MarkUpdate, Message, TradePrint,
};
use crate::wire::symbols::SymbolTable;
use crate::wire::text::{
    Flaw, Text, countable_qty, optional_price, optional_time, price, qty, rate, time,
};

/// Why a record gave no message.
pub(super) enum Unused {
    Event,
    Symbol,
    Value,
    Product,
    Dropped(Dropped),
}

/// The product number of USDⓈ-M.
const USD_MARGINED: u64 = 1;

/// What records are read with.
pub(super) struct Records<'r> {
    pub(super) symbols: &'r SymbolTable,
    pub(super) levels: &'r mut Levels,
}

impl Records<'_> {
    pub(super) fn read(
        self,
        payload: &[u8],
        product: Product,
        sink: Sink<'_>,
    ) -> Result<(), Unused> {
        let named: Named<'_> = parse("record", payload)?;
        let Some(event) = named.e else {
            return match product {
                Product::Spot if named.u.is_some() => self.ticker(payload, sink),
                _ => Err(Unused::Event),
            };
        };
        match &*event.0 {
            "aggTrade" => self.agg_trade(payload, sink),
            "trade" => self.single_trade(payload, sink),
            "bookTicker" => self.ticker(payload, sink),
            "markPriceUpdate" => self.mark(payload, sink),
            "forceOrder" => self.liquidation(payload, sink),
            "depthUpdate" => self.depth(payload, sink),
            "kline" => self.kline(payload, sink),
            _ => Err(Unused::Event),
        }
    }

    fn instrument(&self, symbol: &Text<'_>, product: Option<u64>) -> Result<InstrumentId, Unused> {
        if product.is_some_and(|product| product != USD_MARGINED) {
            return Err(Unused::Product);
        }
        self.symbols.get(symbol.0.as_bytes()).ok_or(Unused::Symbol)
    }

    fn agg_trade(&self, payload: &[u8], sink: Sink<'_>) -> Result<(), Unused> {
        let wire: AggTradeWire<'_> = parse("aggTrade", payload)?;
        let instrument = self.instrument(&wire.s, wire.st)?;
        let print = wire.print(instrument).map_err(dropped("aggTrade", instrument))?;
        sink(Message::AggTrade(print));
        Ok(())
    }

    fn single_trade(&self, payload: &[u8], sink: Sink<'_>) -> Result<(), Unused> {
        let wire: TradeWire<'_> = parse("trade", payload)?;
        let instrument = self.instrument(&wire.s, wire.st)?;
        let print = wire.print(instrument).map_err(dropped("trade", instrument))?;
        sink(Message::SingleTrade(print));
        Ok(())
    }

    fn ticker(&self, payload: &[u8], sink: Sink<'_>) -> Result<(), Unused> {
        let wire: TickerWire<'_> = parse("bookTicker", payload)?;
        let instrument = self.instrument(&wire.s, wire.st)?;
        let ticker = wire.ticker(instrument).map_err(dropped("bookTicker", instrument))?;
        sink(Message::Quote(ticker));
        Ok(())
    }

    fn mark(&self, payload: &[u8], sink: Sink<'_>) -> Result<(), Unused> {
        let wire: MarkWire<'_> = parse("markPriceUpdate", payload)?;
        let instrument = self.instrument(&wire.s, wire.st)?;
        let mark = wire.mark(instrument).map_err(dropped("markPriceUpdate", instrument))?;
        sink(Message::Mark(mark));
        Ok(())
    }

    fn liquidation(&self, payload: &[u8], sink: Sink<'_>) -> Result<(), Unused> {
        let wire: LiquidationWire<'_> = parse("forceOrder", payload)?;
        let instrument = self.instrument(&wire.o.s, wire.st.or(wire.o.st))?;
        let direction = match &*wire.o.side.0 {
            "SELL" => Direction::Long,
            "BUY" => Direction::Short,
            _ => return Err(Unused::Value),
        };
        let liquidation = wire.liquidation(instrument, direction);
        sink(Message::Liquidation(liquidation.map_err(dropped("forceOrder", instrument))?));
        Ok(())
    }

    fn depth(self, payload: &[u8], sink: Sink<'_>) -> Result<(), Unused> {
        let wire: DepthWire<'_> = parse("depthUpdate", payload)?;
        let instrument = self.instrument(&wire.s, wire.st)?;
        let note = dropped("depthUpdate", instrument);
        let mut read = || {
            levels::read("b", wire.b, &mut self.levels.bids)?;
            levels::read("a", wire.a, &mut self.levels.asks)?;
            time("E", wire.sent)
        };
        let sent_at = read().map_err(note)?;
        sink(Message::Depth(DepthUpdate {
            instrument,
            sent_at,
            first_id: wire.first,
            last_id: wire.last,
            previous_id: wire.pu,
            bids: &self.levels.bids,
            asks: &self.levels.asks,
        }));
        Ok(())
    }

    fn kline(&self, payload: &[u8], sink: Sink<'_>) -> Result<(), Unused> {
        let wire: KlineWire<'_> = parse("kline", payload)?;
        let instrument = self.instrument(&wire.s, wire.st)?;
        let interval = Interval::parse(&wire.k.i.0).ok_or(Unused::Value)?;
        let kline = wire.k.kline(instrument, interval).map_err(dropped("kline", instrument))?;
        sink(Message::Kline(&kline));
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(record: &'static str, payload: &'a [u8]) -> Result<T, Unused> {
    serde_json::from_slice(payload).map_err(|error| {
        let Flaw { field, fault } = Flaw::from(error);
        Unused::Dropped(Dropped { instrument: None, record, field, fault })
    })
}

fn dropped(record: &'static str, instrument: InstrumentId) -> impl FnOnce(Flaw) -> Unused {
    move |Flaw { field, fault }| {
        Unused::Dropped(Dropped { instrument: Some(instrument), record, field, fault })
    }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    e: Option<Text<'a>>,
    #[serde(borrow)]
    u: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct AggTradeWire<'a> {
    #[serde(rename = "E")]
    sent: u64,
    #[serde(borrow)]
    s: Text<'a>,
    a: u64,
    #[serde(borrow)]
    p: Text<'a>,
    #[serde(borrow)]
    q: Text<'a>,
    #[serde(borrow)]
    nq: Option<Text<'a>>,
    #[serde(rename = "T")]
    ts: u64,
    m: bool,
    st: Option<u64>,
}

impl AggTradeWire<'_> {
    fn print(&self, instrument: InstrumentId) -> Result<TradePrint, Flaw> {
        let trade = Trade {
            instrument,
            taker_side: taker_side(self.m),
            id: self.a,
            ts: time("T", self.ts)?,
            price: price("p", &self.p)?,
            qty: qty("q", &self.q)?,
        };
        let qty_without_rpi = self.nq.as_ref().map(|text| qty("nq", text)).transpose()?;
        let sent_at = time("E", self.sent)?;
        Ok(TradePrint { trade, sent_at, qty_without_rpi, off_market: false })
    }
}

/// The taker sold when the buyer was the maker.
const fn taker_side(buyer_is_maker: bool) -> Side {
    if buyer_is_maker { Side::Sell } else { Side::Buy }
}

#[derive(Deserialize)]
struct TradeWire<'a> {
    #[serde(rename = "E")]
    sent: u64,
    #[serde(rename = "T")]
    ts: u64,
    #[serde(borrow)]
    s: Text<'a>,
    t: u64,
    #[serde(borrow)]
    p: Text<'a>,
    #[serde(borrow)]
    q: Text<'a>,
    #[serde(borrow, rename = "X")]
    kind: Option<Text<'a>>,
    m: bool,
    st: Option<u64>,
}

impl TradeWire<'_> {
    fn print(&self, instrument: InstrumentId) -> Result<TradePrint, Flaw> {
        let off_market = self.kind.as_ref().is_some_and(|kind| kind.0 != "MARKET");
        let qty = qty("q", &self.q)?;
        let trade = Trade {
            instrument,
            taker_side: taker_side(self.m),
            id: self.t,
            ts: time("T", self.ts)?,
            price: price("p", &self.p)?,
            qty: if off_market { Qty::ZERO } else { qty },
        };
        let sent_at = time("E", self.sent)?;
        Ok(TradePrint { trade, sent_at, qty_without_rpi: None, off_market })
    }
}

#[derive(Deserialize)]
struct TickerWire<'a> {
    u: u64,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    b: Text<'a>,
    #[serde(borrow, rename = "B")]
    bid_qty: Text<'a>,
    #[serde(borrow)]
    a: Text<'a>,
    #[serde(borrow, rename = "A")]
    ask_qty: Text<'a>,
    #[serde(rename = "T")]
    ts: Option<u64>,
    #[serde(rename = "E")]
    sent: Option<u64>,
    st: Option<u64>,
}

impl TickerWire<'_> {
    fn ticker(&self, instrument: InstrumentId) -> Result<BookTicker, Flaw> {
        Ok(BookTicker {
            instrument,
            update_id: self.u,
            ts: self.ts.map(|ts| time("T", ts)).transpose()?,
            sent_at: self.sent.map(|sent| time("E", sent)).transpose()?,
            best_bid: price("b", &self.b)?,
            bid_qty: countable_qty("B", &self.bid_qty)?,
            best_ask: price("a", &self.a)?,
            ask_qty: countable_qty("A", &self.ask_qty)?,
        })
    }
}

#[derive(Deserialize)]
struct MarkWire<'a> {
    #[serde(rename = "E")]
    sent: u64,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    p: Text<'a>,
    #[serde(borrow)]
    i: Option<Text<'a>>,
    #[serde(borrow)]
    r: Option<Text<'a>>,
    #[serde(rename = "T")]
    next: Option<u64>,
    st: Option<u64>,
}

impl MarkWire<'_> {
    fn mark(&self, instrument: InstrumentId) -> Result<MarkUpdate, Flaw> {
        let written = self.r.as_ref().filter(|text| !text.0.is_empty());
        Ok(MarkUpdate {
            instrument,
            sent_at: time("E", self.sent)?,
            mark_price: price("p", &self.p)?,
            index_price: optional_price("i", self.i.as_ref())?,
            funding_rate: written.map(|text| rate("r", &text.0)).transpose()?,
            next_funding_at: optional_time("T", self.next.unwrap_or_default())?,
        })
    }
}

#[derive(Deserialize)]
struct LiquidationWire<'a> {
    #[serde(rename = "E")]
    sent: u64,
    #[serde(borrow)]
    o: LiquidationOrder<'a>,
    st: Option<u64>,
}

#[derive(Deserialize)]
struct LiquidationOrder<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow, rename = "S")]
    side: Text<'a>,
    #[serde(borrow)]
    ap: Text<'a>,
    #[serde(borrow)]
    z: Text<'a>,
    #[serde(rename = "T")]
    ts: u64,
    st: Option<u64>,
}

impl LiquidationWire<'_> {
    fn liquidation(
        &self,
        instrument: InstrumentId,
        direction: Direction,
    ) -> Result<Liquidation, Flaw> {
        Ok(Liquidation {
            instrument,
            sent_at: time("E", self.sent)?,
            ts: time("T", self.o.ts)?,
            direction,
            average_price: optional_price("ap", Some(&self.o.ap))?,
            filled_qty: qty("z", &self.o.z)?,
        })
    }
}

#[derive(Deserialize)]
struct DepthWire<'a> {
    #[serde(rename = "E")]
    sent: u64,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    pu: Option<u64>,
    #[serde(borrow)]
    b: &'a RawValue,
    #[serde(borrow)]
    a: &'a RawValue,
    st: Option<u64>,
}

#[derive(Deserialize)]
struct KlineWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    k: Bar<'a>,
    st: Option<u64>,
}

#[derive(Deserialize)]
struct Bar<'a> {
    t: u64,
    #[serde(rename = "T")]
    end: u64,
    #[serde(borrow)]
    i: Text<'a>,
    #[serde(borrow)]
    o: Text<'a>,
    #[serde(borrow)]
    c: Text<'a>,
    #[serde(borrow)]
    h: Text<'a>,
    #[serde(borrow)]
    l: Text<'a>,
    #[serde(borrow)]
    v: Text<'a>,
    n: u64,
    x: bool,
    #[serde(borrow)]
    q: Text<'a>,
    #[serde(borrow, rename = "V")]
    taker: Text<'a>,
    #[serde(borrow, rename = "Q")]
    bought: Text<'a>,
}

impl Bar<'_> {
    fn kline(&self, instrument: InstrumentId, interval: Interval) -> Result<Kline, Flaw> {
        Ok(Kline {
            instrument,
            interval,
            open_at: time("t", self.t)?,
            close_at: time("T", self.end)?,
            open: price("o", &self.o)?,
            high: price("h", &self.h)?,
            low: price("l", &self.l)?,
            close: price("c", &self.c)?,
            volume: rate("v", &self.v.0)?,
            quote_volume: rate("q", &self.q.0)?,
            trades: self.n,
            taker_buy_volume: rate("V", &self.taker.0)?,
            taker_buy_quote_volume: rate("Q", &self.bought.0)?,
            closed: self.x,
        })
    }
}
