//! Watches equity, losses and costs, and decides what the engine may still do.
//!
//! Invariant: the state only gets stricter by itself; an operator alone moves it back up, with a
//! reason that is kept. Midnight starts new daily sums and lifts no halt.

use std::collections::VecDeque;

use rust_decimal::Decimal;

use serde::{Deserialize, Serialize};

use super::{RiskConfig, RiskState, Rule, Trip};
use crate::event::{FeedState, Health};
use crate::num::Money;
use crate::time::{DAY, MINUTE, Timestamp};

const UNKNOWN_WINDOW: i64 = 5 * MINUTE;

/// The account at one moment, quote currency.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Equity {
    /// Everything: wallet, unrealised PnL, coins at the bid.
    pub(crate) equity: Money,
    /// What the carry book has earned of it, open or closed: no matter of the directional rules.
    pub(crate) carry_pnl: Money,
    /// The equity without coins: what the venue counts as margin.
    pub(crate) margin_balance: Money,
    /// The part of it that approved coins will take.
    pub(crate) reserved: Money,
    /// Below this the venue liquidates.
    pub(crate) maintenance: Money,
    /// Bound by open positions.
    pub(crate) initial_margin: Money,
}

impl Equity {
    /// The equity without the carry book's earnings.
    fn directional(&self) -> Money {
        self.equity - self.carry_pnl
    }
}

/// What the guard decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardEvent {
    pub(crate) trip: Trip,
    /// Close the directional book.
    pub(crate) flatten: bool,
}

/// Losses in a row and order counts of one strategy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Conduct {
    losses: u32,
    paused_until: Option<Timestamp>,
    orders: VecDeque<Timestamp>,
    cancels: VecDeque<Timestamp>,
}

/// The last measurements of the driver.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) clock: Option<(u32, u32, u32)>,
    pub(crate) silent_ms: Option<u32>,
    pub(crate) peg: Option<Decimal>,
    pub(crate) log: Option<FeedState>,
}

/// The risk state and its baselines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Guard {
    state: RiskState,
    /// The operator's pause, which a reset of the state does not lift.
    pub(crate) paused: bool,
    day: i64,
    /// The directional equity at 00:00 UTC.
    day_start: Money,
    /// The carry book's earnings at 00:00 UTC.
    carry_day_start: Money,
    peak: Money,
    costs_today: Money,
    unknown: VecDeque<Timestamp>,
    conduct: Vec<Conduct>,
    pub(crate) measured: Measured,
}

impl Guard {
    pub(crate) fn new(equity: Money, strategies: usize) -> Self {
        Self {
            state: RiskState::Active,
            paused: false,
            day: i64::MIN,
            day_start: equity,
            carry_day_start: Money::ZERO,
            peak: equity,
            costs_today: Money::ZERO,
            unknown: VecDeque::new(),
            conduct: vec![Conduct::default(); strategies],
            measured: Measured::default(),
        }
    }

    /// The state, with the operator's pause.
    pub(crate) fn state(&self) -> RiskState {
        if self.paused { self.state.max(RiskState::ReduceOnly) } else { self.state }
    }

    /// Follows the strategies of a new configuration: for each its place before, where it had one.
    pub(crate) fn follow(&mut self, places: &[Option<usize>]) {
        let conduct = |place: &Option<usize>| {
            place.and_then(|place| self.conduct.get(place).cloned()).unwrap_or_default()
        };
        self.conduct = places.iter().map(conduct).collect();
    }

    /// Starts the sums of a new UTC day.
    pub(crate) fn roll_day(&mut self, now: Timestamp, account: Equity) {
        let day = now.as_nanos().div_euclid(DAY);
        if day > self.day {
            self.day = day;
            self.day_start = account.directional();
            self.carry_day_start = account.carry_pnl;
            self.costs_today = Money::ZERO;
        }
    }

