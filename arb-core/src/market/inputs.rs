//! Market inputs of one instrument: mark, funding, open interest, ratios, premium, liquidations.
//!
//! Invariant: a value older than its `max_age` is absent, never zero, and a masked input is absent
//! always. The engine sees an input from the event's `at` (its `known_at`) on. Decimals are kept
//! without zeros at their end, as logs write them, because a float made of one may depend on them.

use std::collections::VecDeque;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

use crate::event::{Direction, FeedState, FundingSettled, Input, InputValue, Mark};
use crate::num::{Money, Price};
use crate::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};

/// Names of the market inputs, as in reports and `--mask-inputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputName {
    /// Mark and index price.
    MarkPrice,
    /// Running or settled funding rate.
    FundingRate,
    /// Open interest.
    OpenInterest,
    /// Long/short ratio of all accounts.
    LongShortRatio,
    /// Long/short ratio of top traders' positions.
    TopTraderRatio,
    /// Coinbase premium.
    CoinbasePremium,
    /// Liquidations of the last 5 minutes.
    Liquidations,
}

impl InputName {
    /// All inputs, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::MarkPrice,
        Self::FundingRate,
        Self::OpenInterest,
        Self::LongShortRatio,
        Self::TopTraderRatio,
        Self::CoinbasePremium,
        Self::Liquidations,
    ];

    /// The name in files and flags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MarkPrice => "mark_price",
            Self::FundingRate => "funding_rate",
            Self::OpenInterest => "open_interest",
            Self::LongShortRatio => "long_short_ratio",
            Self::TopTraderRatio => "top_trader_ratio",
            Self::CoinbasePremium => "coinbase_premium",
            Self::Liquidations => "liquidations",
        }
    }
}

/// Oldest age at which an input still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputAges {
    /// Mark and index price, seconds.
    pub mark_secs: u32,
    /// Running funding estimate, seconds.
    pub running_funding_secs: u32,
    /// Settled funding, as a percentage of one interval.
    pub settled_funding_interval_percent: u32,
    /// Open interest, seconds.
    pub open_interest_secs: u32,
    /// Both ratios, seconds.
    pub ratio_secs: u32,
    /// Coinbase premium, seconds.
    pub premium_secs: u32,
}

impl Default for InputAges {
    fn default() -> Self {
        Self {
            mark_secs: 10,
            running_funding_secs: 60,
            settled_funding_interval_percent: 150,
            open_interest_secs: 12 * 60,
            ratio_secs: 20 * 60,
            premium_secs: 10,
        }
    }
}

/// Quote notional of positions liquidated in the last 5 minutes: a lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Liquidations {
    /// Longs.
    pub long: Money,
    /// Shorts.
    pub short: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Dated<T> {
    as_of: Timestamp,
    value: T,
}

fn fresh<T: Copy>(slot: Option<Dated<T>>, now: Timestamp, max_age: i64) -> Option<T> {
    slot.filter(|d| now.since(d.as_of) <= max_age).map(|d| d.value)
}

fn secs(seconds: u32) -> i64 {
    i64::from(seconds) * SECOND
}

/// Whole hours from one settlement to the next, 1 to 8; recorded times jitter by milliseconds.
fn interval_hours(between: i64) -> f64 {
    let hours = (between + HOUR / 2) / HOUR;
    u8::try_from(hours).map_or(8.0, |hours| f64::from(hours.clamp(1, 8)))
}

/// Smallest largest excess, so that a quiet month does not make every excess extreme.
const MIN_EXCESS: f64 = 0.0001;
const LIQUIDATION_WINDOW: i64 = 5 * MINUTE;
const OI_STEP: i64 = 15 * MINUTE;
const OI_TOLERANCE: i64 = 150 * SECOND;

/// The inputs of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    ages: InputAges,
    masked: Vec<InputName>,
    mark: Option<Dated<(Price, Option<Price>)>>,
    running_funding: Option<Dated<Decimal>>,
    funding_interval_hours: Option<u8>,
    next_funding_at: Option<Timestamp>,
    settled: VecDeque<Dated<Decimal>>,
    open_interest: VecDeque<Dated<Decimal>>,
    long_short_ratio: Option<Dated<f64>>,
    top_trader_ratio: Option<Dated<f64>>,
    coinbase_premium: Option<Dated<f64>>,
    liquidations: VecDeque<Dated<(Direction, Money)>>,
    liquidation_feed: Option<FeedState>,
}

impl Inputs {
    /// No inputs yet.
    #[must_use]
    pub fn new(ages: InputAges, masked: &[InputName]) -> Self {
        Self { ages, masked: masked.to_vec(), ..Self::default() }
    }

    fn shown(&self, name: InputName) -> bool {
        !self.masked.contains(&name)
    }

    pub(crate) fn on_mark(&mut self, mark: &Mark) {
        self.mark = Some(Dated { as_of: mark.ts, value: (mark.mark_price, mark.index_price) });
    }

