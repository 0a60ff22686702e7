//! The account in quote currency: what is held, what it cost, and what moved the wallet.
//!
//! Invariant: a fill changes `wallet + Σ (net quantity × price − cost)` by exactly
//! `quantity × (price − fill price) − fee`, with a fee in the base asset by
//! `(quantity − fee) × price − quantity × fill price`, and `wallet` is the opening balance plus transfers plus
//! realised profit minus fees minus funding. A position keeps its signed cost and no average
//! price, because an average is a rounded quotient: the cost is an integer count of 10⁻¹⁶, a
//! booking is rounded once to 8 decimals half-even, and what was rounded off stays in the cost.

#![deny(clippy::float_arithmetic)]

use std::collections::VecDeque;

use rust_decimal::Decimal;

use serde::{Deserialize, Serialize};

use crate::error::NumError;
use crate::event::FundingSettled;
use crate::instrument::InstrumentId;
use crate::num::{DECIMALS, Money, Notional, ONE, Price, SignedQty};
use crate::order::Fill;
use crate::time::{HOUR, Timestamp};

/// Changes of a position are remembered so long, so that a settlement which becomes known a
/// minute late still finds the quantity at its boundary; the shortest funding interval is an hour.
const HISTORY: i64 = HOUR;

/// Wallets beyond this are out of range: sums of 8 decimals below it are exact.
const LARGEST_WALLET: i64 = 1_000_000_000_000_000_000;

/// What a fill did to the wallet: it grew by `realised − fee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Booked {
    /// Profit (positive) or loss of the part that closed, before fees.
    pub realised: Money,
    /// Fee paid; negative is a rebate.
    pub fee: Money,
}

/// Sums over the life of an account or a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Realised profit before fees and funding.
    pub realised: Money,
    /// Fees paid.
    pub fees: Money,
    /// Funding paid (positive) or received (negative).
    pub funding: Money,
}

/// A holding in one instrument.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    net_qty: SignedQty,
    /// Signed cost of `net_qty` in 10⁻¹⁶, with the residue of earlier roundings.
    cost: i128,
    totals: Totals,
    changes: VecDeque<(Timestamp, SignedQty)>,
    funded_until: Option<Timestamp>,
}

impl Position {
    /// Quantity held, base units: positive long, negative short.
    #[must_use]
    pub const fn net_qty(&self) -> SignedQty {
        self.net_qty
    }

    /// Cost ÷ quantity, a rounded quotient for screens and decisions; none when flat.
    #[must_use]
    pub fn average_entry(&self) -> Option<Decimal> {
        if self.net_qty.is_zero() {
            return None;
        }
        Notional::from_units(self.cost).to_decimal().checked_div(self.net_qty.to_decimal())
    }

    /// Realised profit, fees and funding since the account was opened.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Profit (positive) or loss if the position were closed at `price`, before fees.
    #[must_use]
    pub fn unrealised(&self, price: Price) -> Money {
        Notional::from_units(signed_notional(price, self.net_qty) - self.cost).to_money()
    }

    /// Quantity right before `at`: fills exactly at `at` and later ones do not count.
    #[must_use]
    pub fn net_qty_at(&self, at: Timestamp) -> SignedQty {
        let later: i128 = self
            .changes
            .iter()
            .filter(|(ts, _)| *ts >= at)
            .map(|(_, change)| i128::from(change.units()))
            .sum();
        i64::try_from(i128::from(self.net_qty.units()) - later)
            .ok()
            .and_then(|units| SignedQty::from_units(units).ok())
            .unwrap_or(self.net_qty)
    }

    /// Splits a fill into its closing and opening part; nothing is changed on an error.
    fn book(&self, fill: &Fill) -> Result<(Booked, SignedQty, i128), NumError> {
        let change = arrived(fill)?;
        let net_qty = self.net_qty.checked_add(change)?;
        let mut notional = signed_notional(fill.price, fill.qty.signed(fill.side));
        if !fill.base_fee.is_zero() {
            if self.net_qty.side().unwrap_or(fill.side) != fill.side {
                return Err(NumError::OutOfRange);
            }
            // The wallet pays the fee's worth, so what was kept costs nothing more.
            notional -= units_of(fill.fee)?;
        }
        let mut realised = Money::ZERO;
        if self.net_qty.side().is_some_and(|side| side != fill.side) {
            let held = i128::from(self.net_qty.abs().units());
            let closing = held.min(i128::from(fill.qty.units()));
            let closing_notional = i128::from(fill.price.units()) * closing * sign(change);
            let released = portion(self.cost, closing, held);
            realised = Notional::from_units(-closing_notional - released).to_money();
        }
        let cost = self.cost + notional + units_of(realised)?;
        Ok((Booked { realised, fee: fill.fee }, net_qty, cost))
    }

