//! The score: each layer gives points between 0 and its weight, and says why.
//!
//! Invariant: a pure function of [`ScoreInput`]; floats with + − × ÷ only, so it is bit-equal on
//! every platform. The factors are always the same eight in the same order, also those of weight
//! 0, so that a reader finds every name in every decision.

use super::config::LayeredScoreConfig;
use crate::event::Direction;
use crate::indicator::Indicators;
use crate::market::InputName;
use crate::strategy::{Context, Factor, Factors};

/// Highest score.
pub(super) const MAX_SCORE: f64 = 100.0;

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
    /// Largest excess of 30 days; none where no points depend on it.
    pub(super) max_funding_excess: Option<f64>,
    pub(super) open_interest_change: Option<f64>,
    /// Rise of open interest that gets all points.
    pub(super) open_interest_rise: f64,
    /// Quote notional of liquidated longs and shorts.
    pub(super) liquidations: Option<(f64, f64)>,
    pub(super) quote_volume_24h: Option<f64>,
    pub(super) coinbase_premium: Option<f64>,
}

/// Which end of what the layers can look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Worst,
    Best,
}

impl End {
    fn pick<T>(self, worst: T, best: T) -> T {
        match self {
            Self::Worst => worst,
            Self::Best => best,
        }
    }
}

impl ScoreInput {
    /// What the layers look at now.
    pub(super) fn new(config: &LayeredScoreConfig, cx: &Context<'_>, row: &Indicators) -> Self {
        let (now, inputs) = (cx.now(), cx.inputs());
        let rise = config.environment.by_symbol.get(&cx.spec().symbol).copied();
        let rate = inputs.funding_rate_8h(now);
        let wanted = rate.filter(|_| config.weights.funding > 0.0);
        let liquidations = inputs.liquidations_5m(now);
        let volume = liquidations.and_then(|_| cx.market().quote_volume_24h());
        Self {
            cvd_30m: row.cvd_30m.to_f64_lossy(),
            cvd_4h: row.cvd_4h.to_f64_lossy(),
            large_flow_15m: row.large_flow_15m.map(|flow| flow.to_f64_lossy()),
            cvd_accel: row.cvd_accel,
            last_price: row.last_price.to_f64_lossy(),
            vwap_30m: row.vwap_30m,
            long_short_ratio: inputs.long_short_ratio(now),
            top_trader_ratio: inputs.top_trader_ratio(now),
            funding_rate_8h: rate,
            max_funding_excess: wanted
                .map(|_| inputs.max_funding_excess(now, config.funding.base_rate_8h)),
            open_interest_change: inputs.open_interest_change(now),
            open_interest_rise: rise.unwrap_or(config.environment.rise),
            liquidations: liquidations.map(|l| (l.long.to_f64_lossy(), l.short.to_f64_lossy())),
            quote_volume_24h: volume.map(|volume| volume.to_f64_lossy()),
            coinbase_premium: inputs.coinbase_premium(now),
        }
    }

