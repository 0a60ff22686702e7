//! How long to wait before the next try.
//!
//! Invariant: waits double up to a bound, and spread, so that those who lost the venue at the same
//! moment do not come back at the same moment.

use std::time::Duration;

/// Waits between tries.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
    state: u64,
}

impl Backoff {
    /// `seed` tells this one from others.
    pub(super) fn new(first: Duration, longest: Duration, seed: &str) -> Self {
        // FNV-1a: any spread of the seeds will do.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let state = seed.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        Self { first, longest, tries: 0, state }
    }

    /// The wait before the next try: half of the doubled wait, and up to half of it more.
    pub(super) fn next(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.tries.min(16)).min(self.longest);
        self.tries = self.tries.saturating_add(1);
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let spread = u32::try_from(self.state >> 54).unwrap_or_default();
        full / 2 + full / 2 * spread / 1_024
    }

    /// It worked: the next wait is the first one again.
    pub(super) const fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_bounds_and_differ_by_seed() {
        let second = Duration::from_secs(1);
        let waits = |seed| {
            let mut backoff = Backoff::new(second, 30 * second, seed);
            std::array::from_fn::<_, 10, _>(|_| backoff.next())
        };
        for (n, wait) in (0..).zip(waits("market")) {
            let full = (second * 2_u32.pow(n)).min(30 * second);
            assert!(wait >= full / 2 && wait <= full, "{n}: {wait:?}");
        }
        assert_ne!(waits("market"), waits("public"));
        let mut again = Backoff::new(second, 30 * second, "x");
        for _ in 0..9 {
            again.next();
        }
        again.reset();
        assert!(again.next() <= second);
    }
}
