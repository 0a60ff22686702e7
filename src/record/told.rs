//! Outputs as a journal tells them: a copy for reading, because outputs themselves can only be
//! made by the engine.
//!
//! Invariant: writing a [`Told`] gives the bytes it was read from, so its variants and fields
//! follow those of [`Output`](arb_core::Output); a test compares every output of whole runs.

use arb_core::{
    CarryNote, ClientOrderId, Direction, DropReason, Hole, InstrumentId, Money, Order, OrderUpdate,
    Price, Reason, Refusal, RiskNote, Tier, Timestamp, TradeNote,
};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the engine said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Told {
    Submit(Box<Submit>),
    Cancel { id: ClientOrderId, instrument: InstrumentId },
    Signal(Box<Signal>),
    Trade(Box<TradeNote>),
    Carry(Box<CarryNote>),
    Risk(Box<RiskNote>),
    Funding { instrument: InstrumentId, funding_time: Timestamp, paid: Money, approx: bool },
    Hole(Hole),
    Dropped { instrument: InstrumentId, reason: DropReason },
    Quarantined { instrument: InstrumentId },
    Configured { hash: String },
    ConfigRefused { message: String },
    Unfilled { id: ClientOrderId, instrument: InstrumentId, strategy: String, update: OrderUpdate },
}

/// An order that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Submit {
    pub(super) order: Order,
}

/// A recorded decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Signal {
    pub(super) strategy: String,
    pub(super) config_hash: String,
    pub(super) fired: bool,
    pub(super) notify: bool,
    pub(super) decision: Decision,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Decision {
    pub(super) time: Timestamp,
    pub(super) instrument: InstrumentId,
    pub(super) direction: Option<Direction>,
    pub(super) score: f64,
    pub(super) tier: Option<Tier>,
    pub(super) reason: Why,
    pub(super) price: Option<Price>,
    pub(super) factors: Named<Factor>,
}

/// [`Reason`], owning its names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Why {
    Entry,
    SignalFlip,
    ClosePair(String),
    NoDirection,
    Gate { name: String, limit: Option<f64>, actual: Option<f64> },
    Busy(String),
    Risk(Refusal),
}

impl Why {
    pub(super) fn to_reason(&self) -> Reason {
        match self.clone() {
            Self::Entry => Reason::Entry,
            Self::SignalFlip => Reason::SignalFlip,
            Self::ClosePair(why) => Reason::ClosePair(why.into()),
            Self::NoDirection => Reason::NoDirection,
            Self::Gate { name, limit, actual } => Reason::Gate { name: name.into(), limit, actual },
            Self::Busy(what) => Reason::Busy(what.into()),
            Self::Risk(refusal) => Reason::Risk(refusal),
        }
    }
}

/// A part of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Factor {
    pub(super) score: f64,
    pub(super) max: f64,
    pub(super) inputs: Named<Option<f64>>,
    pub(super) note: String,
}

/// A map that keeps the order in which it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named<T>(pub(super) Vec<(String, T)>);

impl<T> Named<T> {
    pub(super) fn find(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        d.deserialize_map(Entries(std::marker::PhantomData))
    }
}
