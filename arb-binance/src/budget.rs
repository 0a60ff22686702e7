//! The one account of REST requests that all tasks behind an address share.
//!
//! Invariant: what is granted never exceeds a limit in any period of its length, wherever the
//! venue's own periods begin, and market data leaves a quarter of the weight to orders. While a
//! stop lasts nothing is granted.
//!
//! The venue counts per address and in fixed minutes; this counts in a period that slides, a
//! little longer than the venue's, because a request arrives later than it was granted. Others
//! behind the same address are seen through `X-MBX-USED-WEIGHT-1M`: when it says more than was
//! counted here, the difference counts too.

use std::collections::VecDeque;

use arb_core::Timestamp;
use arb_core::time::{DAY, MINUTE, SECOND};

use crate::wire::rest::{RateLimit, RateLimitKind};

/// How much later than another a request may arrive without overtaking the count, seconds.
const MARGIN: i64 = 2;
/// First wait after a 429 that names no time, and after a 418; doubled for each further one.
const FIRST_STOP: i64 = MINUTE;
const FIRST_BAN: i64 = 2 * MINUTE;
const LONGEST_STOP: i64 = 30 * MINUTE;
/// The longest ban the venue documents.
const LONGEST_BAN: i64 = 3 * DAY;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Orders, their queries, account: may use everything.
    Orders,
    /// Market data: stops at three quarters of the weight.
    MarketData,
    /// What nobody waits for: stops at half of the weight.
    History,
}

/// A count of requests of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Request weight, per minute.
    Weight,
    /// `/futures/data/*`, requests in five minutes; no header tells the count.
    FuturesData,
    /// `fundingRate` and `fundingInfo` together, requests in five minutes.
    Funding,
}

/// What a request costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Request weight.
    pub weight: u32,
    /// The further pool in which it counts as one request.
    pub pool: Option<Pool>,
}

impl Cost {
    /// A request under `/futures/data`.
    pub const FUTURES_DATA: Self = Self { weight: 0, pool: Some(Pool::FuturesData) };
    /// `fundingRate` or `fundingInfo`. No weight is documented; one is counted to be safe.
    pub const FUNDING: Self = Self { weight: 1, pool: Some(Pool::Funding) };
    /// `aggTrades` of futures.
    pub const AGG_TRADES: Self = Self::weight(20);
    /// `premiumIndex` of all symbols; of one it weighs 1.
    pub const PREMIUM_INDEX_ALL: Self = Self::weight(10);
    /// `exchangeInfo` of spot; that of futures weighs 1.
    pub const SPOT_EXCHANGE_INFO: Self = Self::weight(20);
    /// `aggTrades` of spot.
    pub const SPOT_AGG_TRADES: Self = Self::weight(4);

    /// A request of this weight alone.
    #[must_use]
    pub const fn weight(weight: u32) -> Self {
        Self { weight, pool: None }
    }

    /// `klines` of futures with this limit.
    #[must_use]
    pub const fn klines(limit: u32) -> Self {
        Self::weight(match limit {
            ..100 => 1,
            100..500 => 2,
            500..=1_000 => 5,
            _ => 10,
        })
    }

    /// `depth` of futures with this limit.
    #[must_use]
    pub const fn depth(limit: u32) -> Self {
        Self::weight(match limit {
            ..=50 => 2,
            51..=100 => 5,
            101..=500 => 10,
            _ => 20,
        })
    }
}

/// The venue's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request weight per minute and address.
    pub weight_per_minute: u32,
    /// Requests under `/futures/data` per five minutes and address.
    pub futures_data: u32,
    /// `fundingRate` and `fundingInfo` per five minutes and address.
    pub funding: u32,
}

impl Limits {
    /// The documented limits of futures.
    pub const FUTURES: Self = Self { weight_per_minute: 2_400, futures_data: 1_000, funding: 500 };
    /// The documented limits of spot.
    pub const SPOT: Self = Self { weight_per_minute: 6_000, futures_data: 0, funding: 0 };

    /// These limits with the weight that `exchangeInfo` names.
    #[must_use]
    pub fn with(self, rate_limits: &[RateLimit]) -> Self {
        let weight = rate_limits
            .iter()
            .find(|limit| limit.kind == RateLimitKind::RequestWeight && limit.secs == 60);
        Self { weight_per_minute: weight.map_or(self.weight_per_minute, |w| w.limit), ..self }
    }
}

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it now; it is counted.
    Granted,
    /// Ask again then; nothing is counted.
    Wait(Timestamp),
    /// It costs more than the limit allows at all.
    TooLarge,
}

/// How the venue said that there were too many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimited {
    /// Status 429: back off.
    TooMany,
    /// Status 418: the address is banned.
    Banned,
}

/// The account of one address at one of the venue's hosts.
#[derive(Clone, Debug)]
pub struct Budget {
    weight: Window,
    futures_data: Window,
    funding: Window,
    stopped_until: Timestamp,
    /// Stops since the last success.
    stops: u32,
    latest: Timestamp,
}

