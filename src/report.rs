//! HTML reports: one self-contained file each, readable offline.
//!
//! Invariant: a report is a pure function of the run, so the same run writes the same bytes, and
//! it asks nothing of the network: its own content policy forbids that. The charting library is
//! plotly.js, shipped inside the plotly crate; its licence stands at the head of the script.
//!
//! [`BacktestCollector`] looks on while a back-test runs and [`BacktestReport`] is the page;
//! [`CarryCollector`] and [`CarryReport`] are the same for the funding carry.
//! `templates/base.{html,css,js}` hold what every report shares (theme, charts, tables); a report
//! of another kind extends `base.html`, brings its own data, and has its own script.
//!
//! ```
//! use arb::generator::{GeneratorConfig, TapeGenerator};
//! use arb::report::BacktestCollector;
//! use arb::{Backtest, EngineConfig, Instrument, InstrumentConfig, Registry};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec = Instrument::perpetual("BTCUSDT", "0.1".parse()?, "0.001".parse()?);
//! let strategy = Registry::builtin_text("v52_8signals").ok_or("no such strategy")?;
//! let config = EngineConfig::new(vec![InstrumentConfig { spec, spread_bps: 1.into() }])
//!     .with_strategy("v52_8signals", strategy)?;
//!
//! let mut seen = BacktestCollector::new();
//! let mut test = Backtest::new(config, Registry::builtin(), &mut seen)?;
//! for trade in TapeGenerator::new(GeneratorConfig::btcusdt(1)).take(20_000) {
//!     test.on_trade(&trade, &mut seen);
//! }
//! test.finish(&mut seen);
//! let mut html = Vec::new();
//! seen.report(test.engine()).write_to(&mut html)?;
//! # Ok(()) }
//! ```

mod backtest;
mod buckets;
mod carry;
mod collect;
mod configuration;
mod data;
mod decisions;
mod figures;
mod groups;
pub(crate) mod page;
mod script;
pub(crate) mod show;

pub use self::backtest::BacktestReport;
pub use self::carry::{CarryCollector, CarryReport};
pub use self::collect::BacktestCollector;
pub use self::script::plotly_js;
