//! An engine played by hand.

use std::sync::{Arc, Mutex};

use arb_core::port::{
    AccountView, Component, ComponentState, DecisionRow, Desk, Measure, MeasureKind, MeasureValue,
    Mode, Notes, RateSnapshot, Receipt, RuleReading, TierMultipliers, TradingSettings, View,
};
use arb_core::{
    Command, ConfigError, Decimal, Direction, InstrumentId, RiskState, Rule, StoreError, Tier,
};
use async_trait::async_trait;

use crate::fixture::{BTC, ETH, at, carry, indicators, open_trade, price};

/// What it was told, and what it shows.
pub(crate) struct Played {
    pub(crate) view: Mutex<Arc<View>>,
    pub(crate) commands: Mutex<Vec<Command>>,
    pub(crate) settings: Mutex<Vec<TradingSettings>>,
}

fn money(text: &str) -> arb_core::Money {
    text.parse().unwrap()
}

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn rate(instrument: InstrumentId, mark: &str, rate: &str) -> RateSnapshot {
    RateSnapshot {
        instrument,
        at: at(0),
        mark_price: price(mark),
        index_price: Some(price("64000")),
        funding_rate: Some(decimal(rate)),
        funding_interval_hours: Some(8),
        next_funding_at: Some(at(4 * 3_600)),
        tradable_basis: (instrument == BTC).then(|| Decimal::new(-123_456, 8)),
    }
}

fn settings() -> TradingSettings {
    TradingSettings {
        enabled: true,
        enabled_strategies: vec!["v51_baseline".to_owned(), "v52_8signals".to_owned()],
        initial_balance: money("10000"),
        risk_per_trade: decimal("0.02"),
        max_positions: 4,
        tier_multiplier: TierMultipliers {
            light: Decimal::ZERO,
            standard: Decimal::ONE,
            heavy: decimal("1.5"),
        },
    }
}

pub(crate) fn view(mode: Mode) -> View {
    let bare = RateSnapshot {
        index_price: None,
        funding_rate: None,
        funding_interval_hours: None,
        next_funding_at: None,
        ..rate(InstrumentId(2), "0.12345678", "0")
    };
    View {
        seq: 100,
        at: at(0),
        mode,
        instruments: ["um:BTCUSDT", "um:ETHUSDT", "um:DOGEUSDT", "spot:BTCUSDT"]
            .map(str::to_owned)
            .into(),
        risk_state: RiskState::Active,
        account: AccountView {
            equity: money("10123.45678901"),
            wallet: money("10100"),
            initial_balance: money("10000"),
            margin_balance: money("10120.5"),
            maintenance_margin: money("31.2"),
            initial_margin: money("640.1"),
            r_unit: money("200"),
        },
        rules: Arc::from([
            RuleReading {
                rule: Rule::DailyLoss,
                of: None,
                limit: decimal("300"),
                actual: Some(decimal("75")),
                used: Some(decimal("0.25")),
                missing: None,
            },
            RuleReading {
                rule: Rule::Spread,
                of: Some("um:BTCUSDT".to_owned()),
                limit: decimal("5"),
                actual: None,
                used: None,
                missing: Some("no quotes".to_owned()),
            },
        ]),
        settings: settings(),
        trades: vec![open_trade()],
        pairs: vec![carry()],
        rates: Arc::from([
            rate(BTC, "64012.30", "0.00010000"),
            rate(ETH, "3400.5", "-0.00002345"),
            bare,
        ]),
        rows: Arc::from([(BTC, indicators())]),
    }
}

impl Played {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            view: Mutex::new(Arc::new(view(mode))),
            commands: Mutex::default(),
            settings: Mutex::default(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut View)) -> Receipt {
        let mut view = self.view.lock().unwrap();
        let mut next = (**view).clone();
        next.seq += 1;
        change(&mut next);
        let seq = next.seq;
        *view = Arc::new(next);
        Receipt { seq }
    }
}

fn decision(strategy: &str, instrument: InstrumentId, score: f64) -> DecisionRow {
    DecisionRow {
        time: at(0),
        instrument,
        strategy: strategy.to_owned(),
        direction: Some(Direction::Long),
        score,
        tier: (score >= 75.0).then_some(Tier::Standard),
        fired: score >= 75.0,
        reason: "threshold: 61.25 against 75".to_owned(),
        price: Some(price("64012.3")),
        factors: r#"{"direction":{"score":12.5,"max":30.0,"inputs":{"cvd_30m":1.25,"atr":null},"note":"takers buy"}}"#
            .to_owned(),
    }
}

#[async_trait]
impl Desk for Played {
    fn snapshot(&self) -> Arc<View> {
        Arc::clone(&self.view.lock().unwrap())
    }

    fn decisions(&self) -> Vec<DecisionRow> {
        vec![
            decision("v51_baseline", BTC, 61.25),
            decision("v52_8signals", BTC, 77.5),
            decision("v52_8signals", ETH, 12.0),
        ]
    }

    fn notes(&self, _: u64) -> Notes {
        Box::pin(futures_util::stream::empty())
    }

    fn health(&self) -> Vec<Component> {
        let part = |name: &str, state, detail: &str| Component {
            name: name.to_owned(),
            state,
            detail: detail.to_owned(),
        };
        vec![
            part("feed", ComponentState::Ok, "1234 events"),
            part("store", ComponentState::Degraded, "5 records behind"),
            part("executor", ComponentState::Ok, "the paper venue, inside the node"),
            part("guard", ComponentState::Off, "limits are watched by the engine itself"),
        ]
    }

    fn measures(&self) -> Vec<Measure> {
        vec![Measure {
            name: "arb_events_total",
            help: "Events the engine was given.",
            kind: MeasureKind::Counter,
            label: None,
            value: MeasureValue::Number(1_234.0),
        }]
    }

    async fn command(&self, command: Command) -> Result<Receipt, StoreError> {
        self.commands.lock().unwrap().push(command.clone());
        Ok(self.change(|view| match command {
            Command::Halt { .. } => view.risk_state = RiskState::Halted,
            Command::Reset { .. } => view.risk_state = RiskState::Active,
            Command::Pause => view.settings.enabled = false,
            Command::Resume => view.settings.enabled = true,
            Command::Flatten(_) => view.trades.clear(),
        }))
    }

    async fn configure(&self, settings: TradingSettings) -> Result<Receipt, ConfigError> {
        if settings.enabled_strategies.iter().any(|name| name == "v99") {
            let message = "\"v99\" is not loaded; loaded are v51_baseline, v52_8signals";
            return Err(ConfigError::new("settings", None, "enabled_strategies", message));
        }
        if settings.enabled_strategies.iter().any(|name| name == "disk") {
            let message = "No space left on device";
            return Err(ConfigError::new("/var/lib/arb/settings.json", None, "settings", message));
        }
        self.settings.lock().unwrap().push(settings.clone());
        Ok(self.change(|view| view.settings = settings))
    }
}