    pub(crate) fn on_funding(&mut self, funding: &FundingSettled) {
        let record = Dated { as_of: funding.funding_time, value: funding.rate.normalize() };
        let at = self.settled.partition_point(|d| d.as_of < record.as_of);
        // Told again after a restart it is still one settlement, or means would shift.
        match self.settled.get_mut(at).filter(|known| known.as_of == record.as_of) {
            Some(known) => *known = record,
            None => self.settled.insert(at, record),
        }
        let horizon = funding.funding_time.plus(-30 * DAY);
        while self.settled.front().is_some_and(|d| d.as_of < horizon) {
            self.settled.pop_front();
        }
    }

    pub(crate) fn on_input(&mut self, input: &Input) {
        let as_of = input.as_of;
        match input.value {
            InputValue::FundingRate(value) => {
                self.running_funding = Some(Dated { as_of, value: value.normalize() });
            }
            InputValue::FundingIntervalHours(hours) => self.funding_interval_hours = Some(hours),
            InputValue::NextFundingAt(at) => self.next_funding_at = Some(at),
            InputValue::OpenInterest(value) => {
                self.on_open_interest(Dated { as_of, value: value.normalize() });
            }
            InputValue::LongShortRatio(value) => {
                self.long_short_ratio = Some(Dated { as_of, value });
            }
            InputValue::TopTraderRatio(value) => {
                self.top_trader_ratio = Some(Dated { as_of, value });
            }
            InputValue::CoinbasePremium(value) => {
                self.coinbase_premium = Some(Dated { as_of, value });
            }
            InputValue::Liquidation(direction, notional) => {
                self.liquidations.push_back(Dated { as_of, value: (direction, notional) });
            }
            InputValue::LiquidationFeed(state) => self.liquidation_feed = Some(state),
        }
    }

    fn on_open_interest(&mut self, sample: Dated<Decimal>) {
        let at = self.open_interest.partition_point(|d| d.as_of < sample.as_of);
        self.open_interest.insert(at, sample);
        let newest = self.open_interest.back().map_or(sample.as_of, |d| d.as_of);
        while self.open_interest.front().is_some_and(|d| newest.since(d.as_of) > 2 * OI_STEP) {
            self.open_interest.pop_front();
        }
    }

