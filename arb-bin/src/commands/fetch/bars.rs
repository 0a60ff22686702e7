//! Bars as a file in the columns of the archive.
//!
//! Invariant: whole lines only are in the unfinished file, oldest first, so its last line says
//! where to go on.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use arb::Timestamp;
use arb::live::{Fetcher, Interval, Kline, Period};

use crate::output;
use crate::terminal::counted;

const HEAD: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,\
    taker_buy_volume,taker_buy_quote_volume,ignore\n";

/// Writes the bars of a period.
pub(super) async fn write(
    fetcher: &Fetcher,
    interval: Interval,
    (from, to): Period,
    out: &Path,
) -> Result<()> {
    let partial = partial(out);
    let named = || partial.display().to_string();
    let (mut file, mut next) = open(&partial, from).with_context(named)?;
    loop {
        let bars = fetcher.klines(interval, (next, to)).await?;
        let Some(last) = bars.last() else { break };
        let text: String = bars.iter().map(line).collect();
        file.write_all(text.as_bytes()).with_context(named)?;
        next = last.open_at.plus(1_000_000);
    }
    file.sync_all().with_context(named)?;
    let text = fs::read_to_string(&partial).with_context(named)?;
    let count = text.lines().count().saturating_sub(1);
    if count == 0 {
        fs::remove_file(&partial).with_context(named)?;
        bail!("the venue has no finished bar of this period");
    }
    fs::rename(&partial, out).with_context(|| out.display().to_string())?;
    let count = counted(count.try_into().unwrap_or(u64::MAX), "bar");
    output::note(format_args!("{}: {count}", out.display()));
    Ok(())
}

fn partial(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// The unfinished file and where it goes on: behind its last whole line.
fn open(partial: &Path, from: Timestamp) -> std::io::Result<(File, Timestamp)> {
    let options = File::options().create(true).truncate(false).read(true).write(true).clone();
    let mut file = options.open(partial)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    let lines = text.get(..whole).unwrap_or_default();
    let last = lines.lines().last().and_then(|line| line.split(',').next()?.parse().ok());
    if whole == 0 {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(HEAD.as_bytes())?;
    } else {
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
    }
    let next = last.map_or(from, |last: i64| Timestamp::from_millis(last).plus(1_000_000));
    Ok((file, next.max(from)))
}

fn line(bar: &Kline) -> String {
    format!(
        "{},{},{},{},{},{},{},{},{},{},{},0\n",
        bar.open_at.as_millis(),
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.close_at.as_millis(),
        bar.quote_volume,
        bar.trades,
        bar.taker_buy_volume,
        bar.taker_buy_quote_volume
    )
}
