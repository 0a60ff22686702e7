//! The Coinbase premium: what coin costs there over Binance spot, corrected for USDT in USD.
//!
//! ```text
//! premium = (Coinbase mid in USD ÷ Coinbase USDT-USD mid) ÷ Binance spot mid − 1
//! ```
//! Mean of the valid samples of the last 60 seconds, one a second.
//!
//! Invariant: absent unless the newest sample is valid: every price at most 10 s old, and the two
//! prices of the coin within 2 s of each other. The mean is summed anew each time, so it depends
//! on nothing but its samples.

use std::collections::VecDeque;

use arb_core::time::SECOND;
use arb_core::{Price, Timestamp};

/// Oldest price that still counts.
const MAX_AGE: i64 = 10 * SECOND;
/// Furthest that the two prices of the coin may be apart.
const MAX_APART: i64 = 2 * SECOND;
/// What the mean is taken over.
const WINDOW: i64 = 60 * SECOND;

/// Which price is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// The coin in USD on Coinbase.
    CoinbaseCoin,
    /// USDT in USD on Coinbase.
    CoinbaseTether,
    /// The coin in USDT on Binance spot.
    BinanceCoin,
}

#[derive(Clone, Copy, Debug)]
struct Mid {
    at: Timestamp,
    price: f64,
}

/// The premium of one coin.
#[derive(Clone, Debug, Default)]
pub struct Premium {
    coinbase: Option<Mid>,
    tether: Option<Mid>,
    binance: Option<Mid>,
    samples: VecDeque<Mid>,
}

impl Premium {
    /// Takes the best bid and ask of a leg; one older than the last is ignored.
    pub fn update(&mut self, leg: Leg, at: Timestamp, best_bid: Price, best_ask: Price) {
        let slot = match leg {
            Leg::CoinbaseCoin => &mut self.coinbase,
            Leg::CoinbaseTether => &mut self.tether,
            Leg::BinanceCoin => &mut self.binance,
        };
        if slot.is_none_or(|mid| mid.at <= at) {
            let price = (best_bid.to_f64_lossy() + best_ask.to_f64_lossy()) / 2.0;
            *slot = Some(Mid { at, price });
        }
    }

    /// Takes a sample, to be called once a second, and tells the premium as a fraction.
    pub fn sample(&mut self, now: Timestamp) -> Option<f64> {
        while self.samples.front().is_some_and(|sample| now.since(sample.at) >= WINDOW) {
            self.samples.pop_front();
        }
        let price = self.instant(now)?;
        // Called more often than once a second, the newer sample of a second replaces the older.
        let second = |at: Timestamp| at.floor_to(SECOND);
        if self.samples.back().is_some_and(|last| second(last.at) >= second(now)) {
            self.samples.pop_back();
        }
        self.samples.push_back(Mid { at: now, price });
        let (sum, count) =
            self.samples.iter().fold((0.0, 0.0), |(sum, n), s| (sum + s.price, n + 1.0));
        Some(sum / count)
    }

    /// The premium of this instant.
    fn instant(&self, now: Timestamp) -> Option<f64> {
        let (coinbase, tether, binance) = (self.coinbase?, self.tether?, self.binance?);
        let fresh = |mid: Mid| now.since(mid.at) <= MAX_AGE;
        let apart = coinbase.at.since(binance.at).saturating_abs();
        let valid = fresh(coinbase) && fresh(tether) && fresh(binance) && apart <= MAX_APART;
        valid.then(|| coinbase.price / tether.price / binance.price - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos((1_700_000_000 + seconds) * SECOND)
    }

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn set(premium: &mut Premium, leg: Leg, seconds: i64, mid: &str) {
        premium.update(leg, at(seconds), price(mid), price(mid));
    }

    fn all(premium: &mut Premium, seconds: i64, coin: &str) {
        set(premium, Leg::CoinbaseCoin, seconds, coin);
        set(premium, Leg::CoinbaseTether, seconds, "0.5");
        set(premium, Leg::BinanceCoin, seconds, "200");
    }

    fn near(value: Option<f64>, expected: f64) {
        assert!(value.is_some_and(|v| (v - expected).abs() < 1e-12), "{value:?} is not {expected}");
    }

    #[test]
    fn usdt_is_corrected_for() {
        let mut premium = Premium::default();
        all(&mut premium, 0, "101");
        near(premium.sample(at(0)), 101.0 / 0.5 / 200.0 - 1.0);
    }

    #[test]
    fn the_mean_is_that_of_the_last_sixty_seconds() {
        let mut premium = Premium::default();
        for second in 0..200_i32 {
            let coin = (100 + second).to_string();
            all(&mut premium, second.into(), &coin);
            let first = (second - 59).max(0);
            let sum: i32 = (first..=second).map(|s| 100 + s).sum();
            let mean = f64::from(sum) / f64::from(second - first + 1) / 100.0 - 1.0;
            near(premium.sample(at(second.into())), mean);
        }
    }

    #[test]
    fn an_old_price_or_prices_apart_make_it_absent() {
        let mut premium = Premium::default();
        assert_eq!(premium.sample(at(0)), None);
        all(&mut premium, 0, "100");
        assert!(premium.sample(at(10)).is_some());
        assert!(premium.sample(at(11)).is_none());
        set(&mut premium, Leg::CoinbaseCoin, 11, "100");
        set(&mut premium, Leg::BinanceCoin, 9, "200");
        assert!(premium.sample(at(11)).is_none(), "USDT is 11 s old");
        set(&mut premium, Leg::CoinbaseTether, 5, "0.5");
        assert!(premium.sample(at(11)).is_some());
        set(&mut premium, Leg::CoinbaseCoin, 12, "100");
        assert!(premium.sample(at(12)).is_none(), "3 s apart");
    }

    #[test]
    fn samples_within_a_second_count_once() {
        let mut premium = Premium::default();
        all(&mut premium, 0, "100");
        for _ in 0..50 {
            premium.sample(at(0));
        }
        all(&mut premium, 1, "102");
        near(premium.sample(at(1)), 0.01);
    }
}
