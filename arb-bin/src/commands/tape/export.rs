//! `arb tape export`: what a node stored of one market, as a tape or as archive CSV.
//!
//! A tape gets trades, settled funding, marks with the running rate, open interest and ratios, so
//! that a back-test sees what the node saw. Of liquidations the store keeps sums only, which no
//! archive format holds; they are left out.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use arb::generator::{CSV_HEADER, csv_line};
use arb::port::{InstrumentStore as _, Listed, MarketStore as _, TapeStore as _};
use arb::sqlite::{SqliteOptions, SqliteStore};
use arb::tape::{Counts, FundingRow, MarkRow, MetricsRow, TapeHeader, TapeWriter};
use arb::{EventKind, Input, InputValue, Instrument, Market, Timestamp, Trade};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{ending, info};
use crate::commands::live::block_on;
use crate::commands::usage;
use crate::market_data::symbol;
use crate::output::{self, OutFile};
use crate::terminal::{Style, counted};

/// Trades read at once.
const PAGE: usize = 50_000;
/// Rates read at once.
const RATES: usize = 1 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Folder of a node, running or stopped
    #[arg(long, default_value = "arb-data")]
    data: PathBuf,
    /// The venue's symbol
    #[arg(long, value_parser = symbol)]
    symbol: String,
    /// Where to write: .arbt has everything; .csv and .csv.gz have the trades
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &Export) -> Result<()> {
    let ending = ending(&args.out);
    if !["arbt", "csv", "gz"].contains(&ending.as_str()) {
        return usage("--out: .arbt, .csv and .csv.gz are allowed");
    }
    let file = args.data.join("arb.db");
    output::check_distinct(&[("--data", &file)], &[("--out", &args.out)])?;
    block_on(async {
        let named = || format!("--data {}: arb run fills it", args.data.display());
        let store = SqliteOptions::new(file).open_read_only().await.with_context(named)?;
        let catalog = store.catalog().await?;
        let found = catalog.find(Market::Um, &args.symbol);
        let found = found.and_then(|of| catalog.by_key(of.key));
        let unknown = || anyhow!("--symbol {}: the store has nothing of it", args.symbol);
        let (of, instrument) = found.ok_or_else(unknown)?;
        let stored = Stored { store: &store, of, instrument };
        let mut out = OutFile::create("--out", &args.out)?;
        match ending.as_str() {
            "arbt" => out = stored.tape(&args.out.to_string_lossy(), out).await?,
            "gz" => {
                let mut packed = GzEncoder::new(out, Compression::default());
                stored.csv(&mut packed).await?;
                out = packed.finish()?;
            }
            _ => stored.csv(&mut out).await?,
        }
        out.commit()?;
        store.close().await;
        Ok(())
    })
}

/// One market of a store.
struct Stored<'a> {
    store: &'a SqliteStore,
    of: Listed,
    instrument: &'a Instrument,
}

impl Stored<'_> {
    /// All trades, ids ascending, page by page; at least one.
    async fn trades(&self, mut take: impl FnMut(&Trade) -> Result<()>) -> Result<u64> {
        let (mut next, mut count) = (0, 0_u64);
        loop {
            let page = self.store.trades(self.of, next, PAGE).await?;
            page.iter().try_for_each(&mut take)?;
            count += u64::try_from(page.len())?;
            match page.last() {
                Some(last) if page.len() == PAGE => next = last.id + 1,
                _ if count == 0 => {
                    let symbol = &self.instrument.symbol;
                    anyhow::bail!("--symbol {symbol}: no trades are stored; only its funding is");
                }
                _ => return Ok(count),
            }
        }
    }

    async fn csv(&self, out: &mut impl Write) -> Result<()> {
        out.write_all(CSV_HEADER.as_bytes())?;
        let mut line = Vec::new();
        let count = self.trades(|trade| {
            line.clear();
            csv_line(trade, &mut line);
            Ok(out.write_all(&line)?)
        });
        output::note(format_args!("{}", counted(count.await?, "trade")));
        Ok(())
    }

    async fn tape(&self, name: &str, out: OutFile) -> Result<OutFile> {
        let mut header = TapeHeader::new(&self.instrument.symbol);
        header.counts = Some(Counts::AggregateTrades);
        header.tick_size = Some(self.instrument.tick_size);
        header.lot_size = Some(self.instrument.lot_size);
        header.sources = vec!["the store of a node".to_owned()];
        let mut writer = TapeWriter::new(name, out, header)?;
        self.trades(|trade| Ok(writer.trade(trade)?)).await?;
        for row in self.funding().await? {
            writer.funding(&row)?;
        }
        for row in self.marks().await? {
            writer.mark(&row)?;
        }
        for row in self.metrics().await? {
            writer.metrics(&row)?;
        }
        let (out, told) = writer.finish()?;
        output::stderr(info::text(&told, Style::of(&std::io::stderr())))?;
        Ok(out)
    }

    async fn funding(&self) -> Result<Vec<FundingRow>> {
        let settled = self.store.funding(self.of, Timestamp::EPOCH, Timestamp::MAX).await?;
        let row = |each: arb::FundingSettled| FundingRow {
            time: each.funding_time,
            rate: each.rate,
            interval_hours: None,
            mark_price: each.mark_price,
        };
        Ok(settled.into_iter().map(row).collect())
    }

    async fn marks(&self) -> Result<Vec<MarkRow>> {
        let span = (Timestamp::EPOCH, Timestamp::MAX);
        let mut rates = self.store.rates(self.of, span, RATES).await?;
        rates.sort_by_key(|rate| rate.at);
        let row = |rate: &arb::port::RateSnapshot| MarkRow {
            known_at: rate.at,
            time: rate.at,
            mark_price: rate.mark_price,
            index_price: rate.index_price,
            funding_rate: rate.funding_rate,
            next_funding_at: rate.next_funding_at,
        };
        Ok(rates.iter().map(row).collect())
    }

    /// Open interest and ratios, those of one time in one row.
    async fn metrics(&self) -> Result<Vec<MetricsRow>> {
        let mut rows: BTreeMap<Timestamp, MetricsRow> = BTreeMap::new();
        for event in self.store.inputs(self.of, Timestamp::EPOCH, Timestamp::MAX).await? {
            let EventKind::Input(Input { as_of, value, .. }) = event.kind else { continue };
            let empty = MetricsRow {
                time: as_of,
                open_interest: None,
                long_short_ratio: None,
                top_trader_ratio: None,
            };
            let mut row = rows.get(&as_of).copied().unwrap_or(empty);
            match value {
                InputValue::OpenInterest(amount) => row.open_interest = Some(amount),
                InputValue::LongShortRatio(ratio) => row.long_short_ratio = Some(ratio),
                InputValue::TopTraderRatio(ratio) => row.top_trader_ratio = Some(ratio),
                _ => continue,
            }
            rows.insert(as_of, row);
        }
        Ok(rows.into_values().collect())
    }
}
