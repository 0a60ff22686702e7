//! The funding that a short may expect, per notional.

use super::FundingCarryConfig;
use crate::strategy::Context;
use crate::time::{DAY, HOUR};

/// Expected funding; positive is received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// Rate of the coming settlement.
    pub(super) next: f64,
    /// Rate of each later one.
    pub(super) later: f64,
    /// Settlements within the horizon.
    pub(super) settlements: f64,
    /// Σ over the horizon.
    pub(super) over_horizon: f64,
    /// Σ of what is negative over the next 24 hours.
    pub(super) negative_24h: f64,
}

impl Outlook {
    /// None where no funding rate is known.
    pub(super) fn new(cx: &Context<'_>, config: &FundingCarryConfig) -> Option<Self> {
        let now = cx.now();
        let inputs = cx.inputs();
        let next = inputs.funding_rate(now).map(super::fraction)?;
        let hours = inputs.funding_interval_hours();
        let mean = |days| inputs.mean_settled_rate(now, days).map(|per_hour| per_hour * hours);
        let later = next.min(mean(3)?).min(mean(7)?);
        let interval = inputs.funding_interval();
        let first = now.plus(1).ceil_to(interval);
        let within = |nanos: i64| count((nanos - first.since(now)).div_euclid(interval) + 1);
        let sum = |settlements: f64, next: f64, later: f64| {
            if settlements < 1.0 { 0.0 } else { next + (settlements - 1.0) * later }
        };
        let settlements = within(i64::from(config.horizon_days) * DAY);
        Some(Self {
            next,
            later,
            settlements,
            over_horizon: sum(settlements, next, later),
            negative_24h: sum(within(24 * HOUR), next.min(0.0), later.min(0.0)),
        })
    }
}

fn count(settlements: i64) -> f64 {
    i32::try_from(settlements.max(0)).map_or(f64::MAX, f64::from)
}