    /// Compares the account with its limits.
    pub(crate) fn check(
        &mut self,
        config: &RiskConfig,
        r_unit: Money,
        account: Equity,
    ) -> Option<GuardEvent> {
        self.peak = self.peak.max(account.equity);
        let breach = self.breach(config, r_unit, account)?;
        let (state, trip, flatten) = breach;
        if self.state >= state {
            return None;
        }
        self.state = state;
        Some(GuardEvent { trip, flatten })
    }

    fn breach(
        &self,
        config: &RiskConfig,
        r_unit: Money,
        account: Equity,
    ) -> Option<(RiskState, Trip, bool)> {
        let equity = account.equity.to_decimal();
        let trip = |rule, limit, actual| Trip { rule, limit, actual };
        let day_loss = self.day_loss(account);
        let loss_limit = r_unit.to_decimal() * config.daily_loss_r;
        if day_loss >= loss_limit {
            return Some((RiskState::Halted, trip(Rule::DailyLoss, -loss_limit, -day_loss), true));
        }
        let floor = self.peak.to_decimal() * (Decimal::ONE - config.max_drawdown_ratio);
        if equity <= floor {
            return Some((RiskState::Halted, trip(Rule::Drawdown, floor, equity), true));
        }
        let margin = account.margin_balance.to_decimal();
        let ratio = account.maintenance.to_decimal().checked_div(margin).unwrap_or_default();
        if ratio > config.margin_ratio_cut {
            let trip = trip(Rule::MarginRatio, config.margin_ratio_cut, ratio);
            return Some((RiskState::Halted, trip, true));
        }
        if ratio > config.margin_ratio_reduce {
            let trip = trip(Rule::MarginRatio, config.margin_ratio_reduce, ratio);
            return Some((RiskState::ReduceOnly, trip, false));
        }
        None
    }

    /// Notes an order whose outcome nobody knows; too many allow reducing only.
    pub(crate) fn on_unknown(&mut self, config: &RiskConfig, now: Timestamp) -> Option<GuardEvent> {
        self.unknown.push_back(now);
        while self.unknown.front().is_some_and(|at| now.since(*at) > UNKNOWN_WINDOW) {
            self.unknown.pop_front();
        }
        let count = u32::try_from(self.unknown.len()).unwrap_or(u32::MAX);
        if count < config.max_unknown_outcomes || self.state >= RiskState::ReduceOnly {
            return None;
        }
        self.state = RiskState::ReduceOnly;
        let (limit, actual) = (config.max_unknown_outcomes.into(), count.into());
        Some(GuardEvent {
            trip: Trip { rule: Rule::UnknownOutcomes, limit, actual },
            flatten: false,
        })
    }

    /// Notes the result of a closed trade; true when the strategy pauses from now on.
    pub(crate) fn on_trade_closed(
        &mut self,
        config: &RiskConfig,
        strategy: Option<usize>,
        (net, r_trade): (Money, Money),
        now: Timestamp,
    ) -> bool {
        let conduct = strategy.and_then(|strategy| self.conduct.get_mut(strategy));
        let Some(conduct) = conduct else { return false };
        if net >= -r_trade.times(config.losing_streak_min_r) {
            conduct.losses = 0;
            return false;
        }
        conduct.losses += 1;
        if conduct.losses < config.losing_streak {
            return false;
        }
        conduct.losses = 0;
        let pause = i64::from(config.losing_streak_pause_minutes) * MINUTE;
        conduct.paused_until = Some(now.plus(pause));
        true
    }

    /// Losses in a row of a strategy.
    pub(crate) fn losses(&self, strategy: usize) -> u32 {
        self.conduct.get(strategy).map_or(0, |conduct| conduct.losses)
    }

    /// What the directional book lost since midnight; negative when it gained.
    pub(crate) fn day_loss(&self, account: Equity) -> Decimal {
        (self.day_start - account.directional()).to_decimal()
    }

    /// Fall of equity below its peak, a fraction.
    pub(crate) fn drawdown_ratio(&self, account: Equity) -> Decimal {
        let fall = (self.peak.max(account.equity) - account.equity).to_decimal();
        fall.checked_div(self.peak.to_decimal()).unwrap_or_default().round_dp(6)
    }

