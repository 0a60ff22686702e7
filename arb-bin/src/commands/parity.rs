//! `arb parity`: why two journals differ.

mod table;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use arb::Decimal;
use arb::record::{self, Parity, ParityDifference, ParityError, Tolerance, Which, parity};

use super::usage;
use crate::output::{self, OutFile};
use crate::terminal::Style;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The reference, a journal written by `arb backtest --journal`, or the folder of a node's log
    a: PathBuf,
    /// The journal that is compared with it
    b: PathBuf,
    /// Times that are not further apart count as equal, ms
    #[arg(long, default_value_t = 0, value_name = "N")]
    tolerance_ms: u32,
    /// Prices that are not further apart count as equal, basis points
    #[arg(long, default_value = "0", value_name = "X")]
    price_tolerance_bps: Decimal,
    /// Examples shown of each kind and cause
    #[arg(long, default_value_t = 3, value_name = "N")]
    examples: usize,
    /// Write every difference as JSON; `-` is stdout, and the summary goes to stderr
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.tolerance_ms > 60_000 {
        return usage("--tolerance-ms: 0 to 60000 are allowed");
    }
    if args.price_tolerance_bps < Decimal::ZERO || args.price_tolerance_bps > Decimal::from(1_000) {
        return usage("--price-tolerance-bps: 0 to 1000 are allowed");
    }
    let inputs = [("A", args.a.as_path()), ("B", args.b.as_path())];
    let json = args.json.as_deref().map(|path| ("--json", path));
    output::check_distinct(&inputs, json.as_slice())?;
    let mut json = json.map(|(flag, path)| OutFile::create(flag, path)).transpose()?;
    let result = match &mut json {
        Some(out) => with_json(args, out)?,
        None => compare(args, &mut |_| {})?,
    };
    let names = [&args.a, &args.b].map(|path| path.display().to_string());
    let shown = table::Shown { names: &names, examples: args.examples };
    let summary_on_stderr = json.as_ref().is_some_and(OutFile::is_stdout);
    json.map_or(Ok(()), OutFile::commit)?;
    if summary_on_stderr {
        output::stderr(table::text(&result, &shown, Style::of(&io::stderr())))?;
    } else {
        output::stdout(table::text(&result, &shown, Style::of(&io::stdout())))?;
    }
    if result.is_equal() { Ok(()) } else { bail!("the journals differ") }
}

fn compare(args: &Args, each: &mut dyn FnMut(&ParityDifference)) -> Result<Parity> {
    let open = |path: &Path| record::open(path).with_context(|| path.display().to_string());
    let tolerance = Tolerance { time_ms: args.tolerance_ms, price_bps: args.price_tolerance_bps };
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    parity(a, b, tolerance, each).map_err(|ParityError { which, source }| {
        let path = if which == Which::A { &args.a } else { &args.b };
        anyhow::Error::new(source).context(path.display().to_string())
    })
}

/// Writes the differences while they are found, then the rest.
fn with_json(args: &Args, out: &mut OutFile) -> Result<Parity> {
    out.write_all(b"{\"differences\":[")?;
    let (mut written, mut between) = (Ok(()), "\n");
    let result = compare(args, &mut |difference| {
        if written.is_ok() {
            written = out
                .write_all(std::mem::replace(&mut between, ",\n").as_bytes())
                .and_then(|()| Ok(serde_json::to_writer(&mut *out, difference)?));
        }
    })?;
    written?;
    out.write_all(b"\n],\"result\":")?;
    serde_json::to_writer(&mut *out, &result).map_err(io::Error::from)?;
    out.write_all(b"}\n")?;
    Ok(result)
}
