//! Tick and lot of an instrument whose filters are not at hand.
//!
//! Invariant: the answer divides every price and quantity that was looked at. It is a power of
//! ten, hence finer than a true step such as 0.5 or 0.25, which is safe: a price rounded to it is
//! at most off the venue's grid, never off the traded prices. Looking at too few rows can give too
//! coarse a step, so callers look at some thousand.

use std::path::Path;

use arb_core::{InstrumentId, Price, Qty};

use super::bytes::{Consumed, Origin, Packed};
use super::error::TapeError;
use super::lines::Extent;
use super::trades::{Owner, TradeFile};

/// The tick and lot that the first `rows` trades of each part of the file allow: the largest
/// powers of ten that divide the greatest common divisor of the prices and of the quantities.
///
/// Without any quantity the lot is 10⁻⁸. The symbol is not checked.
///
/// # Errors
/// [`TapeError`] names the file, and the line and field of a row that cannot be used.
pub fn infer_steps(path: &Path, rows: usize) -> Result<(Price, Qty), TapeError> {
    steps(&Packed { name: path.to_string_lossy().into(), origin: Origin::File(path.into()) }, rows)
}

pub(super) fn steps(file: &Packed, rows: usize) -> Result<(Price, Qty), TapeError> {
    let owner = Owner { instrument: InstrumentId(0), symbol: None };
    let (mut prices, mut quantities) = (0, 0);
    let unseen = Consumed::default();
    let mut all = Vec::new();
    match file.tape(&unseen)? {
        Some(tape) => all.push(TradeFile::open_tape(&tape, None, &owner, 0, &unseen)?),
        None => {
            for part in file.parts()? {
                all.push(TradeFile::open(&part, Extent::Whole, &owner, 0, &unseen)?);
            }
        }
    }
    for mut trades in all {
        for _ in 0..rows {
            prices = gcd(prices, trades.head.trade.price.units());
            quantities = gcd(quantities, trades.head.trade.qty.units());
            if !trades.advance()? {
                break;
            }
        }
    }
    let tick = Price::from_units(power_of_ten_in(prices)).unwrap_or_default();
    let lot = Qty::from_units(power_of_ten_in(quantities)).unwrap_or_default();
    Ok((tick, lot))
}

const fn gcd(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The largest power of ten that divides `units`; 1 for 0.
fn power_of_ten_in(units: i64) -> i64 {
    let (mut step, mut rest) = (1, units);
    while rest != 0 && rest % 10 == 0 {
        rest /= 10;
        step *= 10;
    }
    step
}
