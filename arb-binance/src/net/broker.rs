//! The budget of an address, shared by all tasks.
//!
//! Invariant: nothing is sent that was not granted here, and a refusal for too many requests stops
//! all tasks at once, not only the one that met it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arb_core::port::Clock;
use arb_core::{Timestamp, VenueError};

use crate::budget::{Budget, Cost, Limits, Pool, Priority, RateLimited, Verdict};

/// Hands out requests.
#[derive(Debug)]
pub struct Broker {
    budget: Mutex<Budget>,
    clock: Arc<dyn Clock>,
}

impl Broker {
    /// A broker of which nothing is used.
    #[must_use]
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self { budget: Mutex::new(Budget::new(limits)), clock }
    }

    /// A count is right whoever panicked beside it.
    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the request may be sent.
    ///
    /// # Errors
    /// [`VenueError::Rejected`] for a request that no budget of this size can ever grant.
    pub async fn acquire(&self, cost: Cost, priority: Priority) -> Result<(), VenueError> {
        loop {
            let verdict = self.budget().request(cost, priority, self.clock.now());
            match verdict {
                Verdict::Granted => return Ok(()),
                // At least a little, so that a clock that stands still does not spin.
                Verdict::Wait(until) => {
                    let wait = self.clock.wait(until).max(Duration::from_millis(1));
                    tokio::time::sleep(wait).await;
                }
                Verdict::TooLarge => {
                    let reason = format!("a weight of {} is above the limit", cost.weight);
                    return Err(VenueError::Rejected { code: -1003, reason });
                }
            }
        }
    }

    /// Takes the limits that `exchangeInfo` names.
    pub fn set_limits(&self, limits: Limits) {
        self.budget().set_limits(limits);
    }

    /// What of a pool is used, and its limit.
    #[must_use]
    pub fn used(&self, pool: Pool) -> (u32, u32) {
        self.budget().used(pool, self.clock.now())
    }

    /// When the present stop ends; none while there is none.
    #[must_use]
    pub fn stopped_until(&self) -> Option<Timestamp> {
        self.budget().stopped_until(self.clock.now())
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(super) fn used_weight(&self, used: u32) {
        self.budget().used_weight(used, self.clock.now());
    }

    pub(super) fn limited(&self, how: RateLimited, named: Option<Duration>) {
        let now = self.clock.now();
        let named = named.map(|wait| now.plus(arb_core::time::nanos(wait)));
        self.budget().limited(how, named, now);
    }
}
