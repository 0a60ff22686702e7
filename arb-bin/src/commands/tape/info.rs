//! `arb tape info` and `verify`: what a tape holds, and whether it is whole.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use arb::tape::{self, Table, TableInfo, TapeInfo};
use serde_json::{Value, json};

use crate::output;
use crate::progress::Progress;
use crate::terminal::{Style, counted, grouped, short};

#[derive(Debug, clap::Args)]
pub(crate) struct Info {
    /// The tape
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// Tapes
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Info) -> Result<()> {
    let info = tape::read_info(&args.file)?;
    if args.json {
        return output::stdout(format_args!("{}\n", json(&info)));
    }
    output::stdout(text(&info, Style::of(&std::io::stdout())))
}

pub(super) fn verify(args: &Verify) -> Result<()> {
    for file in &args.files {
        let mut progress = None;
        let info = tape::verify(file, |done, total| {
            progress.get_or_insert_with(|| Progress::new(total)).set(done);
        })?;
        drop(progress);
        let (rows, blocks) = info
            .tables
            .iter()
            .fold((0, 0), |(rows, blocks), table| (rows + table.rows, blocks + table.blocks));
        let (rows, blocks) = (counted(rows, "row"), counted(blocks, "block"));
        output::stdout(format_args!("{}: {rows} in {blocks}, all whole\n", info.file))?;
    }
    Ok(())
}

/// The figures for people.
pub(super) fn text(info: &TapeInfo, style: Style) -> String {
    let header = &info.header;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14} {value}");
    };
    let market = header.market.as_str();
    line("tape", style.bold(format_args!("{} ({market}), {}", header.symbol, info.file)));
    line("size", format!("{} bytes", grouped(info.bytes)));
    if let Some((tick, lot)) = header.tick_size.zip(header.lot_size) {
        line("steps", format!("tick {tick}, lot {lot}"));
    }
    if let Some(counts) = header.counts {
        line("trades", counts.as_str().to_owned());
    }
    let holes = match info.holes {
        0 => "none".to_owned(),
        holes => format!("{}, {} missing", grouped(holes), counted(info.missing, "id")),
    };
    line("holes", holes);
    line("made of", header.sources.join(", "));
    let head = ["table", "rows", "bytes", "a row", "blocks", "first", "last"];
    let [table, rows, bytes, each, blocks, first, last] = head;
    let head =
        format!("{table:<14} {rows:>13} {bytes:>13} {each:>6} {blocks:>7}  {first:<19}  {last}");
    let _ = writeln!(text, "\n{}", style.bold(head));
    for table in &info.tables {
        let _ = writeln!(
            text,
            "{:<14} {:>13} {:>13} {:>6} {:>7}  {:<19}  {}",
            table.table.as_str(),
            grouped(table.rows),
            grouped(table.bytes),
            bytes_a_row(table),
            grouped(table.blocks),
            short(table.first),
            short(table.last),
        );
    }
    text
}

/// With two digits, rounded down.
fn bytes_a_row(table: &TableInfo) -> String {
    let hundredths = table.bytes.saturating_mul(100).checked_div(table.rows).unwrap_or_default();
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn json(info: &TapeInfo) -> Value {
    let header = &info.header;
    let tables: Vec<Value> = info.tables.iter().map(table).collect();
    json!({
        "file": *info.file,
        "symbol": header.symbol,
        "market": header.market.as_str(),
        "counts": header.counts.map(|counts| counts.as_str()),
        "tick_size": header.tick_size,
        "lot_size": header.lot_size,
        "sources": header.sources,
        "bytes": info.bytes,
        "holes": info.holes,
        "missing_ids": info.missing,
        "tables": tables,
    })
}

fn table(info: &TableInfo) -> Value {
    let ids = (info.table == Table::Trades).then_some((info.first_id, info.last_id));
    json!({
        "table": info.table.as_str(),
        "rows": info.rows,
        "blocks": info.blocks,
        "bytes": info.bytes,
        "first_ns": info.first.as_nanos(),
        "last_ns": info.last.as_nanos(),
        "first_id": ids.map(|(first, _)| first),
        "last_id": ids.map(|(_, last)| last),
    })
}
