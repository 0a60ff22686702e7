//! Archive files made into one tape.
//!
//! Invariant: a back-test over the tape gives what one over the files gives, byte for byte. So
//! trades are written as merged, with prints that were no market trades and rows without quantity,
//! and inputs as read, before anything is derived from them.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arb_core::InstrumentId;

use super::index::{TapeHeader, TapeInfo};
use super::writer::TapeWriter;
use crate::tape::bytes::{Consumed, Origin, Packed};
use crate::tape::error::TapeError;
use crate::tape::flow::Flow;
use crate::tape::steps;
use crate::tape::trades::{Owner, TradeRow};
use crate::tape::{Files, Gaps, Source, TapeOptions, TapeStats, feeds, inputs, premium};

/// Rows between two reports of progress.
const REPORT: u64 = 65_536;
/// Rows that tell tick and lot.
const STEP_ROWS: usize = 10_000;

/// What an import made.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The tape.
    pub info: TapeInfo,
    /// What was read: rows without quantity, repeated rows.
    pub stats: TapeStats,
}

/// Writes the files of one instrument as a tape; their instrument ids are not looked at.
///
/// Of the head, symbol and market are taken; the rest comes from the files. `progress` is told
/// packed bytes read and in all. Holes are kept, and counted in the index.
///
/// # Errors
/// [`TapeError`] as for reading, and when the tape cannot be written.
pub fn import(
    name: &str,
    out: impl Write,
    mut header: TapeHeader,
    sources: &[Source],
    mut progress: impl FnMut(u64, u64),
) -> Result<Imported, TapeError> {
    let consumed = Consumed::default();
    let mut stats = TapeStats::default();
    let (mut files, mut total) = (Files::default(), 0_u64);
    for source in sources {
        let packed = Packed {
            name: source.path.to_string_lossy().into(),
            origin: Origin::File(source.path.clone()),
        };
        total = total.saturating_add(packed.size()?);
        let file = source.path.file_name().unwrap_or_default();
        header.sources.push(file.to_string_lossy().into_owned());
        match packed.tape(&consumed)? {
            Some(tape) => files.add_tape(source, tape)?,
            None => files.add(source, packed),
        }
    }
    let owner = Owner { instrument: InstrumentId(0), symbol: Some(Arc::clone(&files.symbol)) };
    let options = TapeOptions { gaps: Gaps::Announce, from: None, to: None };
    let trades = (files.trades.as_slice(), files.tapes.as_slice());
    let mut flow = Flow::open(owner.clone(), trades, options, &consumed, &mut stats)?;
    header.counts = flow.counts();
    if let Some(first) = files.trades.first() {
        let (tick, lot) = steps::steps(first, STEP_ROWS)?;
        (header.tick_size, header.lot_size) = (Some(tick), Some(lot));
    } else if let Some(first) = files.tapes.first() {
        (header.tick_size, header.lot_size) = (first.header.tick_size, first.header.lot_size);
    }
    let mut writer = TapeWriter::new(name, out, header)?;
    let mut rows = 0_u64;
    while let Some(TradeRow { trade, off_market, .. }) = flow.take(&mut stats)? {
        if off_market {
            writer.off_market(&trade)?
        } else {
            writer.trade(&trade)?
        }
        rows += 1;
        if rows.is_multiple_of(REPORT) {
            progress(consumed.load(Ordering::Relaxed), total);
        }
    }
    write_inputs(&files, &owner, &consumed, &mut stats, &mut writer)?;
    progress(total, total);
    let (_, info) = writer.finish()?;
    Ok(Imported { info, stats })
}

fn write_inputs(
    files: &Files,
    owner: &Owner,
    consumed: &Consumed,
    stats: &mut TapeStats,
    writer: &mut TapeWriter<impl Write>,
) -> Result<(), TapeError> {
    let (tapes, duplicates) = (&files.tapes, &mut stats.duplicates);
    for row in inputs::read_funding(owner, &files.funding, tapes, consumed, duplicates)? {
        writer.funding(&row.row())?;
    }
    for row in inputs::read_metrics(owner, &files.metrics, tapes, consumed, duplicates)? {
        writer.metrics(&row)?;
    }
    for row in premium::read(&files.premium, tapes, consumed, duplicates)? {
        writer.premium(&row)?;
    }
    let mut marks = feeds::read_marks(owner, &files.marks, consumed, duplicates)?;
    let mut liquidations =
        feeds::read_liquidations(owner, &files.liquidations, consumed, duplicates)?;
    for tape in tapes {
        marks.append(&mut tape.rows(consumed)?);
        liquidations.append(&mut tape.rows(consumed)?);
    }
    marks.sort_by_key(|row| row.known_at);
    liquidations.sort_by_key(|row| row.known_at);
    marks.iter().try_for_each(|row| writer.mark(row))?;
    liquidations.iter().try_for_each(|row| writer.liquidation(row))
}
