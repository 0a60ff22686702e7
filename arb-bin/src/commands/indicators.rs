//! `arb indicators`: one row at every point of the decision grid.

use std::fmt::{Display, Write as _};
use std::io::{BufWriter, Write};

use anyhow::Result;
use arb::tape::{Gaps, TapeOptions};
use arb::{
    Backtest, Engine, EngineConfig, Indicators, InstrumentId, Observer, Registry, Timestamp,
};

use super::usage;
use crate::market_data::{Files, NamedFile, Steps, symbol};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of trades
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    trades: Vec<NamedFile>,
    /// The venue's symbol
    #[arg(long, value_parser = symbol)]
    symbol: String,
    /// Thins the output; a multiple of 15s
    #[arg(long, default_value = "15s")]
    every: String,
    /// csv, or json with one object a line
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Json,
}

const COLUMNS: [&str; 15] = [
    "time_ms",
    "last_price",
    "cvd_30m",
    "cvd_4h",
    "cvd_day",
    "vwap_30m",
    "atr",
    "atr_percentile",
    "qty_p95",
    "qty_p99",
    "large_flow_15m",
    "cvd_slope",
    "cvd_accel",
    "complete_30m",
    "complete_4h",
];

/// A cell, and whether JSON quotes it.
enum Cell {
    Number(String),
    Decimal(String),
    Absent,
}

fn decimal(value: impl Display) -> Cell {
    Cell::Decimal(value.to_string())
}

fn optional<T>(value: Option<T>, cell: impl Fn(T) -> Cell) -> Cell {
    value.map_or(Cell::Absent, cell)
}

fn number(value: impl Display) -> Cell {
    Cell::Number(value.to_string())
}

fn cells(row: &Indicators) -> [Cell; 15] {
    [
        number(row.time.as_millis()),
        decimal(row.last_price),
        decimal(row.cvd_30m),
        decimal(row.cvd_4h),
        decimal(row.cvd_day),
        optional(row.vwap_30m, number),
        optional(row.atr, number),
        optional(row.atr_percentile, number),
        optional(row.qty_p95, decimal),
        optional(row.qty_p99, decimal),
        optional(row.large_flow_15m, decimal),
        number(row.cvd_slope),
        optional(row.cvd_accel, number),
        number(u8::from(row.complete_30m)),
        number(u8::from(row.complete_4h)),
    ]
}

struct Printer<W: Write> {
    out: W,
    format: Format,
    every_ms: i64,
    line: String,
    failed: Option<std::io::Error>,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, row: &Indicators) -> std::io::Result<()> {
        self.line.clear();
        for (at, (name, cell)) in COLUMNS.iter().zip(cells(row)).enumerate() {
            let separator = if at == 0 { "" } else { "," };
            let _ = match (self.format, cell) {
                (Format::Csv, Cell::Absent) => write!(self.line, "{separator}"),
                (Format::Csv, Cell::Number(v) | Cell::Decimal(v)) => {
                    write!(self.line, "{separator}{v}")
                }
                (Format::Json, Cell::Absent) => write!(self.line, "{separator}\"{name}\":null"),
                (Format::Json, Cell::Number(v)) => write!(self.line, "{separator}\"{name}\":{v}"),
                (Format::Json, Cell::Decimal(v)) => {
                    write!(self.line, "{separator}\"{name}\":\"{v}\"")
                }
            };
        }
        match self.format {
            Format::Csv => writeln!(self.out, "{}", self.line),
            Format::Json => writeln!(self.out, "{{{}}}", self.line),
        }
    }
}

impl<W: Write> Observer for Printer<W> {
    fn tick(&mut self, engine: &Engine, at: Timestamp) {
        let row = engine.market(InstrumentId(0)).and_then(|market| market.indicators());
        let Some(row) = row.filter(|row| row.time == at) else { return };
        if at.as_millis() % self.every_ms == 0 && self.failed.is_none() {
            self.failed = self.print(row).err();
        }
    }
}

fn every_ms(text: &str) -> Result<i64> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let parsed = units.iter().find_map(|(unit, ms)| {
        let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*ms)
    });
    match parsed {
        Some(ms) if ms > 0 && ms % 15_000 == 0 => Ok(ms),
        _ => usage(format!("--every {text}: a multiple of 15s such as 15s, 1m or 4h is allowed")),
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let files = Files::new(Some(&args.symbol), &args.trades)?;
    if files.symbols.len() != 1 {
        return usage("arb indicators takes one instrument");
    }
    let every_ms = every_ms(&args.every)?;
    // Tick and lot do not matter to indicators.
    let steps = Steps {
        tick_size: Some("0.00000001".parse()?),
        lot_size: Some("0.00000001".parse()?),
        min_notional: None,
        spread_bps: 1.into(),
        brackets: Vec::new(),
    };
    let config = EngineConfig::new(files.instruments(&steps)?);
    let out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut printer =
        Printer { out, format: args.format, every_ms, line: String::new(), failed: None };
    if let Format::Csv = args.format {
        writeln!(printer.out, "{}", COLUMNS.join(","))?;
    }
    let registry = Registry::builtin();
    let mut test = Backtest::new(config, registry, &mut printer)?;
    let options = TapeOptions { gaps: Gaps::Announce, ..TapeOptions::default() };
    files.read(options, |event| {
        test.on_event(event, &mut printer);
        printer.failed.take().map_or(Ok(()), |error| Err(error.into()))
    })?;
    test.finish(&mut printer);
    printer.failed.take().map_or(Ok(()), Err)?;
    Ok(printer.out.flush()?)
}
