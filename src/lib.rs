//! A deterministic engine for Binance perpetual futures: order-flow signals scored every 15
//! seconds, back-tested on recorded trades, with a risk guard over everything.
//!
//! The engine itself is a pure value ([`Engine`]); this crate adds what touches the world: reading
//! recorded trades ([`tape`]) and the journal of events that replays byte for byte ([`record`]).
//!
//! ```
//! use arb::generator::{GeneratorConfig, TapeGenerator};
//! use arb::{Backtest, EngineConfig, Instrument, InstrumentConfig, PaperConfig, Recorder, Registry};
//! use arb::stats::Summary;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
//! let strategy = Registry::builtin_text("v52_8signals").ok_or("no such strategy")?;
//! let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
//!     .with_strategy("v52_8signals", strategy)?;
//!
//! let mut seen = Recorder::default();
//! let mut test = Backtest::new(config, Registry::builtin(), &mut seen)?;
//! for trade in TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(20_000) {
//!     test.on_trade(&trade, &mut seen);
//! }
//! test.finish(&mut seen);
//! println!("{:?}", Summary::new(seen.trades.values(), &seen.equity));
//! # Ok(()) }
//! ```

#[cfg(feature = "accounts")]
pub mod accounts;
#[cfg(feature = "desk")]
pub mod desk;
#[cfg(feature = "live")]
pub mod live;
pub mod monitor;
#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "notify")]
pub mod notify;
pub mod record;
#[cfg(feature = "report")]
pub mod report;
pub mod sweep;

#[cfg(feature = "sim")]
pub use arb_binance::sim;
pub use arb_core::{
    AccountConfig, Approved, AuthError, BAR, Backfill, Backtest, Book, Booked, Bracket, Budget,
    CarryLimits, CarryNote, CarryPosition, CarryStatus, ClientOrderId, ClosePair, Command,
    ConfigError, Configure, Context, Decimal, Decision, Direction, DropReason, ENGINE_VERSION,
    Effect, Engine, EngineConfig, EngineSnapshot, EngineState, Entry, EntryCosts, Event, EventKind,
    Exit, ExitRules, Factor, Factors, Factory, FeedState, Fill, FillModel, FundingSettled, Gap,
    GapAccepted, Health, Hole, Indicators, Input, InputAges, InputName, InputValue, Inputs,
    Instrument, InstrumentConfig, InstrumentId, Intent, Interest, Ledger, LeverageBracket, Line,
    Liquidations, Mark, Market, MarketState, Memory, Money, Name, Notional, NumError, Observer,
    OpenPair, Order, OrderEvent, OrderKind, OrderState, OrderStatus, OrderUpdate, Output,
    PaperConfig, PaperVenue, ParseIdError, Phase, Position, Price, Purpose, Qty, QtySum, Quote,
    Reason, Record, Recorder, Refusal, Registry, RejectReason, RiskConfig, RiskNote, RiskState,
    Role, Round, Rule, RuleOff, RunId, Side, Signal, SignedQty, StoreError, Strategy, StrategyText,
    Tier, TimeInForce, Timestamp, Totals, Trade, TradeNote, TradeStatus, TradingStatus, Transfer,
    Trip, VenueError, WorkingType, brackets_flaw, decimal_text, default_brackets,
    fuzz_strategy_json, generator, hash_of, parse_strict, port, stats, strategy, symbol_flaw, time,
};
#[cfg(feature = "http")]
pub use arb_http as http;
#[cfg(feature = "memory")]
pub use arb_store::MemoryStore;
#[cfg(feature = "sqlite")]
pub use arb_store::sqlite;
#[cfg(feature = "tapes")]
pub use arb_store::tape;