    fn remember(&mut self, ts: Timestamp, change: SignedQty) {
        self.changes.push_back((ts, change));
        while self.changes.front().is_some_and(|(oldest, _)| ts.since(*oldest) > HISTORY) {
            self.changes.pop_front();
        }
    }
}

/// What a fill adds to the position: a fee in the base asset never arrives.
fn arrived(fill: &Fill) -> Result<SignedQty, NumError> {
    if fill.base_fee.is_zero() {
        return Ok(fill.qty.signed(fill.side));
    }
    if fill.base_fee > fill.qty {
        return Err(NumError::OutOfRange);
    }
    Ok(fill.qty.saturating_sub(fill.base_fee).signed(fill.side))
}

fn sign(qty: SignedQty) -> i128 {
    i128::from(qty.units().signum())
}

fn signed_notional(price: Price, qty: SignedQty) -> i128 {
    i128::from(price.units()) * i128::from(qty.units())
}

/// `cost × part ÷ whole`, rounded down to 10⁻¹⁶ and exact for the whole, without the product that
/// would not fit.
fn portion(cost: i128, part: i128, whole: i128) -> i128 {
    let (quotient, rest) = (cost.div_euclid(whole), cost.rem_euclid(whole));
    quotient * part + (rest * part).div_euclid(whole)
}

fn units_of(money: Money) -> Result<i128, NumError> {
    let mut value = money.to_decimal();
    value.rescale(DECIMALS);
    if value.scale() == DECIMALS {
        Ok(value.mantissa() * i128::from(ONE))
    } else {
        Err(NumError::OutOfRange)
    }
}

/// The share `ratio` of a notional, rounded once to 8 decimals half-even: fees and funding.
#[must_use]
pub(crate) fn share_of(notional: Notional, ratio: Decimal) -> Money {
    // Trailing zeros would cost digits of the product, which has 28.
    Money::round(notional.to_decimal().normalize().saturating_mul(ratio))
}

/// A cross-margin account in one quote currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    wallet: Money,
    totals: Totals,
    positions: Vec<Position>,
    /// Instruments with a position, ascending.
    open: Vec<InstrumentId>,
}

impl Ledger {
    /// An account with `initial` in its wallet and no position in any of `instruments`.
    #[must_use]
    pub fn new(initial: Money, instruments: usize) -> Self {
        Self {
            wallet: initial,
            totals: Totals::default(),
            positions: vec![Position::default(); instruments],
            open: Vec::new(),
        }
    }

    /// Makes room for `instruments`; positions that exist stay.
    pub fn resize(&mut self, instruments: usize) {
        let instruments = instruments.max(self.positions.len());
        self.positions.resize_with(instruments, Position::default);
    }

    /// Books a fill; one that exceeds the position closes it and opens the opposite.
    ///
    /// # Errors
    /// [`NumError::OutOfRange`] when position or wallet leave their range or the instrument is
    /// unknown; nothing has changed then.
    pub fn apply_fill(
        &mut self,
        instrument: InstrumentId,
        fill: &Fill,
    ) -> Result<Booked, NumError> {
        let position = self.positions.get_mut(instrument.index()).ok_or(NumError::OutOfRange)?;
        let (booked, net_qty, cost) = position.book(fill)?;
        let wallet = self.wallet + booked.realised - booked.fee;
        if wallet.abs().to_decimal() > Decimal::from(LARGEST_WALLET) {
            return Err(NumError::OutOfRange);
        }
        position.remember(fill.ts, arrived(fill)?);
        position.net_qty = net_qty;
        position.cost = cost;
        for totals in [&mut position.totals, &mut self.totals] {
            totals.realised += booked.realised;
            totals.fees += booked.fee;
        }
        self.wallet = wallet;
        self.list(instrument, net_qty);
        Ok(booked)
    }

    fn list(&mut self, instrument: InstrumentId, net_qty: SignedQty) {
        match (self.open.binary_search(&instrument), net_qty.is_zero()) {
            (Ok(at), true) => {
                self.open.remove(at);
            }
            (Err(at), false) => self.open.insert(at, instrument),
            _ => {}
        }
    }

