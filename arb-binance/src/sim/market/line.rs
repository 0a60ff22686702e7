//! One market of one coin: what it lists and the shape of its flow.
//!
//! Invariant: everything a line tells is a function of time. Its best prices change at steps of
//! [`Line::step`] milliseconds and stand between them, so a trade always happens at the best bid or
//! ask of its time.

use std::sync::Arc;

use arb_core::Market;

use super::asset::{Asset, AssetCursor, Leg};
use super::catalogue::SymbolSpec;
use super::noise::{key_of, mix};
use super::recorded::RecordedBook;
use super::tape::{Tape, decimals_of};

/// Worth of a median trade, quote units of 10⁻⁸.
const MEDIAN_NOTIONAL: i64 = 150 * 100_000_000;

/// One market of one coin.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) market: Market,
    pub(crate) symbol: String,
    pub(crate) base: String,
    pub(crate) quote: String,
    pub(crate) tick: i64,
    pub(crate) lot: i64,
    pub(crate) price_decimals: u32,
    pub(crate) qty_decimals: u32,
    /// Price about which it moves.
    pub(crate) price: i64,
    pub(crate) funding_hours: i64,
    /// Place of its coin among the symbols.
    pub(crate) coin: usize,
    pub(crate) key: u64,
    pub(crate) per_day: i64,
    pub(crate) step: i64,
    /// Distance of two levels of the book.
    pub(super) grid: i64,
    /// Lots of a median trade.
    median: i64,
    sizes: Arc<[i64]>,
    pub(super) asset: Arc<Asset>,
    pub(super) leg: Leg,
    tape: Option<(Arc<Tape>, Joints)>,
    pub(super) book: Option<Arc<RecordedBook>>,
}

/// What is added to generated ids before and after a tape, so that they join its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Joints {
    pub(crate) before: i64,
    pub(crate) after: i64,
}

/// What all lines of a market share.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) seed: u64,
    pub(super) step: i64,
    pub(super) activity_percent: i64,
    pub(super) sizes: Arc<[i64]>,
}

impl Line {
    pub(super) fn perpetual(
        common: &Common,
        spec: &SymbolSpec,
        coin: usize,
        asset: Arc<Asset>,
    ) -> Self {
        let (tick, lot) = (spec.tick.units().max(1), spec.lot.units().max(1));
        let mut line = Self {
            market: Market::Um,
            symbol: spec.symbol.clone(),
            base: spec.base.clone(),
            quote: spec.quote.clone(),
            tick,
            lot,
            price_decimals: decimals_of(tick),
            qty_decimals: decimals_of(lot),
            price: spec.price.units(),
            funding_hours: i64::from(spec.funding_hours.max(1)),
            coin,
            key: mix(key_of(common.seed, &spec.symbol), 10),
            per_day: per_day(common, spec, 100),
            step: common.step,
            grid: tick,
            median: 1,
            sizes: common.sizes.clone(),
            asset,
            leg: Leg::Perpetual,
            tape: None,
            book: None,
        };
        line.scale();
        line
    }

    pub(super) fn spot(common: &Common, spec: &SymbolSpec, perpetual: &Self) -> Option<Self> {
        let spot = spec.spot.as_ref()?;
        let (tick, lot) = (spot.tick.units().max(1), spot.lot.units().max(1));
        let mut line = Self {
            market: Market::Spot,
            symbol: spot.symbol.clone(),
            base: spot.base.clone(),
            tick,
            lot,
            // Spot writes eight decimals whatever the tick is.
            price_decimals: 8,
            qty_decimals: 8,
            price: spec.price.units() / i64::from(spot.multiplier.max(1)),
            key: mix(key_of(common.seed, &spot.symbol), 11),
            per_day: per_day(common, spec, 40),
            leg: Leg::Spot(spot.multiplier.max(1)),
            ..perpetual.clone()
        };
        line.scale();
        Some(line)
    }

