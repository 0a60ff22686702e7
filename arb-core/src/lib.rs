//! The pure core of the arbitrage engine: events in, outputs out; no IO, no clock, no randomness.
//!
//! Start at [`Engine`] for the machine, at [`Backtest`] for the loop that folds a tape, at
//! [`Strategy`] to write an idea, and at [`port`] for what the outside must provide.

mod backtest;
mod carry;
mod config;
mod engine;
mod error;
mod event;
pub mod generator;
mod indicator;
mod instrument;
mod ledger;
mod market;
mod num;
mod order;
mod output;
mod paper;
pub mod port;
mod risk;
pub mod stats;
pub mod strategy;
pub mod time;
mod trade;

pub use crate::backtest::{Backtest, Observer, Recorder};
pub use crate::config::{
    AccountConfig, EngineConfig, InstrumentConfig, Record, StrategyText, hash_of,
};
pub use crate::engine::{Engine, EngineSnapshot, EngineState};
pub use crate::error::{AuthError, ConfigError, Line, NumError, StoreError, VenueError};
pub use crate::event::{
    Backfill, Command, Configure, Direction, Event, EventKind, FeedState, FundingSettled, Gap,
    GapAccepted, Health, Input, InputValue, Mark, Phase, Quote, Side, Trade, Transfer,
};
pub use crate::indicator::{BAR, Indicators, QtySum};
pub use crate::instrument::{
    Instrument, InstrumentId, LeverageBracket, Market, TradingStatus, brackets_flaw,
    default_brackets, symbol_flaw,
};
pub use crate::ledger::{Booked, Ledger, Position, Totals};
pub use crate::market::{InputAges, InputName, Inputs, Liquidations, MarketState};
pub use crate::num::{Money, Notional, Price, Qty, Round, SignedQty, decimal_text, parse_units};
pub use crate::order::{
    Book, ClientOrderId, Effect, Fill, Order, OrderEvent, OrderKind, OrderState, OrderStatus,
    OrderUpdate, ParseIdError, Purpose, RejectReason, Role, RunId, TimeInForce, WorkingType,
};
pub use crate::output::{
    CarryNote, CarryStatus, DropReason, Hole, Output, RiskNote, RuleOff, Signal, TradeNote,
    TradeStatus,
};
pub use crate::paper::{FillModel, PaperConfig, PaperVenue};
pub use crate::risk::{Approved, Budget, CarryLimits, Refusal, RiskConfig, RiskState, Rule, Trip};
pub use crate::strategy::{
    Bracket, CarryPosition, ClosePair, Context, Decision, Entry, EntryCosts, Exit, ExitRules,
    Factor, Factors, Factory, Intent, Interest, Memory, Name, OpenPair, Reason, Registry, Strategy,
    Tier, fuzz_strategy_json, parse_strict,
};
pub use crate::time::Timestamp;
pub use rust_decimal::Decimal;

/// Version of the engine; journals of another one are refused.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");
