//! `.arbt`: a market in one file, in columns.
//!
//! A tape is a head (whose market, made of what), blocks of up to 65,536 rows of one table each,
//! and an index of the blocks by time. The tables are trades, settled funding, mark prices, open
//! interest and ratios, liquidations, and closes of the premium index. Numbers are whole: prices
//! and quantities in multiples of the largest step that divides those of the block, times in
//! multiples of the largest unit that divides their differences; so milliseconds, microseconds and
//! nanoseconds cost what they carry. [`column`] says how a column is packed, [`block`] and
//! [`index`] where the bytes lie. All numbers of fixed length are little-endian, the others have
//! seven bits a byte, the lowest first.
//!
//! Invariant: what is read is bit for bit what was written, or an error that names file, block and
//! offset; every byte is under a checksum.

mod block;
mod column;
mod file;
mod import;
mod index;
mod rows;
mod trades;
mod verify;
mod wire;
mod writer;

pub(super) use self::file::{ArbtFile, Blocks};
pub use self::import::{Imported, import};
pub use self::index::{TableInfo, TapeHeader, TapeInfo};
pub(super) use self::rows::Row;
pub use self::rows::{
    FundingRow, Liquidated, LiquidationRow, MarkRow, MetricsRow, PremiumRow, Table,
};
pub(super) use self::trades::{ArbtTrades, Placed};
pub use self::verify::{fuzz_arbt, read_info, symbol_of, verify, verify_bytes};
pub use self::writer::TapeWriter;

#[cfg(test)]
mod tests;
