//! How many tries are allowed.
//!
//! Addresses and e-mails fall into a fixed number of buckets by a hash that nobody outside can
//! foresee. Invariant: an attack from any number of addresses on any number of names takes a
//! bounded amount of memory; two names that share a bucket share its tries, never more.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{Clock, Origin};
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// So many tries at once, then one more each time `every` has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tries at once; 0 counts as 1.
    pub burst: u32,
    /// Time until one more is allowed; nothing counts as a nanosecond.
    pub every: Duration,
}

impl Rate {
    fn quota(self) -> Quota {
        let burst = NonZeroU32::new(self.burst).unwrap_or(NonZeroU32::MIN);
        let every = self.every.max(Duration::from_nanos(1));
        // A period above zero is always a quota; the fallback is one try a second.
        let quota = Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        quota.allow_burst(burst)
    }
}

/// Limits of tries, right or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Logins and registrations from one address (IPv6: from one /64).
    pub address: Rate,
    /// Logins by one e-mail, whether it has a user or not.
    pub account: Rate,
    /// Exchanges of refresh tokens by one user.
    pub refresh: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            address: Rate { burst: 30, every: Duration::from_secs(5) },
            account: Rate { burst: 10, every: Duration::from_secs(30) },
            refresh: Rate { burst: 30, every: Duration::from_secs(10) },
        }
    }
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    /// What was tried too often.
    pub(super) of: &'static str,
    /// When the next try is looked at.
    pub(super) retry_after: Duration,
    /// Whether it is worth a line in the audit log: once a minute for each bucket.
    pub(super) tell: bool,
}

/// Time for the limiters.
#[derive(Clone)]
struct LimitClock(Arc<dyn Clock>);

impl GovernorClock for LimitClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.now().as_nanos()).unwrap_or(0))
    }
}

type Bucket = (&'static str, u16);
type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, LimitClock, NoOpMiddleware<Duration>>;

/// The tries so far.
pub(super) struct Limiters {
    clock: LimitClock,
    hasher: RandomState,
    address: Limiter<Bucket>,
    account: Limiter<Bucket>,
    refresh: Limiter<Bucket>,
    told: Limiter<Bucket>,
}

impl Limiters {
    pub(super) fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let clock = LimitClock(clock);
        let limiter = |rate: Rate| RateLimiter::dashmap_with_clock(rate.quota(), clock.clone());
        Self {
            hasher: RandomState::new(),
            address: limiter(limits.address),
            account: limiter(limits.account),
            refresh: limiter(limits.refresh),
            told: limiter(Rate { burst: 1, every: Duration::from_mins(1) }),
            clock: clock.clone(),
        }
    }

    /// Counts a try from an address.
    pub(super) fn address(&self, from: Origin) -> Result<(), TooMany> {
        match from.address {
            Some(address) => self.count(&self.address, "address", &network(address)),
            None => Ok(()),
        }
    }

    /// Counts a try by an e-mail.
    pub(super) fn account(&self, email: &str) -> Result<(), TooMany> {
        self.count(&self.account, "account", &email)
    }

    /// Counts an exchange by a user.
    pub(super) fn refresh(&self, user: u64) -> Result<(), TooMany> {
        self.count(&self.refresh, "refresh", &user)
    }

    /// Whether something of `user` that may come in floods is worth a line in the audit log now.
    pub(super) fn tell(&self, user: u64) -> bool {
        self.told.check_key(&self.bucket("refused", &user)).is_ok()
    }

    fn bucket(&self, of: &'static str, key: &impl Hash) -> Bucket {
        let [a, b, ..] = self.hasher.hash_one(key).to_le_bytes();
        (of, u16::from_le_bytes([a, b]))
    }

    fn count(
        &self,
        limiter: &Limiter<Bucket>,
        of: &'static str,
        key: &impl Hash,
    ) -> Result<(), TooMany> {
        let bucket = self.bucket(of, key);
        limiter.check_key(&bucket).map_err(|not_until| TooMany {
            of,
            retry_after: not_until.wait_time_from(self.clock.now()),
            tell: self.told.check_key(&bucket).is_ok(),
        })
    }
}

/// Whom an address belongs to: one customer has all addresses of a /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use arb_core::Timestamp;
    use arb_core::time::SECOND;

    use super::*;

    #[derive(Debug, Default)]
    struct TestClock(AtomicU64);

    impl Clock for TestClock {
        fn now(&self) -> Timestamp {
            let seconds = i64::try_from(self.0.load(Ordering::Relaxed)).unwrap();
            Timestamp::from_nanos(seconds * SECOND)
        }

        fn wait(&self, _until: Timestamp) -> Duration {
            Duration::ZERO
        }
    }

    fn limiters() -> (Limiters, Arc<TestClock>) {
        let clock = Arc::new(TestClock::default());
        clock.0.store(1_000, Ordering::Relaxed);
        let rate = Rate { burst: 2, every: Duration::from_secs(10) };
        let limits = Limits { address: rate, account: rate, refresh: rate };
        (Limiters::new(limits, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    #[test]
    fn a_burst_passes_then_one_in_each_period() {
        let (limiters, clock) = limiters();
        limiters.account("a@x").unwrap();
        limiters.account("a@x").unwrap();
        let refused = limiters.account("a@x").unwrap_err();
        let retry_after = Duration::from_secs(10);
        assert_eq!(refused, TooMany { of: "account", retry_after, tell: true });
        assert!(!limiters.account("a@x").unwrap_err().tell, "told once a minute");
        clock.0.fetch_add(10, Ordering::Relaxed);
        limiters.account("a@x").unwrap();
        limiters.account("a@x").unwrap_err();
        clock.0.fetch_add(60, Ordering::Relaxed);
        limiters.account("a@x").unwrap();
        limiters.account("a@x").unwrap();
        assert!(limiters.account("a@x").unwrap_err().tell);
    }

    #[test]
    fn a_clock_that_steps_back_only_delays() {
        let (limiters, clock) = limiters();
        limiters.refresh(7).unwrap();
        limiters.refresh(7).unwrap();
        clock.0.fetch_sub(500, Ordering::Relaxed);
        limiters.refresh(7).unwrap_err();
        clock.0.fetch_add(520, Ordering::Relaxed);
        limiters.refresh(7).unwrap();
    }

    #[test]
    fn one_customer_has_one_limit_whatever_address_it_takes() {
        let (limiters, _clock) = limiters();
        let from = |text: &str| Origin { address: Some(text.parse().unwrap()) };
        limiters.address(from("2001:db8:1:2::1")).unwrap();
        limiters.address(from("2001:db8:1:2:ffff::9")).unwrap();
        limiters.address(from("2001:db8:1:2:3::1")).unwrap_err();
        limiters.address(from("192.0.2.1")).unwrap();
        limiters.address(from("::ffff:192.0.2.1")).unwrap();
        limiters.address(from("192.0.2.1")).unwrap_err();
        for _ in 0..9 {
            limiters.address(Origin::default()).unwrap();
        }
    }

    #[test]
    fn memory_is_bounded_whatever_is_tried() {
        let (limiters, _clock) = limiters();
        for name in 0..200_000_u32 {
            let _ = limiters.account(&name.to_string());
        }
        assert!(limiters.account.len() <= 65_536, "{}", limiters.account.len());
        assert!(limiters.told.len() <= 65_536, "{}", limiters.told.len());
    }
}
