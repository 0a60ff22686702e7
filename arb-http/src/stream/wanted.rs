//! What a client wants to hear.
//!
//! Invariant: a client gets no topic that its role may not read, and no symbol that is not
//! configured; what it asks for wrongly is told with what is allowed.

use std::collections::BTreeSet;
use std::sync::Arc;

use arb_core::AuthError;
use arb_core::port::{Principal, UserRole};

use super::message::Draft;
use crate::coins::Coins;
use crate::error::{ApiError, Flaw};

/// What messages are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Rates,
    Signals,
    Indicators,
    Positions,
    Risk,
    Trades,
    Heartbeat,
}

impl Topic {
    /// Those that can be asked for.
    pub(super) const ALL: [Self; 6] =
        [Self::Rates, Self::Signals, Self::Indicators, Self::Positions, Self::Risk, Self::Trades];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rates => "rates",
            Self::Signals => "signals",
            Self::Indicators => "indicators",
            Self::Positions => "positions",
            Self::Risk => "risk",
            Self::Trades => "trades",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// The role it takes, as with the endpoint of the same figures.
    const fn role(self) -> UserRole {
        match self {
            Self::Positions | Self::Risk => UserRole::User,
            _ => UserRole::Viewer,
        }
    }
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    topics: BTreeSet<Topic>,
    /// None for all.
    symbols: Option<BTreeSet<Arc<str>>>,
}

impl Wanted {
    /// What the names mean; without topics all that the role may read.
    pub(super) fn new(
        who: &Principal,
        coins: Coins<'_>,
        (topics, symbols): (&[&str], &[&str]),
    ) -> Result<Self, ApiError> {
        let topics = match topics {
            [] => Topic::ALL.into_iter().filter(|topic| who.role >= topic.role()).collect(),
            named => named.iter().map(|name| topic(name)).collect::<Result<_, _>>()?,
        };
        let wanted = Self { topics, symbols: configured(coins, symbols)? };
        wanted.allowed(who)?;
        Ok(wanted)
    }

    /// Whether the role still suffices.
    pub(super) fn allowed(&self, who: &Principal) -> Result<(), ApiError> {
        let needed = self.topics.iter().map(|topic| topic.role()).max();
        let needed = needed.unwrap_or(UserRole::Viewer);
        who.require(needed).map_err(|error: AuthError| ApiError::from(error))
    }

    /// Whether a message is wanted.
    pub(super) fn takes(&self, draft: &Draft) -> bool {
        let topic = draft.topic == Topic::Heartbeat || self.topics.contains(&draft.topic);
        topic && draft.symbol.as_ref().is_none_or(|symbol| self.symbol(symbol))
    }

    /// Whether figures of a symbol are wanted.
    pub(super) fn symbol(&self, symbol: &str) -> bool {
        self.symbols.as_ref().is_none_or(|symbols| symbols.contains(symbol))
    }

    /// Whether only some symbols are wanted.
    pub(super) const fn chooses_symbols(&self) -> bool {
        self.symbols.is_some()
    }
}

fn topic(name: &str) -> Result<Topic, ApiError> {
    Topic::ALL.into_iter().find(|topic| topic.name() == name).ok_or_else(|| {
        let names = Topic::ALL.map(Topic::name).join(", ");
        flaw("topics", format!("{name:?} is no topic; there are {names}"))
    })
}

fn configured(coins: Coins<'_>, names: &[&str]) -> Result<Option<BTreeSet<Arc<str>>>, ApiError> {
    if names.is_empty() {
        return Ok(None);
    }
    let found = names.iter().map(|name| {
        let symbol = coins.symbols().find(|symbol| symbol == name || coins.coin(symbol) == *name);
        symbol.map(Arc::from).ok_or_else(|| {
            let all = coins.symbols().collect::<Vec<_>>().join(", ");
            flaw("symbols", format!("{name:?} has no order flow here; there are {all}"))
        })
    });
    found.collect::<Result<_, _>>().map(Some)
}

fn flaw(field: &str, message: String) -> ApiError {
    ApiError::Invalid(vec![Flaw::at("query", field, message, "value_error")])
}

/// The names of a list with commas.
pub(super) fn list(text: Option<&str>) -> Vec<&str> {
    let names = text.unwrap_or_default().split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).collect()
}
