//! The store's upkeep, once at the start and every hour of venue time.
//!
//! Invariant: it never stops the node. What fails is logged and tried again an hour later; what is
//! removed is only what [`KeepDays`] names, which is nothing unless somebody said so.

use std::sync::Arc;

use arb_core::port::{Clock, KeepDays, Upkeep, UpkeepReport};
use arb_core::time::HOUR;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Keeps a store up; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    reports: watch::Receiver<Option<UpkeepReport>>,
    _task: JoinSet<()>,
}

impl Keeper {
    /// Begins at once.
    pub(super) fn start<S: Upkeep + 'static>(
        store: Arc<S>,
        clock: Arc<dyn Clock>,
        keep: KeepDays,
    ) -> Self {
        let (told, reports) = watch::channel(None);
        let mut task = JoinSet::new();
        task.spawn(keep_up(store, clock, keep, told));
        Self { reports, _task: task }
    }

    /// What each upkeep did.
    pub(super) fn reports(&self) -> watch::Receiver<Option<UpkeepReport>> {
        self.reports.clone()
    }
}

async fn keep_up<S: Upkeep + 'static>(
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    keep: KeepDays,
    told: watch::Sender<Option<UpkeepReport>>,
) {
    loop {
        let now = clock.now();
        // A task of its own, so that its panic is an error here.
        let mut work = JoinSet::new();
        let store = Arc::clone(&store);
        work.spawn(async move { store.upkeep(now, keep).await });
        match work.join_next().await {
            Some(Ok(Ok(report))) => {
                log(&report);
                told.send_replace(Some(report));
            }
            Some(Ok(Err(error))) => {
                tracing::warn!(%error, "the store's upkeep failed and is tried again in an hour");
            }
            Some(Err(died)) => {
                tracing::error!(%died, "the store's upkeep died and is tried again in an hour");
            }
            None => {}
        }
        tokio::time::sleep(clock.wait(now.plus(HOUR))).await;
    }
}

fn log(report: &UpkeepReport) {
    let UpkeepReport { sealed, removed_trades, removed_rows } = report;
    tracing::info!(
        "upkeep: {sealed} trades sealed, {removed_trades} trades and {removed_rows} other rows \
         removed for their age"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
    use std::time::Duration;

    use arb_core::port::CheckReport;
    use arb_core::{StoreError, Timestamp};
    use async_trait::async_trait;

    use super::*;

    /// A clock on which an hour has passed whenever somebody waits for it.
    #[derive(Debug, Default)]
    struct Hours(AtomicI64);

    impl Clock for Hours {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(self.0.load(Ordering::Relaxed))
        }

        fn wait(&self, until: Timestamp) -> Duration {
            self.0.store(until.as_nanos(), Ordering::Relaxed);
            Duration::ZERO
        }
    }

    /// A store whose first upkeep fails and whose second one dies.
    #[derive(Debug, Default)]
    struct Weak(AtomicU64);

    #[async_trait]
    impl Upkeep for Weak {
        async fn upkeep(&self, now: Timestamp, _: KeepDays) -> Result<UpkeepReport, StoreError> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(StoreError::Unavailable("locked".into())),
                1 => panic!("a broken invariant"),
                _ => {
                    Ok(UpkeepReport { sealed: now.as_nanos().unsigned_abs(), ..Default::default() })
                }
            }
        }

        async fn check(&self) -> Result<CheckReport, StoreError> {
            Ok(CheckReport::default())
        }
    }

    #[tokio::test]
    async fn an_upkeep_that_fails_or_dies_is_tried_again_each_hour() {
        let keeper = Keeper::start(
            Arc::new(Weak::default()),
            Arc::new(Hours::default()),
            KeepDays::default(),
        );
        let mut reports = keeper.reports();
        let hour = HOUR.unsigned_abs();
        let third = reports.wait_for(|report| report.is_some_and(|r| r.sealed >= 2 * hour)).await;
        assert!(third.unwrap().unwrap().sealed.is_multiple_of(hour));
    }
}
