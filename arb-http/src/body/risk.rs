//! The account, and what the engine may do.

use arb_core::port::{AccountView, Mode, RuleReading, View};
use arb_core::{RiskState, Rule};
use serde::Serialize;
use utoipa::ToSchema;

use super::Num;
use super::names::{ModeName, RiskStateName};

/// The account at one moment, quote currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Account {
    /// Wallet plus unrealised profit plus coins at the bid.
    pub equity: Num,
    /// Cash.
    pub wallet: Num,
    /// Balance at the start.
    pub initial_balance: Num,
    /// Equity without coins: what the venue counts as margin.
    pub margin_balance: Num,
    /// Below this the venue liquidates.
    pub maintenance_margin: Num,
    /// Bound by open positions.
    pub initial_margin: Num,
    /// Risk of one trade with a size of 1.
    pub r_unit: Num,
}

impl From<&AccountView> for Account {
    fn from(account: &AccountView) -> Self {
        Self {
            equity: account.equity.into(),
            wallet: account.wallet.into(),
            initial_balance: account.initial_balance.into(),
            margin_balance: account.margin_balance.into(),
            maintenance_margin: account.maintenance_margin.into(),
            initial_margin: account.initial_margin.into(),
            r_unit: account.r_unit.into(),
        }
    }
}

/// What the engine may do, and how far every rule is from its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RiskStatus {
    /// `reduce_only` adds no risk, `halted` needs a reset.
    #[schema(value_type = RiskStateName)]
    pub state: RiskState,
    /// An operator wants no new entries.
    pub paused: bool,
    /// Paper or live.
    #[schema(value_type = ModeName)]
    pub mode: Mode,
    /// When, Unix seconds.
    pub ts: i64,
    /// The account.
    pub account: Account,
    /// Every rule.
    pub rules: Vec<RuleBody>,
}

/// A rule with its limit and what there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleBody {
    /// Which rule.
    #[schema(value_type = String)]
    pub rule: Rule,
    /// The strategy or instrument it is read for, where there is one for each.
    pub of: Option<String>,
    /// What is allowed, in the rule's own unit.
    pub limit: Num,
    /// What there is.
    pub actual: Option<Num>,
    /// Share of the limit that is used: 1 at the limit, above 1 broken.
    pub used: Option<Num>,
    /// What is missing to measure it.
    pub missing: Option<String>,
}

impl From<&RuleReading> for RuleBody {
    fn from(reading: &RuleReading) -> Self {
        Self {
            rule: reading.rule,
            of: reading.of.clone(),
            limit: reading.limit.into(),
            actual: reading.actual.map(Num::from),
            used: reading.used.map(Num::from),
            missing: reading.missing.clone(),
        }
    }
}

/// The body of `/api/live/risk-status`.
#[must_use]
pub fn risk_status(view: &View) -> RiskStatus {
    RiskStatus {
        state: view.risk_state,
        paused: !view.settings.enabled,
        mode: view.mode,
        ts: view.at.as_millis().div_euclid(1_000),
        account: Account::from(&view.account),
        rules: view.rules.iter().map(RuleBody::from).collect(),
    }
}
