//! What ends open carry pairs or makes them smaller, at every tick.
//!
//! Invariant: both legs go together; a limit never sends one of them alone.

use rust_decimal::Decimal;

use crate::engine::Core;
use crate::instrument::{InstrumentId, TradingStatus};
use crate::num::{Price, Qty, Round};
use crate::output::Output;
use crate::risk::{Rule, Trip};
use crate::time::MINUTE;

impl Core {
    /// What a tick does for every pair: its limits, then its next step.
    pub(in crate::engine) fn watch_pairs(&mut self, out: &mut Vec<Output>) {
        if self.carry.open().next().is_none() {
            return;
        }
        self.keep_distance(out);
        for index in 0..self.carry.pairs.len() {
            let perp = InstrumentId(u16::try_from(index).unwrap_or(u16::MAX));
            if self.carry.pair(perp).is_none() {
                continue;
            }
            if let Some(reason) = self.must_close(perp) {
                self.close_pair(perp, reason, out);
            }
            self.advance_pair(perp, out);
        }
    }

    /// The limit that ends a pair, if one does.
    fn must_close(&self, perp: InstrumentId) -> Option<&'static str> {
        let pair = self.carry.pair(perp)?;
        let status = |id: InstrumentId| self.markets.get(id.index()).map(|m| m.spec().status);
        let stopped = [perp, pair.plan.spot]
            .into_iter()
            .any(|id| status(id) == Some(TradingStatus::NotTrading));
        if stopped || self.is_near_delivery(perp, self.now) {
            return Some("delisting");
        }
        let prices = self.pair_prices(&pair.plan)?;
        let per_coin = prices.spot_bid.to_decimal() * Decimal::from(pair.plan.lots.multiplier);
        let now = prices.perp_ask.to_decimal().checked_div(per_coin)? - Decimal::ONE;
        let loss = now * Decimal::from(10_000) - pair.entry_basis_bps()?;
        (loss > self.config.risk.carry.max_basis_loss_bps).then_some("basis_loss")
    }

    /// Sells both legs down while liquidation is too near. Coins that are not margin cannot help,
    /// and what is not spent on coins is margin already, so there is nothing to transfer.
    fn keep_distance(&mut self, out: &mut Vec<Output>) {
        let account = self.account();
        let short = self.carry_exposure().short.to_decimal();
        let free = (account.margin_balance - account.maintenance).to_decimal();
        let Some(distance) = free.checked_div(short) else { return };
        let limits = self.config.risk.carry;
        if distance > limits.reduce_distance {
            return;
        }
        let recent = self.carry.halved_at.is_some_and(|at| self.now.since(at) < MINUTE);
        if recent {
            return;
        }
        let halve = distance <= limits.halve_distance;
        self.carry.halved_at = Some(self.now);
        for pair in self.carry.pairs.iter_mut().flatten() {
            let held = pair.contracts();
            let lot = pair.plan.lots.common_contracts();
            let half = Qty::from_units(held.units() / 2).unwrap_or_default();
            let slice = pair.plan.lots.slice(
                held,
                self.markets
                    .get(pair.plan.perp.index())
                    .and_then(|market| market.ask(self.now))
                    .unwrap_or(Price::ZERO),
                limits.max_slice_notional,
            );
            let less = if halve { half } else { held.saturating_sub(slice.unwrap_or(held)) };
            match less.round_to_lot(lot, Round::Down).unwrap_or_default() {
                Qty::ZERO => pair.close("liquidation_distance"),
                less => pair.shrink(less),
            }
        }
        let (limit, actual) = (limits.reduce_distance, distance);
        let trip = Trip { rule: Rule::LiquidationDistance, limit, actual };
        self.risk_note(Some(trip), "carry pairs are made smaller".to_owned(), out);
    }
}
