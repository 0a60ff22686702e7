//! What kind of archive file a file is.
//!
//! Invariant: the columns decide. Where they fit several kinds, which is so for klines of every
//! price, the name of the file decides as the archive names it; where that does not help either,
//! the caller is asked, never a guess made.

use std::path::Path;

use arb_core::InstrumentId;

use super::bytes::{Consumed, Origin, Packed, Part};
use super::error::TapeError;
use super::lines::Extent;
use super::table::{Format, Rows};
use super::trades::{Counts, Owner, TradeFile};
use super::{SourceKind, feeds, inputs, klines, trades};

/// Whether the first row of a part has the columns of a kind.
pub(super) fn fits<const N: usize>(
    part: &Part,
    format: &'static Format<N>,
    consumed: &Consumed,
) -> Result<bool, TapeError> {
    match Rows::open(part, Extent::Beginning, format, consumed) {
        Ok(_) => Ok(true),
        Err(TapeError::Row { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tells what a file holds, from its columns, or from its name where klines leave it open.
///
/// # Errors
/// [`TapeError`] when the file cannot be read or fits no kind.
pub fn kind_of(path: &Path) -> Result<SourceKind, TapeError> {
    kind(&Packed { name: path.to_string_lossy().into(), origin: Origin::File(path.into()) })
}

/// Tells whether the ids of a file of trades count aggregate or single trades; none where a tape
/// does not say.
///
/// # Errors
/// [`TapeError`] when the file cannot be read or holds no trades.
pub fn counts_of(path: &Path) -> Result<Option<Counts>, TapeError> {
    let file = Packed { name: path.to_string_lossy().into(), origin: Origin::File(path.into()) };
    let seen = Consumed::default();
    if let Some(tape) = file.tape(&seen)? {
        return Ok(tape.header.counts);
    }
    let owner = Owner { instrument: InstrumentId(0), symbol: None };
    let unknown = || TapeError::Empty { file: file.name.clone() };
    let part = file.parts()?.into_iter().next().ok_or_else(unknown)?;
    Ok(TradeFile::open(&part, Extent::Beginning, &owner, 0, &seen)?.counts())
}

fn kind(file: &Packed) -> Result<SourceKind, TapeError> {
    let seen = Consumed::default();
    if file.tape(&seen)?.is_some() {
        return Ok(SourceKind::Trades);
    }
    let parts = file.parts()?;
    let unknown = |what| TapeError::Unsupported { file: file.name.clone(), what };
    let part = parts.first().ok_or_else(|| unknown("has no text inside"))?;
    if fits(part, &klines::FORMAT, &seen)? {
        let name = file.name.to_ascii_lowercase();
        return match () {
            () if name.contains("premium") => Ok(SourceKind::PremiumKlines),
            () if name.contains("markprice") => Ok(SourceKind::Marks),
            () => Err(unknown(
                "has klines, of which the name does not say what; choose --premium-klines or \
                 --marks for it",
            )),
        };
    }
    // Metrics before funding before trades: a kind with more columns of its own comes first.
    if fits(part, &inputs::METRICS, &seen)? {
        Ok(SourceKind::Metrics)
    } else if fits(part, &inputs::FUNDING, &seen)? {
        Ok(SourceKind::Funding)
    } else if fits(part, &trades::FORMAT, &seen)? {
        Ok(SourceKind::Trades)
    } else if fits(part, &feeds::LIQUIDATIONS, &seen)? {
        Ok(SourceKind::Liquidations)
    } else if fits(part, &feeds::MARKS, &seen)? {
        Ok(SourceKind::Marks)
    } else {
        Err(unknown(
            "has columns of no known kind; trades, funding, metrics, klines, marks and \
             liquidations are",
        ))
    }
}