    fn scale(&mut self) {
        // Levels no closer than one and a half millionths, or a move would cross thousands.
        self.grid = (self.price * 3 / 2 / 1_000_000 / self.tick).max(1) * self.tick;
        let worth = i128::from(self.price) * i128::from(self.lot) / 100_000_000;
        let lots = i128::from(MEDIAN_NOTIONAL) / worth.max(1);
        self.median = i64::try_from(lots).unwrap_or(1).max(1);
    }

    /// Puts recorded trades into the flow.
    pub(super) fn set_tape(&mut self, tape: Arc<Tape>) {
        let (price_decimals, qty_decimals) = tape.decimals();
        self.price_decimals = self.price_decimals.max(price_decimals);
        self.qty_decimals = self.qty_decimals.max(qty_decimals);
        // Recorded prices lie on any tick.
        self.grid = self.tick;
        self.tape = None;
        let (first, last) = (tape.first(), tape.last());
        let joints = Joints {
            before: first.id.cast_signed() - self.id_at(first.at).cast_signed(),
            after: last.id.cast_signed() + 1 - self.id_at(last.at + 1).cast_signed(),
        };
        self.tape = Some((tape, joints));
    }

    pub(super) fn set_asset(&mut self, asset: Arc<Asset>) {
        self.asset = asset;
    }

    pub(super) fn set_book(&mut self, book: Arc<RecordedBook>) {
        self.book = Some(book);
    }

    /// What was recorded besides trades.
    pub(crate) fn recorded_book(&self) -> Option<&RecordedBook> {
        self.book.as_deref()
    }

    /// Whether recorded books and quotes are told at a time.
    pub(crate) fn records_at(&self, at: i64) -> bool {
        self.book.as_ref().is_some_and(|book| book.covers(at))
    }

    /// Whether recorded marks are told at a time.
    pub(crate) fn has_recorded_marks(&self, at: i64) -> bool {
        self.book.as_ref().is_some_and(|book| book.covers(at) && book.has_marks())
    }

    pub(crate) fn tape(&self) -> Option<(&Tape, Joints)> {
        self.tape.as_ref().map(|(tape, joints)| (&**tape, *joints))
    }

    /// Lots of a trade whose size is this one of the 4,096 quantiles.
    pub(super) fn size(&self, quantile: i64) -> i64 {
        let size = usize::try_from(quantile).ok().and_then(|at| self.sizes.get(at)).copied();
        (size.unwrap_or(256) * self.median) >> 8
    }

    pub(super) fn middle_of_second(&self, cursor: &mut AssetCursor, second: i64) -> i64 {
        self.asset.middle(self.leg, cursor, second)
    }

    /// Best bid and ask around a middle price.
    pub(super) fn around(&self, middle: i64) -> (i64, i64) {
        let bid = (middle - middle.rem_euclid(self.grid)).max(self.grid);
        (bid, bid + self.grid)
    }

    /// Best bid and ask at a time.
    pub(crate) fn best(&self, cursor: &mut AssetCursor, at: i64) -> (i64, i64) {
        let at = at - at.rem_euclid(self.step);
        if let Some((tape, _)) = &self.tape
            && (tape.first().at..=tape.last().at).contains(&at)
        {
            let last = tape.last_at(at);
            return if last.taker_sold {
                (last.price, last.price + self.grid)
            } else {
                ((last.price - self.grid).max(1), last.price)
            };
        }
        let second = at.div_euclid(1_000);
        let from = self.middle_of_second(cursor, second);
        let to = self.middle_of_second(cursor, second + 1);
        self.around(from + (to - from) * at.rem_euclid(1_000) / 1_000)
    }
}

fn per_day(common: &Common, spec: &SymbolSpec, percent: i64) -> i64 {
    let trades = i64::from(spec.trades_per_day) * common.activity_percent / 100 * percent / 100;
    trades.max(1_440)
}