    /// Forgets liquidations that no window reaches any more.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        let horizon = now.plus(-LIQUIDATION_WINDOW);
        while self.liquidations.front().is_some_and(|d| d.as_of < horizon) {
            self.liquidations.pop_front();
        }
    }

    /// Mark price.
    #[must_use]
    pub fn mark_price(&self, now: Timestamp) -> Option<Price> {
        let mark = self.mark.filter(|_| self.shown(InputName::MarkPrice));
        fresh(mark, now, secs(self.ages.mark_secs)).map(|(mark, _)| mark)
    }

    /// Age of the newest mark price, fresh or not; none where there never was one.
    #[must_use]
    pub fn mark_age(&self, now: Timestamp) -> Option<i64> {
        self.mark.map(|mark| now.since(mark.as_of))
    }

    /// Index price.
    #[must_use]
    pub fn index_price(&self, now: Timestamp) -> Option<Price> {
        let mark = self.mark.filter(|_| self.shown(InputName::MarkPrice));
        fresh(mark, now, secs(self.ages.mark_secs)).and_then(|(_, index)| index)
    }

    /// Hours between settlements: as announced, else between the last two, else 8.
    #[must_use]
    pub fn funding_interval_hours(&self) -> f64 {
        if let Some(hours) = self.funding_interval_hours {
            return f64::from(hours);
        }
        let mut newest = self.settled.iter().rev();
        match (newest.next(), newest.next()) {
            (Some(last), Some(previous)) => interval_hours(last.as_of.since(previous.as_of)),
            _ => 8.0,
        }
    }

    /// Time between settlements, nanoseconds.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "hours up to 8 times nanoseconds fit")]
    pub fn funding_interval(&self) -> i64 {
        self.funding_interval_hours() as i64 * HOUR
    }

    /// Mean settled rate per hour over the last `days`, or over as much of them as is known; none
    /// without a settlement in them.
    #[must_use]
    pub fn mean_settled_rate(&self, now: Timestamp, days: u32) -> Option<f64> {
        if !self.shown(InputName::FundingRate) {
            return None;
        }
        let from = now.plus(-i64::from(days) * DAY);
        let (mut sum, mut hours) = (0.0, 0.0);
        let before = std::iter::once(None).chain(self.settled.iter().map(Some));
        for (previous, record) in before.zip(&self.settled) {
            if record.as_of <= from || record.as_of > now {
                continue;
            }
            sum += record.value.to_f64()?;
            hours += previous.map_or_else(
                || self.funding_interval_hours(),
                |previous| interval_hours(record.as_of.since(previous.as_of)),
            );
        }
        (hours > 0.0).then(|| sum / hours)
    }

    /// Time of the last settlement on record.
    #[must_use]
    pub fn last_settlement(&self) -> Option<Timestamp> {
        self.settled.back().map(|record| record.as_of)
    }

    /// Time of the coming settlement, where announced.
    #[must_use]
    pub const fn next_funding_at(&self) -> Option<Timestamp> {
        self.next_funding_at
    }

    /// Funding rate per interval: the running estimate, else the last settled rate.
    #[must_use]
    pub fn funding_rate(&self, now: Timestamp) -> Option<Decimal> {
        if !self.shown(InputName::FundingRate) {
            return None;
        }
        fresh(self.running_funding, now, secs(self.ages.running_funding_secs))
            .or_else(|| self.settled_rate(now))
    }

    /// The last settled rate, while it is younger than 1.5 intervals.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "hours up to 8 times nanoseconds fit")]
    pub fn settled_rate(&self, now: Timestamp) -> Option<Decimal> {
        let hours = self.funding_interval_hours() as i64;
        let percent = i64::from(self.ages.settled_funding_interval_percent);
        fresh(self.settled.back().copied(), now, hours * HOUR / 100 * percent)
    }

    /// Funding rate scaled to 8 hours.
    #[must_use]
    pub fn funding_rate_8h(&self, now: Timestamp) -> Option<f64> {
        let rate = self.funding_rate(now)?.to_f64()?;
        Some(rate * 8.0 / self.funding_interval_hours())
    }

    /// Largest excess of |settled rate per 8 h| over `base` in the trailing 30 days, at least
    /// 0.0001.
    #[must_use]
    pub fn max_funding_excess(&self, now: Timestamp, base: f64) -> f64 {
        let scale = 8.0 / self.funding_interval_hours();
        self.settled
            .iter()
            .filter(|d| now.since(d.as_of) <= 30 * DAY)
            .filter_map(|d| d.value.to_f64())
            .map(|rate| (rate * scale).abs() - base)
            .fold(MIN_EXCESS, f64::max)
    }

    /// Newest open interest, base units.
    #[must_use]
    pub fn open_interest(&self, now: Timestamp) -> Option<Decimal> {
        let newest =
            self.open_interest.back().copied().filter(|_| self.shown(InputName::OpenInterest));
        fresh(newest, now, secs(self.ages.open_interest_secs))
    }

    /// Open interest now ÷ 15 minutes (± 2.5) before, minus 1.
    #[must_use]
    pub fn open_interest_change(&self, now: Timestamp) -> Option<f64> {
        let latest = self.open_interest(now)?.to_f64()?;
        let target = self.open_interest.back()?.as_of.plus(-OI_STEP);
        let before = self
            .open_interest
            .iter()
            .filter(|d| d.as_of.since(target).abs() <= OI_TOLERANCE)
            .min_by_key(|d| d.as_of.since(target).abs())?;
        let before = before.value.to_f64().filter(|v| *v > 0.0)?;
        Some(latest / before - 1.0)
    }

    /// Long/short ratio of all accounts.
    #[must_use]
    pub fn long_short_ratio(&self, now: Timestamp) -> Option<f64> {
        let slot = self.long_short_ratio.filter(|_| self.shown(InputName::LongShortRatio));
        fresh(slot, now, secs(self.ages.ratio_secs))
    }

    /// Long/short ratio of top traders' positions.
    #[must_use]
    pub fn top_trader_ratio(&self, now: Timestamp) -> Option<f64> {
        let slot = self.top_trader_ratio.filter(|_| self.shown(InputName::TopTraderRatio));
        fresh(slot, now, secs(self.ages.ratio_secs))
    }

    /// Coinbase premium, a fraction.
    #[must_use]
    pub fn coinbase_premium(&self, now: Timestamp) -> Option<f64> {
        let slot = self.coinbase_premium.filter(|_| self.shown(InputName::CoinbasePremium));
        fresh(slot, now, secs(self.ages.premium_secs))
    }

    /// Liquidations of the last 5 minutes; absent while the stream is down or unknown.
    #[must_use]
    pub fn liquidations_5m(&self, now: Timestamp) -> Option<Liquidations> {
        let up = self.liquidation_feed == Some(FeedState::Up);
        if !up || !self.shown(InputName::Liquidations) {
            return None;
        }
        let mut sums = Liquidations::default();
        for d in self.liquidations.iter().filter(|d| now.since(d.as_of) <= LIQUIDATION_WINDOW) {
            match d.value {
                (Direction::Long, notional) => sums.long += notional,
                (Direction::Short, notional) => sums.short += notional,
            }
        }
        Some(sums)
    }

    /// Whether the input has a value now.
    #[must_use]
    pub fn is_present(&self, name: InputName, now: Timestamp) -> bool {
        match name {
            InputName::MarkPrice => self.mark_price(now).is_some(),
            InputName::FundingRate => self.funding_rate(now).is_some(),
            InputName::OpenInterest => self.open_interest_change(now).is_some(),
            InputName::LongShortRatio => self.long_short_ratio(now).is_some(),
            InputName::TopTraderRatio => self.top_trader_ratio(now).is_some(),
            InputName::CoinbasePremium => self.coinbase_premium(now).is_some(),
            InputName::Liquidations => self.liquidations_5m(now).is_some(),
        }
    }
}
