//! What a store has of a symbol and a period, as a file.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use arb::live::{Metrics, Period, stored_metrics};
use arb::port::{InstrumentStore as _, Listed, MarketStore as _, TapeStore as _};
use arb::sqlite::SqliteStore;
use arb::tape::{Counts, FundingRow, MetricsRow, TapeHeader, TapeWriter};
use arb::{Instrument, Market, Side, Timestamp, Trade};

use super::What;
use crate::output::{self, OutFile};
use crate::terminal::counted;

/// Trades read at once.
const PAGE: usize = 50_000;

/// Writes a period of a symbol.
pub(super) async fn write(
    store: &SqliteStore,
    symbol: &str,
    (what, period): (What, Period),
    out: &Path,
) -> Result<()> {
    let catalog = store.catalog().await?;
    let found = catalog.iter().find(|(_, i)| i.market == Market::Um && i.symbol == symbol);
    let Some((of, instrument)) = found else { bail!("nothing of {symbol} was read") };
    let mut file = OutFile::create("--out", out)?;
    let read = Read { store, of, symbol, period };
    let is_tape = out.extension().is_some_and(|ending| ending == "arbt");
    let rows = if is_tape {
        tape(&read, instrument, out, &mut file).await?
    } else {
        csv(&read, what, &mut file).await?
    };
    if rows == 0 {
        bail!("{symbol}: there is nothing of this period");
    }
    file.commit()?;
    output::note(format_args!("{}: {}", out.display(), counted(rows, "row")));
    Ok(())
}

/// What is read.
struct Read<'a> {
    store: &'a SqliteStore,
    of: Listed,
    symbol: &'a str,
    period: Period,
}

impl Read<'_> {
    /// Gives every trade of the period and tells how many.
    async fn trades(&self, mut each: impl FnMut(&Trade) -> Result<()>) -> Result<u64> {
        let (from, to) = self.period;
        let first = self.store.first_id_at(self.of.key, from).await?;
        let (mut next, mut count) = (first, 0);
        while let Some(id) = next {
            let page = self.store.trades(self.of, id, PAGE).await?;
            for trade in page.iter().filter(|trade| trade.ts < to) {
                each(trade)?;
                count += 1;
            }
            let last = page.last().filter(|last| last.ts < to && page.len() == PAGE);
            next = last.map(|last| last.id + 1);
        }
        Ok(count)
    }

    async fn funding(&self) -> Result<Vec<FundingRow>> {
        let settled = self.store.funding(self.of, self.period.0, self.period.1).await?;
        let row = |row: &arb::FundingSettled| FundingRow {
            time: row.funding_time,
            rate: row.rate,
            interval_hours: None,
            mark_price: row.mark_price,
        };
        Ok(settled.iter().map(row).collect())
    }
}

/// Everything the store has of it.
async fn tape(
    read: &Read<'_>,
    instrument: &Instrument,
    out: &Path,
    file: &mut OutFile,
) -> Result<u64> {
    let mut header = TapeHeader::new(read.symbol);
    header.tick_size = Some(instrument.tick_size);
    header.lot_size = Some(instrument.lot_size);
    if read.store.extent(read.of.key).await?.is_some() {
        header.counts = Some(Counts::AggregateTrades);
    }
    let mut writer = TapeWriter::new(&out.to_string_lossy(), file, header)?;
    let mut rows = read.trades(|trade| Ok(writer.trade(trade)?)).await?;
    for row in read.funding().await? {
        writer.funding(&row)?;
        rows += 1;
    }
    for (time, metrics) in stored_metrics(read.store, read.symbol, read.period).await? {
        let Metrics { open_interest, long_short_ratio, top_trader_ratio } = metrics;
        writer.metrics(&MetricsRow { time, open_interest, long_short_ratio, top_trader_ratio })?;
        rows += 1;
    }
    writer.finish()?;
    Ok(rows)
}

async fn csv(read: &Read<'_>, what: What, file: &mut OutFile) -> Result<u64> {
    match what {
        What::Trades => {
            file.write_all(b"agg_trade_id,price,quantity,transact_time,is_buyer_maker\n")?;
            let line = |trade: &Trade| {
                let maker = trade.taker_side == Side::Sell;
                let Trade { id, price, qty, ts, .. } = trade;
                let written = writeln!(file, "{id},{price},{qty},{},{maker}", ts.as_millis());
                written.context("--out")
            };
            read.trades(line).await
        }
        What::Funding => {
            file.write_all(b"symbol,funding_time,funding_rate,mark_price\n")?;
            let rows = read.funding().await?;
            for FundingRow { time, rate, mark_price, .. } in &rows {
                let mark = mark_price.map(|price| price.to_string()).unwrap_or_default();
                writeln!(file, "{},{},{rate},{mark}", read.symbol, time.as_millis())?;
            }
            Ok(rows.len().try_into().unwrap_or(u64::MAX))
        }
        What::Metrics => {
            let head = "create_time,symbol,sum_open_interest,sum_open_interest_value,\
                count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,\
                count_long_short_ratio,sum_taker_long_short_vol_ratio";
            writeln!(file, "{head}")?;
            let rows = stored_metrics(read.store, read.symbol, read.period).await?;
            for (time, metrics) in &rows {
                let text = |value: Option<String>| value.unwrap_or_default();
                let interest = text(metrics.open_interest.map(|value| value.to_string()));
                let all = text(metrics.long_short_ratio.map(|value| value.to_string()));
                let top = text(metrics.top_trader_ratio.map(|value| value.to_string()));
                let time = civil(*time);
                writeln!(file, "{time},{},{interest},,,{top},{all},", read.symbol)?;
            }
            Ok(rows.len().try_into().unwrap_or(u64::MAX))
        }
        What::Klines => bail!("bars are no part of a store"),
    }
}

/// `2026-11-01 00:05:00`, UTC.
fn civil(at: Timestamp) -> String {
    crate::terminal::short(at)
}
