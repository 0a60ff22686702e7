//! Files of the public archive, downloaded with their checksums.
//!
//! Invariant: a file has its name only when its SHA-256 is the one that the archive names; what was
//! cut off is kept under another name and goes on from its last byte.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use arb::Timestamp;
use arb::live::{Period, verify_checksum};
use reqwest::StatusCode;
use reqwest::header::RANGE;

use super::What;
use crate::commands::run::is_safe;
use crate::commands::usage;
use crate::output;

/// Binance's public archive.
pub(super) const ARCHIVE: &str = "https://data.binance.vision";
/// Times a file is asked for before it is given up.
const TRIES: u32 = 4;
const TIME_OUT: Duration = Duration::from_secs(30);

/// What was got.
#[derive(Debug, Default)]
pub(super) struct Got {
    pub(super) files: Vec<PathBuf>,
    /// Names of files that the archive does not have.
    pub(super) missing: Vec<String>,
}

/// Downloads the files of a period.
pub(super) async fn all(
    base: &str,
    folder: &Path,
    symbols: &[String],
    (what, period): (What, Period),
) -> Result<Got> {
    let base = base.trim_end_matches('/');
    check(base)?;
    fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let archive = Archive { http: client()?, base, folder };
    let mut got = Got::default();
    for symbol in symbols {
        for path in paths(symbol, what, period)? {
            match archive.get(&path).await? {
                Some(file) => got.files.push(file),
                None => got.missing.push(name_of(&path).to_owned()),
            }
        }
    }
    Ok(got)
}

/// Only loopback is asked without encryption.
fn check(base: &str) -> Result<()> {
    if is_safe(base) {
        return Ok(());
    }
    usage(format!("--archive-url {base}: an https:// address is needed"))
}

fn client() -> Result<reqwest::Client> {
    // Another part of this process may have chosen it already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().connect_timeout(TIME_OUT).read_timeout(TIME_OUT);
    builder.user_agent(concat!("arb/", env!("CARGO_PKG_VERSION"))).build().context("downloads")
}

/// The archive's paths of a period: a file a day, of funding a file a month.
fn paths(symbol: &str, what: What, (from, to): Period) -> Result<Vec<String>> {
    let date = |at: Timestamp| -> Result<jiff::civil::Date> {
        let at = jiff::Timestamp::from_millisecond(at.as_millis()).context("the period")?;
        Ok(at.to_zoned(jiff::tz::TimeZone::UTC).date())
    };
    let (mut day, last) = (date(from)?, date(to.plus(-1))?);
    let mut paths: Vec<String> = Vec::new();
    while day <= last {
        let path = match what {
            What::Trades => format!("daily/aggTrades/{symbol}/{symbol}-aggTrades-{day}.zip"),
            What::Metrics => format!("daily/metrics/{symbol}/{symbol}-metrics-{day}.zip"),
            What::Funding => {
                let month = day.strftime("%Y-%m");
                format!("monthly/fundingRate/{symbol}/{symbol}-fundingRate-{month}.zip")
            }
            What::Klines => bail!("klines come by requests"),
        };
        let path = format!("data/futures/um/{path}");
        if paths.last() != Some(&path) {
            paths.push(path);
        }
        day = day.tomorrow().context("the period")?;
    }
    Ok(paths)
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

struct Archive<'a> {
    http: reqwest::Client,
    base: &'a str,
    folder: &'a Path,
}

