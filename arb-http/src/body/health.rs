//! How the parts of the system are.

use arb_core::Timestamp;
use arb_core::port::{Component, ComponentState};
use serde::Serialize;
use utoipa::ToSchema;

/// How the system is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Health {
    /// `degraded` when a part that runs is.
    pub status: Status,
    /// Now, Unix seconds.
    pub ts: i64,
    /// Version of the engine.
    pub version: &'static str,
    /// Since the host was started.
    pub uptime_secs: i64,
    /// Part by part.
    pub components: Components,
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It works.
    Ok,
    /// It works not as it should.
    Degraded,
    /// It does not run here, which is intended.
    Off,
}

/// The parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Components {
    /// Market data.
    pub feed: ComponentBody,
    /// What is stored.
    pub store: ComponentBody,
    /// What sends orders.
    pub executor: ComponentBody,
    /// What watches limits from outside.
    pub guard: ComponentBody,
}

/// A part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ComponentBody {
    /// How it is.
    pub status: Status,
    /// Why, in words.
    pub detail: String,
}

/// The body of `/api/health`.
pub(crate) fn health(parts: &[Component], started_at: Timestamp, now: Timestamp) -> Health {
    let is_degraded = parts.iter().any(|part| part.state == ComponentState::Degraded);
    Health {
        status: if is_degraded { Status::Degraded } else { Status::Ok },
        ts: now.as_millis().div_euclid(1_000),
        version: arb_core::ENGINE_VERSION,
        uptime_secs: (now.as_millis() - started_at.as_millis()).max(0) / 1_000,
        components: Components {
            feed: component(parts, "feed"),
            store: component(parts, "store"),
            executor: component(parts, "executor"),
            guard: component(parts, "guard"),
        },
    }
}

fn component(parts: &[Component], name: &str) -> ComponentBody {
    let Some(part) = parts.iter().find(|part| part.name == name) else {
        return ComponentBody { status: Status::Off, detail: "it is no part of this".to_owned() };
    };
    let status = match part.state {
        ComponentState::Ok => Status::Ok,
        ComponentState::Degraded => Status::Degraded,
        ComponentState::Off => Status::Off,
    };
    ComponentBody { status, detail: part.detail.clone() }
}