    /// Books a settlement and returns what was paid: quantity at the boundary × `mark` × rate,
    /// rounded to 8 decimals half-even, so a long pays a positive rate.
    ///
    /// A boundary at or before the last one booked is paid already and returns zero, so that a
    /// record which arrives twice is booked once.
    pub fn apply_funding(&mut self, settled: &FundingSettled, mark: Price) -> Money {
        let Some(position) = self.positions.get_mut(settled.instrument.index()) else {
            return Money::ZERO;
        };
        if position.funded_until.is_some_and(|last| settled.funding_time <= last) {
            return Money::ZERO;
        }
        position.funded_until = Some(settled.funding_time);
        let net_qty = position.net_qty_at(settled.funding_time);
        let notional = Notional::from_units(signed_notional(mark, net_qty));
        let paid = share_of(notional, settled.rate.normalize());
        position.totals.funding += paid;
        self.totals.funding += paid;
        self.wallet -= paid;
        paid
    }

    /// Books a deposit (positive) or withdrawal (negative); it is no profit.
    pub fn transfer(&mut self, amount: Money) {
        self.wallet += amount;
    }

    /// Balance without unrealised profit.
    #[must_use]
    pub const fn wallet(&self) -> Money {
        self.wallet
    }

    /// Realised profit, fees and funding of all instruments.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The position of an instrument, also when flat; none for an unknown instrument.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Option<&Position> {
        self.positions.get(instrument.index())
    }

    /// Quantity held of an instrument; zero when flat or unknown.
    #[must_use]
    pub fn net_qty(&self, instrument: InstrumentId) -> SignedQty {
        self.position(instrument).map_or(SignedQty::ZERO, Position::net_qty)
    }

    /// Quantity held right before `at`, at most an hour back; fills exactly at `at` do not count.
    #[must_use]
    pub fn net_qty_at(&self, instrument: InstrumentId, at: Timestamp) -> SignedQty {
        self.position(instrument).map_or(SignedQty::ZERO, |position| position.net_qty_at(at))
    }

    /// How many positions are not flat.
    #[must_use]
    pub const fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Positions that are not flat, in the order of their instruments.
    pub fn open_positions(&self) -> impl Iterator<Item = (InstrumentId, &Position)> {
        self.open.iter().filter_map(|id| Some((*id, self.positions.get(id.index())?)))
    }

    /// Profit or loss of a position if it were closed at `price`, before fees.
    #[must_use]
    pub fn unrealised(&self, instrument: InstrumentId, price: Price) -> Money {
        self.position(instrument).map_or(Money::ZERO, |position| position.unrealised(price))
    }

    /// Σ quantity × price of the positions that `price` knows; spot holdings, where it knows only
    /// those.
    #[must_use]
    pub fn holdings(&self, price: impl Fn(InstrumentId) -> Option<Price>) -> Money {
        let value = |(id, position): (_, &Position)| {
            let notional = signed_notional(price(id)?, position.net_qty);
            Some(Notional::from_units(notional).to_money())
        };
        self.open_positions().filter_map(value).sum()
    }

    /// Wallet plus unrealised profit; a position without a price counts at cost.
    #[must_use]
    pub fn equity(&self, price: impl Fn(InstrumentId) -> Option<Price>) -> Money {
        let value = |(id, position): (_, &Position)| Some(position.unrealised(price(id)?));
        self.wallet + self.open_positions().filter_map(value).sum()
    }

    /// Margin that the open positions bind: Σ |quantity| × price ÷ leverage.
    ///
    /// `leverage` is asked for each position's notional; a position without a price binds nothing.
    #[must_use]
    pub fn initial_margin(
        &self,
        price: impl Fn(InstrumentId) -> Option<Price>,
        leverage: impl Fn(InstrumentId, Money) -> u16,
    ) -> Money {
        let margin = |(id, position): (_, &Position)| {
            let notional = price(id)?.notional(position.net_qty.abs()).to_money();
            Some(margin_of(notional, leverage(id, notional)))
        };
        self.open_positions().filter_map(margin).sum()
    }
}

/// Initial margin of a notional: notional ÷ leverage, rounded to 8 decimals half-even.
#[must_use]
pub(crate) fn margin_of(notional: Money, leverage: u16) -> Money {
    Money::round(notional.to_decimal() / Decimal::from(leverage.max(1)))
}

#[cfg(test)]
mod tests;
