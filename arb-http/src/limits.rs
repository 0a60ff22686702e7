//! How often an address may try what costs or guesses.
//!
//! Invariant: calls without an address come from inside the process and are not limited; the table
//! of addresses forgets those that have been quiet.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use arb_core::port::Origin;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::error::ApiError;
use crate::host::HttpOptions;

/// Calls after which quiet addresses are forgotten.
const SWEEP_EVERY: u32 = 1_024;

/// The limits of one host.
pub(crate) struct Limits {
    logins: PerAddress,
    refused: PerAddress,
}

impl Limits {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        Self {
            logins: PerAddress::new(options.logins_per_minute),
            refused: PerAddress::new(options.refused_tokens_per_minute),
        }
    }

    /// Counts a call that compares a password or a refresh token.
    pub(crate) fn login(&self, from: Origin) -> Result<(), ApiError> {
        self.logins.count(from)
    }

    /// Counts a token that was refused.
    pub(crate) fn refused_token(&self, from: Origin) -> Result<(), ApiError> {
        self.refused.count(from)
    }
}

struct PerAddress {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    calls: AtomicU32,
}

impl PerAddress {
    fn new(per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self { limiter: RateLimiter::keyed(quota), calls: AtomicU32::new(0) }
    }

    fn count(&self, from: Origin) -> Result<(), ApiError> {
        let Some(address) = from.address else { return Ok(()) };
        if self.calls.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&network(address)).map_err(|refused| ApiError::Limited {
            retry_after: refused.wait_time_from(DefaultClock::default().now()),
        })
    }
}

/// One customer has a whole /64 of IPv6, so that is what counts as an address.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Origin {
        Origin { address: Some(address.parse().unwrap()) }
    }

    #[test]
    fn an_address_has_its_own_budget() {
        let limits = Limits::new(&HttpOptions { logins_per_minute: 2, ..HttpOptions::default() });
        for _ in 0..2 {
            limits.login(from("192.0.2.1")).unwrap();
        }
        let refused = limits.login(from("192.0.2.1")).unwrap_err();
        assert!(matches!(refused, ApiError::Limited { retry_after } if !retry_after.is_zero()));
        limits.login(from("192.0.2.2")).unwrap();
        limits.login(Origin::default()).unwrap();
    }

    #[test]
    fn addresses_of_one_network_of_six_count_together() {
        let limits = Limits::new(&HttpOptions { logins_per_minute: 1, ..HttpOptions::default() });
        limits.login(from("2001:db8:1:2::1")).unwrap();
        limits.login(from("2001:db8:1:2:ffff::1")).unwrap_err();
        limits.login(from("2001:db8:1:3::1")).unwrap();
    }
}