    /// Orders of the last 5 minutes whose outcome nobody knows.
    pub(crate) fn unknown_outcomes(&self, now: Timestamp) -> u32 {
        let recent = self.unknown.iter().filter(|at| now.since(**at) <= UNKNOWN_WINDOW);
        u32::try_from(recent.count()).unwrap_or(u32::MAX)
    }

    pub(crate) fn paused_until(&self, strategy: usize, now: Timestamp) -> Option<Timestamp> {
        self.conduct.get(strategy)?.paused_until.filter(|until| now < *until)
    }

    /// Adds fees and slippage of a fill to the day's costs.
    pub(crate) fn on_costs(&mut self, amount: Money) {
        self.costs_today += amount;
    }

    pub(crate) const fn costs_today(&self) -> Money {
        self.costs_today
    }

    pub(crate) fn on_order(&mut self, strategy: Option<usize>, now: Timestamp) {
        if let Some(conduct) = strategy.and_then(|strategy| self.conduct.get_mut(strategy)) {
            note(&mut conduct.orders, now);
        }
    }

    pub(crate) fn on_cancel(&mut self, strategy: Option<usize>, now: Timestamp) {
        if let Some(conduct) = strategy.and_then(|strategy| self.conduct.get_mut(strategy)) {
            note(&mut conduct.cancels, now);
        }
    }

    /// Orders and cancels of a strategy in the last minute.
    pub(crate) fn rates(&self, strategy: usize, now: Timestamp) -> (usize, usize) {
        let recent = |times: &VecDeque<Timestamp>| {
            times.iter().filter(|at| now.since(**at) < MINUTE).count()
        };
        self.conduct.get(strategy).map_or((0, 0), |c| (recent(&c.orders), recent(&c.cancels)))
    }

    pub(crate) fn on_health(&mut self, health: &Health) {
        match *health {
            Health::Clock { uncertainty_ms, step_ms, offset_ms } => {
                self.measured.clock = Some((uncertainty_ms, step_ms, offset_ms));
            }
            Health::Connection { silent_ms } => self.measured.silent_ms = Some(silent_ms),
            Health::Peg(price) => self.measured.peg = Some(price.normalize()),
            Health::Log(state) => self.measured.log = Some(state),
        }
    }

    /// The rules whose measurement never came.
    pub(crate) fn unmeasured(&self) -> impl Iterator<Item = (Rule, &'static str)> {
        let m = self.measured;
        [
            (m.silent_ms.is_none(), Rule::StaleConnection, "connection health"),
            (m.clock.is_none(), Rule::Clock, "clock health"),
            (m.peg.is_none(), Rule::Peg, "USDT/USD price"),
        ]
        .into_iter()
        .filter_map(|(off, rule, missing)| off.then_some((rule, missing)))
    }

    /// What the carry book lost since midnight; negative when it gained.
    pub(crate) fn carry_loss_today(&self, account: Equity) -> Money {
        self.carry_day_start - account.carry_pnl
    }

    /// Deposits and withdrawals move the baselines and are never PnL.
    pub(crate) fn on_transfer(&mut self, amount: Money) {
        self.day_start += amount;
        self.peak += amount;
    }

    /// An operator allows nothing but reducing.
    pub(crate) const fn halt(&mut self) {
        self.state = RiskState::Halted;
    }

    /// An operator lifts what the rules imposed and starts from the present equity.
    pub(crate) fn reset(&mut self, account: Equity) {
        self.state = RiskState::Active;
        self.day_start = account.directional();
        self.peak = account.equity;
        self.unknown.clear();
        for conduct in &mut self.conduct {
            conduct.losses = 0;
            conduct.paused_until = None;
        }
    }
}

fn note(times: &mut VecDeque<Timestamp>, now: Timestamp) {
    times.push_back(now);
    while times.front().is_some_and(|at| now.since(*at) >= MINUTE) {
        times.pop_front();
    }
}
