//! The newest rates of every instrument, as events tell them.
//!
//! Invariant: a field is the last thing that was said about it; what was never said is absent.

use arb_core::port::RateSnapshot;
use arb_core::{Decimal, Event, EventKind, InputValue, InstrumentId, Mark, Timestamp};

/// A ten-thousandth of a basis point.
const BASIS_DECIMALS: u32 = 8;

/// The newest rates of an instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    mark: Option<Mark>,
    funding_rate: Option<Decimal>,
    interval_hours: Option<u8>,
    next_funding_at: Option<Timestamp>,
}

/// The newest rates by instrument.
#[derive(Clone, Debug, Default)]
pub(super) struct RateBoard {
    rates: Vec<Rates>,
}

impl RateBoard {
    /// Remembers what an event says about rates.
    #[inline]
    pub(super) fn watch(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Mark(mark) => self.of(mark.instrument).mark = Some(*mark),
            EventKind::Input(input) => {
                let rates = self.of(input.instrument);
                match input.value {
                    InputValue::FundingRate(rate) => rates.funding_rate = Some(rate),
                    InputValue::FundingIntervalHours(hours) => rates.interval_hours = Some(hours),
                    InputValue::NextFundingAt(at) => rates.next_funding_at = Some(at),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn of(&mut self, instrument: InstrumentId) -> &mut Rates {
        let index = instrument.index();
        if self.rates.len() <= index {
            self.rates.resize(index + 1, Rates::default());
        }
        self.rates.get_mut(index).unwrap_or_else(|| unreachable!("it was made a moment ago"))
    }

    /// The rates of every instrument that has a mark price, by id; `basis` tells what can be traded.
    pub(super) fn snapshots(
        &self,
        at: Timestamp,
        basis: impl Fn(InstrumentId) -> Option<Decimal>,
    ) -> impl Iterator<Item = RateSnapshot> {
        let all = (0..).map(InstrumentId).zip(&self.rates);
        all.filter_map(move |(instrument, rates)| {
            let mark = rates.mark?;
            Some(RateSnapshot {
                instrument,
                at,
                mark_price: mark.mark_price,
                index_price: mark.index_price,
                funding_rate: rates.funding_rate,
                funding_interval_hours: rates.interval_hours,
                next_funding_at: rates.next_funding_at,
                tradable_basis: basis(instrument).map(|basis| basis.round_dp(BASIS_DECIMALS)),
            })
        })
    }
}
