//! What the venue allows an address, counted as it counts.
//!
//! Invariant: weight is counted per address and host in fixed minutes of virtual time, the pools of
//! `/futures/data` and of funding in fixed five minutes. Above a limit every request is 429 until
//! the period ends; going on regardless ends in 418, two minutes first, doubled each time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::rest::Host;
use crate::{Cost, Pool};

const MINUTE: i64 = 60_000;
/// Refusals of a period after which an address is banned.
const PATIENCE: u32 = 20;
const FIRST_BAN: i64 = 2 * MINUTE;
const LONGEST_BAN: i64 = 3 * 24 * 60 * MINUTE;
/// Addresses kept; more make the table start anew.
const ADDRESSES: usize = 10_000;

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueLimits {
    /// Request weight per minute, futures.
    pub futures_weight: u32,
    /// Request weight per minute, spot.
    pub spot_weight: u32,
    /// Requests under `/futures/data` per five minutes.
    pub futures_data: u32,
    /// `fundingRate` and `fundingInfo` together per five minutes.
    pub funding: u32,
    /// New stream connections per five minutes.
    pub connections: u32,
    /// Streams of a connection.
    pub streams: u32,
    /// Messages a second that a client may send, futures.
    pub futures_messages: u32,
    /// Messages a second that a client may send, spot.
    pub spot_messages: u32,
    /// Life of a connection, milliseconds.
    pub connection_life_ms: u32,
}

impl VenueLimits {
    /// The documented ones.
    pub const DOCUMENTED: Self = Self {
        futures_weight: 2_400,
        spot_weight: 6_000,
        futures_data: 1_000,
        funding: 500,
        connections: 300,
        streams: 1_024,
        futures_messages: 10,
        spot_messages: 5,
        connection_life_ms: 86_400_000,
    };
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Too many requests; the period ends then.
    TooMany { until: i64, limit: u32 },
    /// The address is banned until then.
    Banned { until: i64 },
}

/// A count that starts anew with each period.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    period: i64,
    used: u32,
}

impl Count {
    fn used(&mut self, length: i64, now: i64) -> u32 {
        let period = now.div_euclid(length);
        if period != self.period {
            *self = Self { period, used: 0 };
        }
        self.used
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    weight: Count,
    futures_data: Count,
    funding: Count,
    refused: Count,
    banned_until: i64,
    bans: u32,
}

/// The counts of all addresses.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    limits: VenueLimits,
    meters: BTreeMap<(Host, IpAddr), Meter>,
    connections: BTreeMap<IpAddr, Count>,
}

impl Meters {
    pub(crate) const fn new(limits: VenueLimits) -> Self {
        Self { limits, meters: BTreeMap::new(), connections: BTreeMap::new() }
    }

    /// Counts a request and tells the weight used in this minute.
    pub(crate) fn count(
        &mut self,
        who: (Host, IpAddr),
        cost: Cost,
        now: i64,
    ) -> (u32, Result<(), Excess>) {
        if self.meters.len() >= ADDRESSES {
            self.meters.clear();
        }
        let weight_limit = match who.0 {
            Host::Futures => self.limits.futures_weight,
            Host::Spot => self.limits.spot_weight,
        };
        let meter = self.meters.entry(who).or_default();
        let used = meter.weight.used(MINUTE, now);
        if now < meter.banned_until {
            return (used, Err(Excess::Banned { until: meter.banned_until }));
        }
        let weight = used.saturating_add(cost.weight);
        meter.weight.used = weight;
        let mut verdict = within(weight, weight_limit, MINUTE, now);
        let pool = match cost.pool {
            Some(Pool::FuturesData) => Some((&mut meter.futures_data, self.limits.futures_data)),
            Some(Pool::Funding) => Some((&mut meter.funding, self.limits.funding)),
            _ => None,
        };
        if let Some((count, limit)) = pool {
            count.used = count.used(5 * MINUTE, now) + 1;
            verdict = verdict.and(within(count.used, limit, 5 * MINUTE, now));
        }
        if verdict.is_err() {
            verdict = meter.refuse(verdict, now);
        }
        (weight, verdict)
    }

    /// Counts a new stream connection.
    pub(crate) fn connect(&mut self, ip: IpAddr, now: i64) -> Result<(), Excess> {
        if self.connections.len() >= ADDRESSES {
            self.connections.clear();
        }
        let count = self.connections.entry(ip).or_default();
        count.used = count.used(5 * MINUTE, now) + 1;
        within(count.used, self.limits.connections, 5 * MINUTE, now)
    }

    /// The weight an address used in this minute.
    pub(crate) fn weight(&mut self, who: (Host, IpAddr), now: i64) -> u32 {
        self.meters.get_mut(&who).map_or(0, |meter| meter.weight.used(MINUTE, now))
    }
}

impl Meter {
    fn refuse(&mut self, verdict: Result<(), Excess>, now: i64) -> Result<(), Excess> {
        self.refused.used = self.refused.used(MINUTE, now) + 1;
        if self.refused.used <= PATIENCE {
            return verdict;
        }
        let ban = FIRST_BAN.saturating_mul(1 << self.bans.min(20)).min(LONGEST_BAN);
        self.bans = self.bans.saturating_add(1);
        self.refused = Count::default();
        self.banned_until = now + ban;
        Err(Excess::Banned { until: self.banned_until })
    }
}

const fn within(used: u32, limit: u32, length: i64, now: i64) -> Result<(), Excess> {
    if used <= limit {
        return Ok(());
    }
    Err(Excess::TooMany { until: (now.div_euclid(length) + 1) * length, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: (Host, IpAddr) = (Host::Futures, IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    const NOW: i64 = 1_790_000_000_000 / 60_000 * 60_000;

    #[test]
    fn above_the_weight_of_a_minute_everything_is_refused_until_it_ends() {
        let mut meters = Meters::new(VenueLimits::DOCUMENTED);
        for used in 1..=120 {
            let (weight, verdict) = meters.count(WHO, Cost::weight(20), NOW);
            assert_eq!((weight, verdict), (used * 20, Ok(())));
        }
        let (_, verdict) = meters.count(WHO, Cost::weight(1), NOW + 59_999);
        assert_eq!(verdict, Err(Excess::TooMany { until: NOW + 60_000, limit: 2_400 }));
        let (weight, verdict) = meters.count(WHO, Cost::weight(1), NOW + 60_000);
        assert_eq!((weight, verdict), (1, Ok(())));
    }

    #[test]
    fn going_on_after_a_refusal_ends_in_a_ban_that_doubles() {
        let mut meters = Meters::new(VenueLimits::DOCUMENTED);
        for minutes in [2, 4, 8] {
            let mut now = NOW;
            let until = loop {
                if let (_, Err(Excess::Banned { until })) =
                    meters.count(WHO, Cost::weight(2_400), now)
                {
                    if until > now + 60_000 {
                        break until;
                    }
                    now = until;
                }
            };
            assert_eq!(until - now, minutes * 60_000);
            meters.meters.get_mut(&WHO).unwrap().banned_until = 0;
            meters.meters.get_mut(&WHO).unwrap().weight = Count::default();
        }
    }

    #[test]
    fn a_pool_is_counted_apart_from_weight() {
        let mut meters = Meters::new(VenueLimits::DOCUMENTED);
        for _ in 0..1_000 {
            assert_eq!(meters.count(WHO, Cost::FUTURES_DATA, NOW), (0, Ok(())));
        }
        assert!(meters.count(WHO, Cost::FUTURES_DATA, NOW).1.is_err());
        assert!(meters.count(WHO, Cost::weight(1), NOW).1.is_ok());
    }
}
