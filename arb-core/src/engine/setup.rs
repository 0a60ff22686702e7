//! Configuration as an event: parsed, checked, and in force from the next tick on.
//!
//! Invariant: a configuration that does not parse changes nothing. Open trades keep the rules they
//! were opened with.

use super::carry::CarryBook;
use super::{Core, Presence, Slot};
use crate::config::EngineConfig;
use crate::error::ConfigError;
use crate::event::{Configure, Phase};
use crate::instrument::InstrumentId;
use crate::ledger::Ledger;
use crate::market::{Inputs, MarketState};
use crate::output::Output;
use crate::risk::Guard;
use crate::strategy::{Interest, Memory, Registry};
use crate::time::Timestamp;
use rust_decimal::Decimal;

/// A configuration with its strategies built.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) config: EngineConfig,
    pub(super) hash: String,
    pub(super) strategies: Vec<Slot>,
}

pub(super) fn configure(
    core: &mut Option<Core>,
    registry: &Registry,
    configure: &Configure,
    out: &mut Vec<Output>,
) {
    match (prepare(registry, configure), core) {
        (Ok(prepared), Some(core)) if core.accepts(&prepared.config) => {
            core.pending = Some(Box::new(prepared));
        }
        (Ok(_), Some(_)) => {
            let message = "the run and the first instruments cannot change while the engine runs";
            out.push(Output::ConfigRefused { message: message.to_owned() });
        }
        (Ok(prepared), core @ None) => {
            out.push(Output::Configured { hash: prepared.hash.clone() });
            *core = Some(Core::start(prepared));
        }
        (Err(e), _) => out.push(Output::ConfigRefused { message: e.to_string() }),
    }
}

pub(super) fn prepare(registry: &Registry, configure: &Configure) -> Result<Prepared, ConfigError> {
    build(registry, EngineConfig::parse(configure)?, configure.hash.clone())
}

pub(super) fn build(
    registry: &Registry,
    config: EngineConfig,
    hash: String,
) -> Result<Prepared, ConfigError> {
    let mut strategies: Vec<Slot> = Vec::with_capacity(config.strategies.len());
    for text in &config.strategies {
        let strategy = registry.build(&text.file, &text.text)?;
        let name = strategy.name().to_owned();
        if strategies.iter().any(|slot| slot.name == name) {
            let message = format!("{name:?} is used twice; names must differ");
            return Err(ConfigError::new(&text.file, None, "name", message));
        }
        let interest = strategy.interest();
        let free = vec![None; config.instruments.len()];
        strategies.push(Slot {
            name,
            strategy,
            interest,
            cool_down: free.clone(),
            quiet_until: free,
            latest: vec![None; config.instruments.len()],
        });
    }
    Ok(Prepared { config, hash, strategies })
}

impl Slot {
    /// Takes over what the engine and the strategy itself remember under the same name.
    fn take_over(&mut self, old: &Self) {
        for (new, old) in self.cool_down.iter_mut().zip(&old.cool_down) {
            *new = *old;
        }
        for (new, old) in self.latest.iter_mut().zip(&old.latest) {
            new.clone_from(old);
        }
        if let Memory::Bytes(memory) = old.strategy.memory() {
            // One of another kind under the same name begins anew.
            let _ = self.strategy.recall(&memory);
        }
    }
}

fn markets(config: &EngineConfig) -> impl Iterator<Item = MarketState> {
    (0..).zip(&config.instruments).map(|(id, instrument)| {
        let inputs = Inputs::new(config.input_ages, &config.mask_inputs);
        let spread = instrument.spread_bps / Decimal::from(10_000);
        MarketState::new(InstrumentId(id), instrument.spec.clone(), spread, inputs)
    })
}

impl Core {
    fn start(prepared: Prepared) -> Self {
        let Prepared { config, hash, strategies } = prepared;
        let balance = config.account.initial_balance;
        Self {
            hash,
            pending: None,
            now: Timestamp::EPOCH,
            markets: markets(&config).collect(),
            ledger: Ledger::new(balance, config.instruments.len()),
            guard: Guard::new(balance, strategies.len()),
            r_unit: config.risk.r_unit(balance),
            orders: std::collections::BTreeMap::new(),
            trades: config.instruments.iter().map(|_| None).collect(),
            carry: CarryBook::new(&config),
            next_intent: 1,
            trades_wanted: wants_trades(&strategies),
            intents: Vec::new(),
            presence: Presence::default(),
            phase: Phase::default(),
            strategies,
            config,
        }
    }

    /// Instruments may only be added, behind the present ones.
    fn accepts(&self, new: &EngineConfig) -> bool {
        let old = &self.config;
        let same = old.instruments.iter().zip(&new.instruments);
        old.run == new.run
            && old.instruments.len() <= new.instruments.len()
            && same.into_iter().all(|(a, b)| a.spec.symbol == b.spec.symbol)
    }

    pub(super) fn apply_pending(&mut self, out: &mut Vec<Output>) {
        let Some(prepared) = self.pending.take() else { return };
        let Prepared { config, hash, mut strategies } = *prepared;
        let places: Vec<Option<usize>> = strategies
            .iter()
            .map(|slot| self.strategies.iter().position(|old| old.name == slot.name))
            .collect();
        for (slot, place) in strategies.iter_mut().zip(&places) {
            if let Some(old) = place.and_then(|place| self.strategies.get(place)) {
                slot.take_over(old);
            }
        }
        self.markets.extend(markets(&config).skip(self.markets.len()));
        self.trades.resize_with(config.instruments.len(), || None);
        self.ledger.resize(config.instruments.len());
        self.carry.reconfigure(&config);
        self.guard.follow(&places);
        self.r_unit = config.risk.r_unit(config.account.initial_balance);
        self.trades_wanted = wants_trades(&strategies);
        (self.strategies, self.config, self.hash) = (strategies, config, hash);
        out.push(Output::Configured { hash: self.hash.clone() });
        self.find_owners(out);
    }

    /// Gives open trades and pairs to the strategies of their name, wherever those stand now.
    ///
    /// A trade whose strategy was taken out ends by its bracket; a pair would be held for ever by
    /// nobody, so it is closed.
    fn find_owners(&mut self, out: &mut Vec<Output>) {
        let names: Vec<String> = self.strategies.iter().map(|slot| slot.name.clone()).collect();
        let place = |name: &str| names.iter().position(|each| each == name);
        for trade in self.trades.iter_mut().flatten() {
            trade.plan.strategy = place(&trade.plan.strategy_name);
        }
        for perp in self.carry.give_to(place) {
            self.close_pair(perp, "strategy_removed", out);
        }
    }
}

pub(super) fn wants_trades(strategies: &[Slot]) -> bool {
    strategies.iter().any(|slot| slot.interest != Interest::Grid)
}
