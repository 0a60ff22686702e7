//! The score: each layer gives points between 0 and its weight, and says why.
//!
//! Invariant: a pure function of [`ScoreInput`]; floats with + − × ÷ only, so it is bit-equal on
//! every platform.

use super::config::LayeredScoreConfig;
use crate::event::Direction;
use crate::strategy::{Factor, Factors};

/// What the layers look at, with absent values as none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ScoreInput {
    pub(super) cvd_30m: f64,
    pub(super) cvd_4h: f64,
    pub(super) large_flow_15m: Option<f64>,
    pub(super) cvd_accel: Option<f64>,
    pub(super) last_price: f64,
    pub(super) vwap_30m: Option<f64>,
    pub(super) long_short_ratio: Option<f64>,
    pub(super) top_trader_ratio: Option<f64>,
    pub(super) funding_rate_8h: Option<f64>,
    pub(super) max_funding_excess: f64,
    pub(super) open_interest_change: Option<f64>,
    /// Rise of open interest that gets all points.
    pub(super) open_interest_rise: f64,
    /// Quote notional of liquidated longs and shorts.
    pub(super) liquidations: Option<(f64, f64)>,
    pub(super) quote_volume_24h: Option<f64>,
    pub(super) coinbase_premium: Option<f64>,
}

/// 1 at `full` and beyond, 0 at `none` and beyond, linear between.
fn linear(value: f64, full: f64, none: f64) -> f64 {
    ((none - value) / (none - full)).clamp(0.0, 1.0)
}

/// The parts of the score of a candidate direction.
pub(super) fn score(
    config: &LayeredScoreConfig,
    direction: Direction,
    input: &ScoreInput,
) -> Factors {
    let layers = Layers { config, direction, sign: direction.sign(), input };
    let mut factors = Factors::default();
    factors.push(layers.direction());
    factors.push(layers.acceleration());
    factors.push(layers.crowding());
    if config.weights.funding > 0.0 {
        factors.push(layers.funding());
    }
    factors.push(layers.environment());
    factors.push(layers.confirmation());
    if config.weights.liquidation > 0.0 {
        factors.push(layers.liquidation());
    }
    factors.push(layers.auxiliary());
    factors
}

struct Layers<'a> {
    config: &'a LayeredScoreConfig,
    direction: Direction,
    sign: f64,
    input: &'a ScoreInput,
}

