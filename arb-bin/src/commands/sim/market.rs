//! The market that the flags of `arb sim` describe.
//!
//! Invariant: recorded data brings its symbol with it, and its price; its begin is the epoch unless
//! another one is given.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use arb::sim::{MarketConfig, SimMarket, SymbolSpec, known_symbols, symbol, symbols};
use arb::tape::{Gaps, Source, SourceKind, Tape, TapeOptions};
use arb::{Event, EventKind, InstrumentId, Market, Timestamp, Trade};

use super::Args;
use crate::commands::usage;

/// Most symbols by number.
const MOST: usize = 2_000;

/// Which symbols are listed.
#[derive(Clone, Debug)]
pub(crate) enum Symbols {
    Named(Vec<String>),
    First(usize),
}

impl FromStr for Symbols {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::First(known_symbols()));
        }
        if let Ok(count) = text.parse::<usize>() {
            return match count {
                1..=MOST => Ok(Self::First(count)),
                _ => Err(format!("1 to {MOST} symbols are possible")),
            };
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let usable = |name: &String| {
            (5..=30).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        match names.iter().find(|name| !usable(name)) {
            Some(name) => Err(format!("{name:?} is no symbol such as BTCUSDT")),
            None => Ok(Self::Named(names)),
        }
    }
}

fn market_and_rest(text: &str) -> (Market, &str) {
    match text.strip_prefix("spot:") {
        Some(rest) => (Market::Spot, rest),
        None => (Market::Um, text.strip_prefix("um:").unwrap_or(text)),
    }
}

/// Recorded trades.
#[derive(Clone, Debug)]
pub(crate) struct TapeFile {
    market: Market,
    symbol: String,
    path: PathBuf,
}

impl FromStr for TapeFile {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (market, rest) = market_and_rest(text);
        let (symbol, path) = rest.split_once('=').ok_or("give it as SYMBOL=FILE")?;
        Ok(Self { market, symbol: symbol.to_owned(), path: path.into() })
    }
}

/// Recorded frames.
#[derive(Clone, Debug)]
pub(crate) struct FramesFile {
    market: Market,
    path: PathBuf,
}

impl FromStr for FramesFile {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (market, rest) = market_and_rest(text);
        Ok(Self { market, path: rest.into() })
    }
}

/// The market, with its epoch.
pub(super) fn market(args: &Args) -> Result<SimMarket> {
    let tapes = args.tape.iter().map(|file| Ok((file, trades(file)?)));
    let tapes: Vec<(&TapeFile, Vec<Trade>)> = tapes.collect::<Result<_>>()?;
    let frames = frames(&args.frames)?;
    let mut specs = match &args.symbols {
        Symbols::Named(names) => names.iter().map(|name| symbol(name)).collect(),
        Symbols::First(count) => symbols(*count),
    };
    for (file, trades) in &tapes {
        let first =
            trades.first().with_context(|| format!("{}: no trades", file.path.display()))?;
        list(&mut specs, file.market, &file.symbol);
        // A pair of a multiplied contract has another price than the contract.
        for spec in specs.iter_mut().filter(|spec| spec.symbol == file.symbol) {
            spec.price = first.price;
        }
    }
    for (market, text) in &frames {
        if let Some(name) = recorded_symbol(text) {
            list(&mut specs, *market, name);
        }
    }
    let epoch = Timestamp::from_millis(args.epoch.unwrap_or_else(wall));
    let mut config = MarketConfig::new(args.seed, epoch, specs);
    config.activity_percent = args.activity;
    config.step_millis = args.step;
    let mut market = SimMarket::new(config).or_else(|error| usage(error.to_string()))?;
    let mut begins = Vec::new();
    for (file, trades) in tapes {
        let span = market.with_tape(file.market, &file.symbol, trades);
        begins.push(span.with_context(|| format!("--tape {}", file.path.display()))?.0);
    }
    for (number, (of, text)) in frames.iter().enumerate() {
        let named = || format!("--frames, recording {}", number + 1);
        begins.push(market.with_frames(*of, text.lines()).with_context(named)?.0);
    }
    if let Some(begin) = begins.into_iter().min().filter(|_| args.epoch.is_none()) {
        market.set_epoch(begin);
    }
    Ok(market)
}

/// Adds the symbol of this name in a market, where it is missing.
fn list(specs: &mut Vec<SymbolSpec>, market: Market, name: &str) {
    let is_it = |spec: &SymbolSpec| match market {
        Market::Spot => spec.spot.as_ref().is_some_and(|spot| spot.symbol == name),
        _ => spec.symbol == name,
    };
    if !specs.iter().any(is_it) {
        specs.push(symbol(name));
    }
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn trades(file: &TapeFile) -> Result<Vec<Trade>> {
    let source = Source {
        instrument: InstrumentId(0),
        symbol: file.symbol.clone(),
        kind: SourceKind::Trades,
        path: file.path.clone(),
    };
    let options = TapeOptions { gaps: Gaps::Accept, ..TapeOptions::default() };
    let mut tape = Tape::open(&[source], options)?;
    let (mut batch, mut trades): (Vec<Event>, Vec<Trade>) = (Vec::new(), Vec::new());
    while tape.next_batch(&mut batch)? > 0 {
        trades.extend(batch.drain(..).filter_map(|event| match event.kind {
            EventKind::Trade(trade) => Some(trade),
            _ => None,
        }));
    }
    Ok(trades)
}

/// The recordings of each symbol, in the order of the flags, as one text each.
fn frames(files: &[FramesFile]) -> Result<Vec<(Market, String)>> {
    let mut texts: Vec<(Market, String)> = Vec::new();
    for file in files {
        let text = text(&file.path)?;
        let name = recorded_symbol(&text);
        let same = |(market, other): &&mut (Market, String)| {
            *market == file.market && recorded_symbol(other) == name
        };
        match texts.iter_mut().find(same) {
            Some((_, before)) => before.push_str(&text),
            None => texts.push((file.market, text)),
        }
    }
    Ok(texts)
}

/// The symbol of a recording's first record.
fn recorded_symbol(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("\"s\":\"")?;
    after.split('"').next()
}

fn text(path: &Path) -> Result<String> {
    let named = || format!("--frames {}", path.display());
    let bytes = std::fs::read(path).with_context(named)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8(bytes).with_context(named);
    }
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .read_to_string(&mut text)
        .with_context(named)?;
    Ok(text)
}
