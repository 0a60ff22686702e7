//! What every back-test is told: data, costs and the venue's filters.

use std::path::{Path, PathBuf};

use anyhow::Result;
use arb::tape::{SourceKind, TapeOptions};
use arb::{Decimal, EngineConfig, FillModel, Money, Price, Qty, Timestamp};

use super::brackets;
use crate::commands::{strategies, usage};
use crate::market_data::{Files, NamedFile, Steps, gaps, instant, symbol};

/// What every back-test is told: data, costs and filters.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Files of trades (.csv, .zip, .gz) or tapes (.arbt); SYMBOL=FILE for several instruments
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    trades: Vec<NamedFile>,
    /// The venue's symbol; a tape tells its own
    #[arg(long, value_parser = symbol)]
    symbol: Option<String>,
    /// Settled funding rates
    #[arg(long, num_args = 1.., value_name = "FILE")]
    funding: Vec<NamedFile>,
    /// Open interest and long/short ratios
    #[arg(long, num_args = 1.., value_name = "FILE")]
    metrics: Vec<NamedFile>,
    /// Premium-index klines, for the running funding rate
    #[arg(long, num_args = 1.., value_name = "FILE")]
    premium_klines: Vec<NamedFile>,
    /// Mark prices: rows, or klines of them
    #[arg(long, num_args = 1.., value_name = "FILE")]
    marks: Vec<NamedFile>,
    /// Liquidations
    #[arg(long, num_args = 1.., value_name = "FILE")]
    liquidations: Vec<NamedFile>,
    /// First instant: 2024-08-08, RFC 3339 or epoch ms
    #[arg(long, value_parser = instant)]
    from: Option<Timestamp>,
    /// First instant after the period
    #[arg(long, value_parser = instant)]
    to: Option<Timestamp>,
    /// Go on over missing trades; windows over them give no entry
    #[arg(long)]
    accept_gaps: bool,
    /// When a resting target fills: by a trade through it, or by a queue model
    #[arg(long, value_enum, default_value_t = Fill::Through)]
    fill: Fill,
    /// Fee of a maker fill, basis points; a rebate is negative
    #[arg(long, default_value = "2", allow_negative_numbers = true, value_parser = maker_bps)]
    maker_bps: Decimal,
    /// Fee of a taker fill, basis points
    #[arg(long, default_value = "5", allow_negative_numbers = true, value_parser = bps)]
    taker_bps: Decimal,
    /// Spread where there is no book, basis points
    #[arg(long, default_value = "1", allow_negative_numbers = true, value_parser = bps)]
    spread_bps: Decimal,
    /// Slippage of a market order, basis points
    #[arg(long, default_value = "1", allow_negative_numbers = true, value_parser = bps)]
    slippage_bps: Decimal,
    /// From a decision to its effect, ms
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(..=60_000))]
    latency_ms: u32,
    /// Inputs that strategies must not see, such as open_interest,funding_rate
    #[arg(long, value_delimiter = ',', value_name = "INPUT")]
    mask_inputs: Vec<String>,
    /// Balance at the start, quote currency
    #[arg(long, default_value = "10000")]
    balance: Money,
    /// Smallest price step; else known or inferred from the trades
    #[arg(long)]
    tick_size: Option<Price>,
    /// Smallest quantity step; else known or inferred from the trades
    #[arg(long)]
    lot_size: Option<Qty>,
    /// Smallest notional of an order, quote currency; 5 unless told
    #[arg(long)]
    min_notional: Option<Money>,
    /// Maintenance-margin tiers, as /fapi/v1/leverageBracket answers
    #[arg(long, value_name = "FILE")]
    brackets: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Fill {
    Through,
    Queue,
}

fn bps_from(low: i64, text: &str) -> Result<Decimal, String> {
    let number = Decimal::from_str_exact(text).ok();
    let legal = number.filter(|value| (low.into()..=Decimal::ONE_THOUSAND).contains(value));
    legal.ok_or_else(|| format!("{low} to 1000 basis points are allowed"))
}

pub(crate) fn bps(text: &str) -> Result<Decimal, String> {
    bps_from(0, text)
}

fn maker_bps(text: &str) -> Result<Decimal, String> {
    bps_from(-100, text)
}

impl RunArgs {
    /// The files, each under its instrument.
    pub(crate) fn files(&self) -> Result<Files> {
        if self.from.zip(self.to).is_some_and(|(from, to)| from >= to) {
            return usage("--from must be before --to");
        }
        let mut files = Files::new(self.symbol.as_deref(), &self.trades)?;
        files.add(SourceKind::Funding, &self.funding)?;
        files.add(SourceKind::Metrics, &self.metrics)?;
        files.add(SourceKind::PremiumKlines, &self.premium_klines)?;
        files.add(SourceKind::Marks, &self.marks)?;
        files.add(SourceKind::Liquidations, &self.liquidations)?;
        Ok(files)
    }

    /// The file of margin tiers.
    pub(crate) fn brackets(&self) -> Option<&Path> {
        self.brackets.as_deref()
    }

    /// How the files are read.
    pub(crate) fn options(&self) -> TapeOptions {
        TapeOptions { gaps: gaps(self.accept_gaps), from: self.from, to: self.to }
    }

    /// The engine's configuration, without strategies.
    pub(crate) fn config(&self, files: &Files) -> Result<EngineConfig> {
        let ratio = |bps: Decimal| bps / Decimal::from(10_000);
        let brackets = self.brackets.as_deref().map(brackets::read).transpose()?;
        let steps = Steps {
            tick_size: self.tick_size,
            lot_size: self.lot_size,
            min_notional: self.min_notional,
            spread_bps: self.spread_bps,
            brackets: brackets.unwrap_or_default(),
        };
        let mut config = EngineConfig::new(files.instruments(&steps)?);
        config.account.initial_balance = self.balance;
        config.account.maker_fee = ratio(self.maker_bps);
        config.account.taker_fee = ratio(self.taker_bps);
        config.account.slippage = ratio(self.slippage_bps);
        config.paper.latency_ms = self.latency_ms;
        config.paper.fill = match self.fill {
            Fill::Through => FillModel::Through,
            Fill::Queue => FillModel::Queue,
        };
        config.mask_inputs = strategies::input_names(&self.mask_inputs)?;
        Ok(config)
    }
}