impl Budget {
    /// A budget of which nothing is used.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            weight: Window::new(60, limits.weight_per_minute),
            futures_data: Window::new(300, limits.futures_data),
            funding: Window::new(300, limits.funding),
            stopped_until: Timestamp::EPOCH,
            stops: 0,
            latest: Timestamp::EPOCH,
        }
    }

    /// Replaces the limits; what is used stays used.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.weight.limit = limits.weight_per_minute;
        self.futures_data.limit = limits.futures_data;
        self.funding.limit = limits.funding;
    }

    /// Asks to send a request now.
    pub fn request(&mut self, cost: Cost, priority: Priority, now: Timestamp) -> Verdict {
        let now = self.tick(now);
        let cap = match priority {
            Priority::Orders => self.weight.limit,
            Priority::MarketData => self.weight.limit - self.weight.limit.div_ceil(4),
            Priority::History => self.weight.limit / 2,
        };
        let mut verdict = self.weight.check(cost.weight, cap);
        if let Some(pool) = cost.pool.map(|pool| self.pool(pool)) {
            verdict = later(verdict, pool.check(1, pool.limit));
        }
        if now < self.stopped_until {
            verdict = later(verdict, Verdict::Wait(self.stopped_until));
        }
        if verdict == Verdict::Granted {
            self.weight.add(cost.weight, now);
            if let Some(pool) = cost.pool {
                self.pool(pool).add(1, now);
            }
        }
        verdict
    }

    /// Takes the `X-MBX-USED-WEIGHT-1M` of an answer.
    pub fn used_weight(&mut self, used: u32, now: Timestamp) {
        let now = self.tick(now);
        let unknown = used.saturating_sub(self.weight.used);
        self.weight.add(unknown, now);
        if now >= self.stopped_until {
            self.stops = 0;
        }
    }

    /// Takes a refusal for too many requests: everything stops until the time the venue named,
    /// by `Retry-After` or in its message, else for a time that doubles with each refusal.
    pub fn limited(&mut self, how: RateLimited, named: Option<Timestamp>, now: Timestamp) {
        let now = self.tick(now);
        let (first, longest) = match how {
            RateLimited::TooMany => (FIRST_STOP, LONGEST_STOP),
            RateLimited::Banned => (FIRST_BAN, LONGEST_BAN),
        };
        let doubled = first.saturating_mul(1 << self.stops.min(16)).min(longest);
        let until = named.unwrap_or_else(|| now.plus(doubled));
        self.stopped_until = self.stopped_until.max(until);
        self.stops = self.stops.saturating_add(1);
    }

    /// When the present stop ends; none while there is none.
    #[must_use]
    pub fn stopped_until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.stopped_until).filter(|until| now < *until)
    }

    /// What of a pool is used, and its limit.
    pub fn used(&mut self, pool: Pool, now: Timestamp) -> (u32, u32) {
        self.tick(now);
        let window = self.pool(pool);
        (window.used, window.limit)
    }

    const fn pool(&mut self, pool: Pool) -> &mut Window {
        match pool {
            Pool::Weight => &mut self.weight,
            Pool::FuturesData => &mut self.futures_data,
            Pool::Funding => &mut self.funding,
        }
    }

    /// Time that never goes back, with what is over forgotten.
    fn tick(&mut self, now: Timestamp) -> Timestamp {
        self.latest = self.latest.max(now);
        for window in [&mut self.weight, &mut self.futures_data, &mut self.funding] {
            window.forget(self.latest);
        }
        self.latest
    }
}

/// The stricter of two verdicts.
fn later(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::TooLarge, _) | (_, Verdict::TooLarge) => Verdict::TooLarge,
        (Verdict::Wait(a), Verdict::Wait(b)) => Verdict::Wait(a.max(b)),
        (Verdict::Granted, other) | (other, Verdict::Granted) => other,
    }
}

/// What was used of a limit, by seconds.
#[derive(Clone, Debug)]
struct Window {
    limit: u32,
    /// Length of the period, seconds.
    secs: i64,
    used: u32,
    /// (second, used in it), ascending.
    spent: VecDeque<(i64, u32)>,
}

impl Window {
    const fn new(secs: i64, limit: u32) -> Self {
        Self { limit, secs, used: 0, spent: VecDeque::new() }
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((second, used)) = self.spent.front().copied() {
            if self.end_of(second) > now {
                return;
            }
            self.spent.pop_front();
            self.used -= used;
        }
    }

    /// When what was used in a second is over.
    fn end_of(&self, second: i64) -> Timestamp {
        Timestamp::from_nanos((second + 1 + self.secs + MARGIN) * SECOND)
    }

    fn add(&mut self, amount: u32, now: Timestamp) {
        let second = now.as_nanos().div_euclid(SECOND);
        // Kept whatever the limit is, so that a count beyond it delays what follows.
        let amount = amount.min(u32::MAX - self.used);
        self.used += amount;
        match self.spent.back_mut() {
            Some((last, used)) if *last == second => *used += amount,
            _ if amount > 0 => self.spent.push_back((second, amount)),
            _ => {}
        }
    }

    /// Whether `amount` more stays within `cap`, or when it will.
    fn check(&self, amount: u32, cap: u32) -> Verdict {
        if amount == 0 {
            return Verdict::Granted;
        }
        if amount > cap {
            return Verdict::TooLarge;
        }
        let mut over = u64::from(self.used) + u64::from(amount);
        let mut ends = None;
        for (second, used) in &self.spent {
            if over <= u64::from(cap) {
                break;
            }
            over -= u64::from(*used);
            ends = Some(self.end_of(*second));
        }
        ends.map_or(Verdict::Granted, Verdict::Wait)
    }
}

#[cfg(test)]
mod tests;