impl Archive<'_> {
    /// The file of a path, downloaded unless it is there; none where the archive has none.
    async fn get(&self, path: &str) -> Result<Option<PathBuf>> {
        let file = self.folder.join(name_of(path));
        let checksum = self.folder.join(format!("{}.CHECKSUM", name_of(path)));
        if file.exists() && checksum.exists() && verify_checksum(&file).is_ok() {
            return Ok(Some(file));
        }
        let Some(text) = self.checksum(path).await? else { return Ok(None) };
        fs::write(&checksum, text).with_context(|| checksum.display().to_string())?;
        let part = self.folder.join(format!("{}.part", name_of(path)));
        if !self.whole(path, &part).await? {
            return Ok(None);
        }
        // The checksum's file is named like the file itself.
        fs::rename(&part, &file).with_context(|| file.display().to_string())?;
        if let Err(error) = verify_checksum(&file) {
            fs::remove_file(&file).with_context(|| file.display().to_string())?;
            return Err(error.into());
        }
        output::note(format_args!("{}: downloaded and checked", file.display()));
        Ok(Some(file))
    }

    /// The text of a file's checksum; none where the archive has no such file.
    async fn checksum(&self, path: &str) -> Result<Option<String>> {
        let address = format!("{}/{path}.CHECKSUM", self.base);
        let mut tries = 1;
        loop {
            let asked = async {
                let answer = self.http.get(&address).send().await?;
                let status = answer.status();
                Ok::<_, reqwest::Error>((status, answer.text().await?))
            };
            match asked.await {
                Ok((StatusCode::OK, text)) => return Ok(Some(text)),
                Ok((StatusCode::NOT_FOUND, _)) => return Ok(None),
                Ok((status, _)) if !status.is_server_error() || tries == TRIES => {
                    bail!("{address}: answers {status}")
                }
                Err(error) if tries == TRIES => return Err(lost(&address, error)),
                Ok(_) | Err(_) => pause(&mut tries).await,
            }
        }
    }

    /// Brings all bytes of a file into `part`, going on behind those it has.
    async fn whole(&self, path: &str, part: &Path) -> Result<bool> {
        let address = format!("{}/{path}", self.base);
        let mut tries = 1;
        loop {
            match self.rest(&address, part).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => pause(&mut tries).await,
            }
        }
    }

    async fn rest(&self, address: &str, part: &Path) -> Result<bool> {
        let named = || part.display().to_string();
        let have = fs::metadata(part).map_or(0, |meta| meta.len());
        let mut request = self.http.get(address);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let mut answer = request.send().await.map_err(|error| lost(address, error))?;
        let mut file = File::options().create(true).append(true).open(part).with_context(named)?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT => {}
            // Nothing is behind what is there, or the server gives everything again.
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(true),
            StatusCode::OK => file.set_len(0).with_context(named)?,
            StatusCode::NOT_FOUND => return Ok(false),
            status => bail!("{address}: answers {status}"),
        }
        while let Some(bytes) = answer.chunk().await.map_err(|error| lost(address, error))? {
            file.write_all(&bytes).with_context(named)?;
        }
        file.sync_all().with_context(named)?;
        Ok(true)
    }
}

fn lost(address: &str, error: reqwest::Error) -> anyhow::Error {
    anyhow!(error.without_url()).context(format!("{address}: check the network"))
}

async fn pause(tries: &mut u32) {
    tokio::time::sleep(Duration::from_millis(500) * *tries).await;
    *tries += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_file_a_day_and_of_funding_one_a_month() {
        let at = |text: &str| crate::market_data::instant(text).unwrap();
        let period = (at("2026-10-31"), at("2026-11-02"));
        let trades = paths("BTCUSDT", What::Trades, period).unwrap();
        let first = "data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2026-10-31.zip";
        assert_eq!((trades.len(), trades[0].as_str()), (2, first));
        let funding = paths("BTCUSDT", What::Funding, period).unwrap();
        let second = "data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2026-11.zip";
        assert_eq!((funding.len(), funding[1].as_str()), (2, second));
        let day = (at("2026-11-01"), at("2026-11-01T00:00:01Z"));
        assert_eq!(paths("BTCUSDT", What::Metrics, day).unwrap().len(), 1);
    }

    #[test]
    fn nothing_unencrypted_is_asked_of_another_machine() {
        assert!(check("https://data.binance.vision").is_ok());
        assert!(check("http://127.0.0.1:80").is_ok());
        for base in ["http://data.binance.vision", "ftp://127.0.0.1:1", "http://127.0.0.1:1@x.org"]
        {
            assert!(check(base).is_err(), "{base}");
        }
    }
}
