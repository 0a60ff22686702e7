//! The engine's state as a value that can be written and read back.
//!
//! Invariant: an engine made from a snapshot says the same to every further event, byte for byte,
//! as the one the snapshot was taken of. Strategies are built anew from the configuration's texts
//! and take back what they remembered; one that does not tell its memory allows no snapshot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::carry::CarryBook;
use super::setup::{self, Prepared};
use super::{Core, Engine, Presence, Slot};
use crate::config::EngineConfig;
use crate::error::ConfigError;
use crate::event::Phase;
use crate::ledger::Ledger;
use crate::market::MarketState;
use crate::num::Money;
use crate::order::{ClientOrderId, OrderState};
use crate::risk::Guard;
use crate::strategy::{Memory, Registry};
use crate::time::Timestamp;
use crate::trade::DirectionalTrade;

/// An engine's state, for writing; what [`EngineState`] reads.
#[derive(Debug, Serialize)]
pub struct EngineSnapshot<'a>(Option<Written<'a>>);

/// An engine's state that was read, for [`Engine::restore`].
#[derive(Debug, Deserialize)]
pub struct EngineState(Option<Read>);

/// A configuration with its hash; JSON, because that is the form it is checked in.
type Configured = (String, String);

macro_rules! state {
    ($($field:ident: $type:ty),* $(,)?) => {
        #[derive(Debug, Serialize)]
        struct Written<'a> {
            config: Configured,
            pending: Option<Configured>,
            slots: Vec<SlotState>,
            $($field: &'a $type,)*
        }

        #[derive(Debug, Deserialize)]
        struct Read {
            config: Configured,
            pending: Option<Configured>,
            slots: Vec<SlotState>,
            $($field: $type,)*
        }

        impl Core {
            fn written(&self) -> Result<Written<'_>, ConfigError> {
                let slots = self.strategies.iter().map(SlotState::of).collect::<Result<_, _>>()?;
                Ok(Written {
                    config: configured(&self.config, &self.hash)?,
                    pending: match &self.pending {
                        Some(pending) => Some(configured(&pending.config, &pending.hash)?),
                        None => None,
                    },
                    slots,
                    $($field: &self.$field,)*
                })
            }

            fn read(registry: &Registry, read: Read) -> Result<Self, ConfigError> {
                let Prepared { config, hash, mut strategies } = prepared(registry, &read.config)?;
                for (slot, state) in strategies.iter_mut().zip(read.slots) {
                    state.give_back(slot)?;
                }
                let pending = match &read.pending {
                    Some(pending) => Some(Box::new(prepared(registry, pending)?)),
                    None => None,
                };
                Ok(Self {
                    trades_wanted: setup::wants_trades(&strategies),
                    intents: Vec::new(),
                    config,
                    hash,
                    pending,
                    strategies,
                    $($field: read.$field,)*
                })
            }
        }
    };
}

state! {
    now: Timestamp,
    markets: Vec<MarketState>,
    ledger: Ledger,
    guard: Guard,
    r_unit: Money,
    orders: BTreeMap<ClientOrderId, OrderState>,
    trades: Vec<Option<Box<DirectionalTrade>>>,
    next_intent: u64,
    carry: CarryBook,
    presence: Presence,
    phase: Phase,
}

/// What the engine remembers about a strategy, and the strategy itself.
#[derive(Debug, Serialize, Deserialize)]
struct SlotState {
    memory: Memory,
    cool_down: Vec<Option<Timestamp>>,
    quiet_until: Vec<Option<Timestamp>>,
}

impl SlotState {
    fn of(slot: &Slot) -> Result<Self, ConfigError> {
        let memory = slot.strategy.memory();
        if memory == Memory::Untold {
            let message = "the strategy does not tell what it remembers, so no snapshot is taken";
            return Err(ConfigError::new("snapshot", None, &slot.name, message));
        }
        let (cool_down, quiet_until) = (slot.cool_down.clone(), slot.quiet_until.clone());
        Ok(Self { memory, cool_down, quiet_until })
    }

    fn give_back(self, slot: &mut Slot) -> Result<(), ConfigError> {
        if let Memory::Bytes(memory) = &self.memory {
            slot.strategy.recall(memory)?;
        }
        (slot.cool_down, slot.quiet_until) = (self.cool_down, self.quiet_until);
        Ok(())
    }
}

fn configured(config: &EngineConfig, hash: &str) -> Result<Configured, ConfigError> {
    let text = serde_json::to_string(config)
        .map_err(|e| ConfigError::new("snapshot", None, "config", e.to_string()))?;
    Ok((text, hash.to_owned()))
}

fn prepared(registry: &Registry, (text, hash): &Configured) -> Result<Prepared, ConfigError> {
    let config = serde_json::from_str(text)
        .map_err(|e| ConfigError::new("snapshot", Some(e.line()), "config", e.to_string()))?;
    setup::build(registry, config, hash.clone())
}

impl Engine {
    /// The state, for writing.
    ///
    /// # Errors
    /// [`ConfigError`] when a strategy does not tell what it remembers.
    pub fn snapshot(&self) -> Result<EngineSnapshot<'_>, ConfigError> {
        Ok(EngineSnapshot(self.core.as_ref().map(Core::written).transpose()?))
    }

    /// The engine of a state that was read.
    ///
    /// # Errors
    /// [`ConfigError`] when `registry` does not know a strategy of the state.
    pub fn restore(registry: Registry, state: EngineState) -> Result<Self, ConfigError> {
        let core = state.0.map(|read| Core::read(&registry, read)).transpose()?;
        Ok(Self { registry, core })
    }

    /// The configuration in force; none before the first.
    #[must_use]
    pub fn config(&self) -> Option<&EngineConfig> {
        self.core.as_ref().map(|core| &core.config)
    }

    /// Hash of the configuration in force, or of the one that takes effect at the next tick.
    #[must_use]
    pub fn config_hash(&self) -> Option<&str> {
        let core = self.core.as_ref()?;
        Some(core.pending.as_ref().map_or(core.hash.as_str(), |pending| &pending.hash))
    }

    /// Whether what strategies want counts.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.core.as_ref().map(|core| core.phase).unwrap_or_default()
    }
}
