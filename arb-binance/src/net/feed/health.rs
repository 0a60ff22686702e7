//! What the engine must know of the feed itself: how long it has been silent, what a USDT is worth.
//!
//! Invariant: silence is told from the first second on, again each second while it is long, and
//! once when it ends; the peg once a second when it changed. Quiet times put nothing in the log.

use arb_core::time::SECOND;
use arb_core::{Decimal, EventKind, Health, Price, Timestamp};

/// Silence below this is the usual pause between two frames, milliseconds.
const USUAL_MS: u32 = 1_500;

/// What was told of the feed's health.
#[derive(Clone, Debug, Default)]
pub(super) struct FeedHealth {
    told_ms: Option<u32>,
    peg: Option<Decimal>,
    told_peg: Option<Decimal>,
}

impl FeedHealth {
    /// Takes the best prices of USDT in USD.
    pub(super) fn tether(&mut self, bid: Price, ask: Price) {
        self.peg = Some((bid.to_decimal() + ask.to_decimal()) / Decimal::TWO);
    }

    /// To be called once a second; `last_frame` is the oldest of the newest frames of the lines
    /// that carry perpetuals, none where there are no such lines.
    pub(super) fn tell(
        &mut self,
        last_frame: Option<Timestamp>,
        now: Timestamp,
        out: &mut Vec<EventKind>,
    ) {
        if let Some(last) = last_frame {
            let silent = now.since(last).max(0) / (SECOND / 1_000);
            let silent_ms = u32::try_from(silent).unwrap_or(u32::MAX);
            let was_long = self.told_ms.is_none_or(|told| told > USUAL_MS);
            if was_long || silent_ms > USUAL_MS {
                self.told_ms = Some(silent_ms);
                out.push(EventKind::Health(Health::Connection { silent_ms }));
            }
        }
        if let Some(peg) = self.peg.filter(|peg| self.told_peg != Some(*peg)) {
            self.told_peg = Some(peg);
            out.push(EventKind::Health(Health::Peg(peg)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    #[test]
    fn silence_is_told_at_first_while_it_lasts_and_when_it_ends() {
        let mut health = FeedHealth::default();
        let mut told = |last, now| {
            let mut out = Vec::new();
            health.tell(Some(at(last)), at(now), &mut out);
            out.iter()
                .map(|kind| match kind {
                    EventKind::Health(Health::Connection { silent_ms }) => *silent_ms,
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<u32>>()
        };
        assert_eq!(told(900, 1_000), [100], "so that the rule is on");
        assert!(told(1_900, 2_000).is_empty() && told(2_000, 3_500).is_empty());
        assert_eq!(told(2_000, 5_000), [3_000]);
        assert_eq!(told(2_000, 7_001), [5_001]);
        assert_eq!(told(7_900, 8_000), [100], "it ended");
        assert!(told(8_900, 9_000).is_empty());
    }

    #[test]
    fn the_peg_is_told_when_it_changes() {
        let mut health = FeedHealth::default();
        let mut out = Vec::new();
        health.tell(None, at(0), &mut out);
        assert!(out.is_empty(), "nothing is known yet");
        let price = |text: &str| text.parse::<Price>().unwrap();
        for (bid, ask) in [("0.9998", "1.0000"), ("0.9998", "1.0000"), ("0.9942", "0.9944")] {
            health.tether(price(bid), price(ask));
            health.tell(None, at(1_000), &mut out);
        }
        let pegs =
            ["0.9999", "0.9943"].map(|text| EventKind::Health(Health::Peg(text.parse().unwrap())));
        assert_eq!(out, pegs);
    }
}
