//! Looking at a whole tape: what it says of itself, and whether every row can be read.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arb_core::InstrumentId;

use super::file::{ArbtFile, fuzz_bodies};
use super::index::TapeInfo;
use super::rows::{FundingRow, LiquidationRow, MarkRow, MetricsRow, PremiumRow, Row};
use super::trades::ArbtTrades;
use crate::tape::bytes::{Consumed, Origin, Packed};
use crate::tape::error::TapeError;

fn open(packed: &Packed, consumed: &Consumed) -> Result<Arc<ArbtFile>, TapeError> {
    let what = "is no .arbt tape; arb tape import makes one of archive files";
    let unsupported = || TapeError::Unsupported { file: Arc::clone(&packed.name), what };
    packed.tape(consumed)?.ok_or_else(unsupported)
}

fn packed(path: &Path) -> Packed {
    Packed { name: path.to_string_lossy().into(), origin: Origin::File(path.into()) }
}

/// What a tape says of itself, from its head and its index.
///
/// # Errors
/// [`TapeError`] when either cannot be read.
pub fn read_info(path: &Path) -> Result<TapeInfo, TapeError> {
    open(&packed(path), &Consumed::default()).map(|tape| tape.info())
}

/// The symbol of the market that a tape holds; none for any other file, or where there is none.
///
/// # Errors
/// [`TapeError`] when the file cannot be read or its head is damaged.
pub fn symbol_of(path: &Path) -> Result<Option<String>, TapeError> {
    if !path.exists() {
        return Ok(None);
    }
    let tape = packed(path).tape(&Consumed::default())?;
    Ok(tape.map(|tape| tape.header.symbol.clone()))
}

/// Reads every row and drops it; `progress` is told bytes read and in all.
///
/// # Errors
/// [`TapeError::Tape`] with the first block that cannot be read.
pub fn verify(path: &Path, progress: impl FnMut(u64, u64)) -> Result<TapeInfo, TapeError> {
    verify_packed(&packed(path), progress)
}

/// The same of a tape in memory.
///
/// # Errors
/// As [`verify`].
pub fn verify_bytes(name: &str, bytes: &[u8]) -> Result<TapeInfo, TapeError> {
    let packed = Packed { name: name.into(), origin: Origin::Memory(bytes.into()) };
    verify_packed(&packed, |_, _| {})
}

fn verify_packed(
    packed: &Packed,
    mut progress: impl FnMut(u64, u64),
) -> Result<TapeInfo, TapeError> {
    let consumed = Consumed::default();
    let tape = open(packed, &consumed)?;
    let info = tape.info();
    let mut trades = ArbtTrades::open(&tape, InstrumentId(0), None, &consumed)?;
    let mut rows = 0_u64;
    while trades.next()?.is_some() {
        rows += 1;
        if rows.is_multiple_of(1 << 20) {
            progress(consumed.load(Ordering::Relaxed), info.bytes);
        }
    }
    read::<FundingRow>(&tape, &consumed)?;
    read::<MarkRow>(&tape, &consumed)?;
    read::<MetricsRow>(&tape, &consumed)?;
    read::<LiquidationRow>(&tape, &consumed)?;
    read::<PremiumRow>(&tape, &consumed)?;
    progress(info.bytes, info.bytes);
    Ok(info)
}

fn read<R: Row>(tape: &Arc<ArbtFile>, consumed: &Consumed) -> Result<(), TapeError> {
    let mut blocks = tape.blocks(consumed)?;
    tape.numbers(R::TABLE, None).into_iter().try_for_each(|at| blocks.rows::<R>(at).map(drop))
}

/// Reads arbitrary bytes as a tape and as the inside of its blocks: an entry for fuzzers.
///
/// Never panics.
pub fn fuzz_arbt(bytes: &[u8]) {
    let _ = verify_bytes("fuzz", bytes);
    fuzz_bodies(bytes);
}