    /// The worst or best for a LONG whose CVDs agree, with only these market inputs present.
    pub(super) fn extreme(config: &LayeredScoreConfig, end: End, present: &[InputName]) -> Self {
        let known =
            |name, worst: f64, best: f64| present.contains(&name).then_some(end.pick(worst, best));
        let (crowding, rise) = (&config.crowding, config.environment.rise);
        let rate = config.funding.base_rate_8h + 1.0;
        let shorts = known(InputName::Liquidations, 0.0, config.liquidation.min_notional.max(1.0));
        Self {
            cvd_30m: 1.0,
            cvd_4h: 1.0,
            large_flow_15m: Some(end.pick(-1.0, 1.0)),
            cvd_accel: Some(end.pick(-1.0, 1.0)),
            last_price: end.pick(1.0, 3.0),
            vwap_30m: Some(2.0),
            long_short_ratio: known(
                InputName::LongShortRatio,
                crowding.long_short_none,
                crowding.long_short_full,
            ),
            top_trader_ratio: known(
                InputName::TopTraderRatio,
                crowding.top_trader_none,
                crowding.top_trader_full,
            ),
            funding_rate_8h: known(InputName::FundingRate, rate, -rate),
            max_funding_excess: known(InputName::FundingRate, 1.0, 1.0),
            open_interest_change: known(InputName::OpenInterest, -1.0, rise),
            open_interest_rise: rise,
            liquidations: shorts.map(|shorts| (0.0, shorts)),
            quote_volume_24h: None,
            coinbase_premium: known(InputName::CoinbasePremium, f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// Weight of the present market inputs ÷ weight of all market inputs; 1 without such weight.
    pub(super) fn share_present(&self, config: &LayeredScoreConfig) -> f64 {
        let w = &config.weights;
        let inputs = [
            (self.long_short_ratio.is_some(), w.crowding / 2.0),
            (self.top_trader_ratio.is_some(), w.crowding / 2.0),
            (self.funding_rate_8h.is_some(), w.funding),
            (self.open_interest_change.is_some(), w.environment),
            (self.liquidations.is_some(), w.liquidation),
            (self.coinbase_premium.is_some(), w.auxiliary),
        ];
        let (present, all) = inputs.iter().fold((0.0, 0.0), |(present, all), (there, weight)| {
            (if *there { present + weight } else { present }, all + weight)
        });
        if all > 0.0 { present / all } else { 1.0 }
    }
}

/// The parts of the score of a candidate direction.
pub(super) fn factors(
    config: &LayeredScoreConfig,
    direction: Direction,
    input: &ScoreInput,
) -> Factors {
    let layers = Layers { config, direction, sign: direction.sign(), input };
    let mut factors = Factors::default();
    for layer in [
        layers.direction(),
        layers.acceleration(),
        layers.crowding(),
        layers.funding(),
        layers.environment(),
        layers.confirmation(),
        layers.liquidation(),
        layers.auxiliary(),
    ] {
        factors.push(layer);
    }
    factors
}

/// 1 at `full` and beyond, 0 at `none` and beyond, linear between.
fn linear(value: f64, full: f64, none: f64) -> f64 {
    ((none - value) / (none - full)).clamp(0.0, 1.0)
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
        let agrees = self.with(input.cvd_4h);
        let (large, large_note) = match input.large_flow_15m {
            Some(flow) if self.with(flow) => (1.0, "the CVDs agree, large flow with them"),
            Some(flow) if self.against(flow) => (0.0, "the CVDs agree, large flow against them"),
            _ => (self.config.direction.no_large_flow_share, "the CVDs agree, no large flow"),
        };
        // The first third is always given: the candidate is the sign of cvd_30m.
        let thirds = if agrees { 2.0 + large } else { 1.0 + large };
        let note = if agrees { large_note } else { "cvd_4h disagrees: no signal" };
        let inputs = [
            ("cvd_30m", Some(input.cvd_30m)),
            ("cvd_4h", Some(input.cvd_4h)),
            ("large_flow_15m", input.large_flow_15m),
        ];
        Factor::new("direction", (weight * thirds / 3.0, weight), &inputs, note)
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
            (None, _) => bounds.absent_share,
            (Some(value), Direction::Long) => linear(value, full, none),
            // Mirrored: what gives a LONG none gives a SHORT all.
            (Some(value), Direction::Short) => linear(value, none, full),
        };
        let (ratio, top) = (self.input.long_short_ratio, self.input.top_trader_ratio);
        let contrarian = half * share(ratio, bounds.long_short_full, bounds.long_short_none);
        let with_top = half * share(top, bounds.top_trader_full, bounds.top_trader_none);
        let note = match (ratio, top) {
            (Some(_), Some(_)) => "against the crowd, with the large accounts",
            (None, None) => "both ratios absent",
            (None, Some(_)) => "long_short_ratio absent",
            (Some(_), None) => "top_trader_ratio absent",
        };
        let inputs = [("long_short_ratio", ratio), ("top_trader_ratio", top)];
        Factor::new("crowding", (contrarian + with_top, weight), &inputs, note)
    }

    fn funding(&self) -> Factor {
        let (weight, rate) = (self.config.weights.funding, self.input.funding_rate_8h);
        let max_excess = self.input.max_funding_excess;
        let (points, note) = match rate.zip(max_excess) {
            None if rate.is_some() => (0.0, "off"),
            None => (0.0, "funding rate absent"),
            // A LONG is paid while the rate is negative, a SHORT while it is positive.
            Some((rate, _)) if !self.against(rate) => (0.0, "funding is not paid to the candidate"),
            Some((rate, max_excess)) => {
                let excess = (rate.abs() - self.config.funding.base_rate_8h).max(0.0);
                ((excess / max_excess * weight).min(weight), "funding is paid to the candidate")
            }
        };
        let inputs = [("funding_rate_8h", rate), ("max_excess_30d", max_excess)];
        Factor::new("funding_rate", (points, weight), &inputs, note)
    }

    fn environment(&self) -> Factor {
        let (weight, rule) = (self.config.weights.environment, &self.config.environment);
        let (change, rise) = (self.input.open_interest_change, self.input.open_interest_rise);
        let (share, note) = match change {
            None => (rule.absent_share, "open interest absent"),
            Some(change) if change >= rise => (1.0, "open interest rises strongly"),
            Some(change) if change >= 0.0 => (rule.steady_share, "open interest steady or rising"),
            Some(_) => (rule.fall_share, "open interest falls"),
        };
        let inputs = [("open_interest_change_15m", change), ("rise", Some(rise))];
        Factor::new("environment", (weight * share, weight), &inputs, note)
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
        // A liquidated short must buy: it pushes where a LONG wants to go.
        let (opposite, own) = match self.direction {
            Direction::Long => (shorts, longs),
            Direction::Short => (longs, shorts),
        };
        let volume = self.input.quote_volume_24h;
        let share = volume.map_or(0.0, |volume| volume * rule.min_share_of_24h);
        let floor = rule.min_notional.max(share);
        let (points, note) = match opposite.zip(own) {
            None => (0.0, "liquidation stream absent"),
            Some((opposite, own))
                if opposite > 0.0 && opposite >= floor && opposite >= own * rule.ratio =>
            {
                (weight, "the other side is being liquidated")
            }
            Some(_) => (0.0, "the other side is not being liquidated"),
        };
        let inputs = [("longs_5m", longs), ("shorts_5m", shorts), ("floor", Some(floor))];
        Factor::new("liquidation", (points, weight), &inputs, note)
    }

    fn auxiliary(&self) -> Factor {
        let (weight, rule) = (self.config.weights.auxiliary, &self.config.auxiliary);
        let premium = self.input.coinbase_premium;
        let (share, note) = match premium.map(|premium| premium * self.sign) {
            None => (rule.absent_share, "premium absent"),
            Some(premium) if premium > rule.premium => (1.0, "premium with the candidate"),
            Some(premium) if premium < -rule.premium => (0.0, "premium against the candidate"),
            Some(_) => (rule.between_share, "premium between the bounds"),
        };
        Factor::new("auxiliary", (weight * share, weight), &[("coinbase_premium", premium)], note)
    }
}