impl Layers<'_> {
    fn with(&self, value: f64) -> bool {
        value * self.sign > 0.0
    }

    fn against(&self, value: f64) -> bool {
        value * self.sign < 0.0
    }

    fn direction(&self) -> Factor {
        let (weight, input) = (self.config.weights.direction, self.input);
        let part = weight / 3.0;
        let cvd_4h = if self.with(input.cvd_4h) { part } else { 0.0 };
        let (large, note) = match input.large_flow_15m {
            Some(flow) if self.with(flow) => (part, "large flow with the candidate"),
            Some(flow) if self.against(flow) => (0.0, "large flow against the candidate"),
            _ => (part / 2.0, "no large flow: half"),
        };
        // The first part is always given: the candidate is the sign of cvd_30m.
        let points = if cvd_4h > 0.0 && large >= part { weight } else { part + cvd_4h + large };
        let inputs = [
            ("cvd_30m", Some(input.cvd_30m)),
            ("cvd_4h", Some(input.cvd_4h)),
            ("large_flow_15m", input.large_flow_15m),
        ];
        Factor::new("direction", (points, weight), &inputs, note)
    }

    fn acceleration(&self) -> Factor {
        let weight = self.config.weights.acceleration;
        let accel = self.input.cvd_accel;
        let (points, note) = match accel {
            Some(accel) if self.with(accel) => (weight, "the flow accelerates"),
            Some(_) => (0.0, "the flow does not accelerate"),
            None => (0.0, "no row 60 s ago"),
        };
        Factor::new("accel_bonus", (points, weight), &[("cvd_accel", accel)], note)
    }

    fn crowding(&self) -> Factor {
        let (weight, bounds) = (self.config.weights.crowding, &self.config.crowding);
        let half = weight / 2.0;
        let share = |value: Option<f64>, full: f64, none: f64| match (value, self.direction) {
            (None, _) => 0.5,
            (Some(value), Direction::Long) => linear(value, full, none),
            // Mirrored: what gives a LONG none gives a SHORT all.
            (Some(value), Direction::Short) => linear(value, none, full),
        };
        let (ratio, top) = (self.input.long_short_ratio, self.input.top_trader_ratio);
        let contrarian = half * share(ratio, bounds.long_short_full, bounds.long_short_none);
        let with_top = half * share(top, bounds.top_trader_full, bounds.top_trader_none);
        let note = match (ratio, top) {
            (Some(_), Some(_)) => "against the crowd, with the large accounts",
            (None, None) => "no ratios: half",
            _ => "one ratio absent: half of its part",
        };
        let inputs = [("long_short_ratio", ratio), ("top_trader_ratio", top)];
        Factor::new("crowding", (contrarian + with_top, weight), &inputs, note)
    }

    fn funding(&self) -> Factor {
        let weight = self.config.weights.funding;
        let rate = self.input.funding_rate_8h;
        let (points, note) = match rate {
            None => (0.0, "no funding rate"),
            Some(rate) if !self.against(rate) => (0.0, "funding is not paid to the candidate"),
            Some(rate) => {
                let excess = (rate.abs() - self.config.funding.base_rate_8h).max(0.0);
                let share = excess / self.input.max_funding_excess;
                ((share * weight).min(weight), "funding is paid to the candidate")
            }
        };
        let inputs =
            [("funding_rate_8h", rate), ("max_excess_30d", Some(self.input.max_funding_excess))];
        Factor::new("funding_rate", (points, weight), &inputs, note)
    }

    fn environment(&self) -> Factor {
        let weight = self.config.weights.environment;
        let change = self.input.open_interest_change;
        let (points, note) = match change {
            None => (weight / 2.0, "no open interest: half"),
            Some(change) if change >= self.input.open_interest_rise => (weight, "rises strongly"),
            Some(change) if change >= 0.0 => (weight * 2.0 / 3.0, "rises"),
            Some(_) => (weight / 3.0, "falls"),
        };
        Factor::new("environment", (points, weight), &[("open_interest_15m", change)], note)
    }

    fn confirmation(&self) -> Factor {
        let (weight, input) = (self.config.weights.confirmation, self.input);
        let beyond = input.vwap_30m.map(|vwap| input.last_price - vwap);
        let all = self.with(input.cvd_30m)
            && self.with(input.cvd_4h)
            && beyond.is_some_and(|distance| self.with(distance));
        let (points, note) = if all {
            (weight, "both CVDs and the price's side of VWAP agree")
        } else {
            (0.0, "CVDs and the price's side of VWAP do not all agree")
        };
        let inputs = [("last_price", Some(input.last_price)), ("vwap_30m", input.vwap_30m)];
        Factor::new("confirmation", (points, weight), &inputs, note)
    }

    fn liquidation(&self) -> Factor {
        let (weight, rule) = (self.config.weights.liquidation, &self.config.liquidation);
        let (longs, shorts) = self.input.liquidations.unzip();
        let (points, note) = match self.input.liquidations {
            None => (0.0, "no liquidation stream"),
            Some((longs, shorts)) => {
                let (opposite, own) = match self.direction {
                    Direction::Long => (shorts, longs),
                    Direction::Short => (longs, shorts),
                };
                let share = self.input.quote_volume_24h.unwrap_or(0.0) * rule.min_share_of_24h;
                let enough = opposite >= rule.min_notional.max(share);
                if enough && opposite >= own * rule.ratio {
                    (weight, "the other side is being liquidated")
                } else {
                    (0.0, "no one-sided liquidation")
                }
            }
        };
        let volume = self.input.quote_volume_24h;
        let inputs = [("longs_5m", longs), ("shorts_5m", shorts), ("quote_volume_24h", volume)];
        Factor::new("liquidation", (points, weight), &inputs, note)
    }

    fn auxiliary(&self) -> Factor {
        let weight = self.config.weights.auxiliary;
        let premium = self.input.coinbase_premium;
        let (share, note) = match premium.map(|premium| premium * self.sign) {
            None => (0.4, "no premium: two fifths"),
            Some(premium) if premium > self.config.auxiliary.premium => (1.0, "with"),
            Some(premium) if premium < -self.config.auxiliary.premium => (0.0, "against"),
            Some(_) => (0.4, "between: two fifths"),
        };
        Factor::new("auxiliary", (weight * share, weight), &[("coinbase_premium", premium)], note)
    }
}
