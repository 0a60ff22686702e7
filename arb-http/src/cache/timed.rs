//! Answers that may be some seconds old.
//!
//! Invariant: of callers who ask the same at the same time, one computes and the others wait; the
//! number of remembered answers is bounded.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Finished;
use crate::error::ApiError;

/// Remembered answers at most.
const MOST: usize = 256;

type Slot = Arc<Mutex<Option<(Instant, Arc<Finished>)>>>;

/// Answers by what was asked.
#[derive(Debug, Default)]
pub(crate) struct TimedCache {
    slots: Lock<BTreeMap<String, (Instant, Slot)>>,
}

impl TimedCache {
    /// The answer to `asked`, at most `ttl` old.
    pub(crate) async fn of<T: Serialize>(
        &self,
        asked: String,
        ttl: Duration,
        compute: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<Arc<Finished>, ApiError> {
        let slot = self.slot(asked);
        let mut newest = slot.lock().await;
        if let Some((at, finished)) = &*newest
            && at.elapsed() < ttl
        {
            return Ok(Arc::clone(finished));
        }
        let finished = Arc::new(Finished::json(&compute.await?)?);
        *newest = Some((Instant::now(), Arc::clone(&finished)));
        Ok(finished)
    }

    /// The place of an answer; the one that was asked for longest ago makes room.
    fn slot(&self, asked: String) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots.contains_key(&asked) && slots.len() >= MOST {
            let oldest = slots.iter().min_by_key(|(_, (used, _))| *used);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.map(|key| slots.remove(&key));
        }
        let (used, slot) = slots.entry(asked).or_insert_with(|| (Instant::now(), Slot::default()));
        *used = Instant::now();
        Arc::clone(slot)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_computed_again_when_its_time_is_over() {
        let (cache, runs) = (TimedCache::default(), AtomicU32::new(0));
        let ask = || async {
            let compute = async { Ok(runs.fetch_add(1, Ordering::Relaxed)) };
            cache.of("a".to_owned(), Duration::from_secs(60), compute).await.unwrap()
        };
        let (first, second) = tokio::join!(ask(), ask());
        assert!(Arc::ptr_eq(&first, &second));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(Arc::ptr_eq(&first, &ask().await));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!Arc::ptr_eq(&first, &ask().await));
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_remembered() {
        let cache = TimedCache::default();
        let fails = async { Err::<u8, _>(ApiError::Busy) };
        cache.of("a".to_owned(), Duration::from_secs(60), fails).await.unwrap_err();
        cache.of("a".to_owned(), Duration::from_secs(60), async { Ok(1) }).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_longest_ago_makes_room() {
        let cache = TimedCache::default();
        for asked in 0..2 * MOST {
            tokio::time::advance(Duration::from_millis(1)).await;
            let ttl = Duration::from_secs(60);
            cache.of(asked.to_string(), ttl, async { Ok(asked) }).await.unwrap();
        }
        let slots = cache.slots.lock().unwrap();
        assert_eq!(slots.len(), MOST);
        assert!(slots.contains_key(&(2 * MOST - 1).to_string()));
    }
}
