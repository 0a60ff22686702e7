//! Asking the node through the store.
//!
//! Invariant: a request ends in one answer, or its asker is told that the outcome is unknown; one
//! that was not taken is withdrawn before its asker is told so.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arb_core::StoreError;
use arb_core::port::{Answer, NewRequest, Receipt, Request, RequestState};
use tokio::time::Instant;

use super::StoredDesk;

/// Time between two looks for an answer.
const EVERY: Duration = Duration::from_millis(100);
/// How long an answered command is waited for in what is shown.
const SETTLE: Duration = Duration::from_secs(3);

impl StoredDesk {
    /// Enters a request and waits for its end, within bounds.
    pub(super) async fn ask(&self, request: Request) -> Result<Answer, StoreError> {
        let options = &self.shared.options;
        let new = NewRequest {
            id: self.next_id(),
            stream: options.stream.clone(),
            asked_by: options.asked_by.clone(),
            request,
            valid_for: options.valid_for.max(options.patience),
        };
        if let Err(error) = options.store.ask(&new).await {
            // It may have been entered all the same.
            let _ = options.store.withdraw(&new.id).await;
            return Err(error);
        }
        let answer = match self.answer(&new.id).await {
            Some(answer) => answer,
            None => self.give_up(&new.id).await?,
        };
        if let Answer::Done(receipt) = answer {
            self.settle(receipt).await;
        }
        Ok(answer)
    }

    /// Waits for an answer; none when the patience is over.
    async fn answer(&self, id: &str) -> Option<Answer> {
        let options = &self.shared.options;
        let until = Instant::now() + options.patience;
        loop {
            // A store that cannot be read now may be read before the patience is over.
            if let Ok(Some(stored)) = options.store.request(id).await
                && let RequestState::Answered(answer) = stored.state
            {
                return Some(answer);
            }
            if Instant::now() >= until {
                return None;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Withdraws a request; one that a node has taken meanwhile is waited for once more.
    async fn give_up(&self, id: &str) -> Result<Answer, StoreError> {
        let unknown = |why: &str| {
            let what =
                format!("{why}: whether it was done is unknown; look at what the node shows");
            Err(StoreError::Unavailable(what.into()))
        };
        match self.shared.options.store.withdraw(id).await? {
            Some(RequestState::Answered(answer)) => Ok(answer),
            Some(RequestState::Taken { .. }) => match self.answer(id).await {
                Some(answer) => Ok(answer),
                None => unknown("the node has taken it and does not answer"),
            },
            Some(RequestState::Waiting) | None => unknown("the store has lost it"),
        }
    }

    /// Waits, within bounds, until what is shown includes a record: who gave a command looks next
    /// at what came of it.
    async fn settle(&self, receipt: Receipt) {
        let settled = async {
            while self.shared.seen().view.seq < receipt.seq {
                self.refresh().await;
                tokio::time::sleep(EVERY).await;
            }
        };
        // The receipt is good without it.
        let _ = tokio::time::timeout(SETTLE, settled).await;
    }

    /// Why nothing was done, in words.
    pub(super) fn why(&self, answer: &Answer) -> String {
        let secs = self.shared.options.patience.as_secs_f64();
        match answer {
            Answer::Lost => {
                "the node that took it ended before it answered: whether it was done is \
                             unknown; look at what the node shows"
                    .to_owned()
            }
            _ => format!(
                "no node has taken it within {secs} s, and none will: is `arb run` up on this store?"
            ),
        }
    }

    /// An id that no other asker uses: the process, its moment, a count.
    fn next_id(&self) -> String {
        let count = self.shared.asked.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let process = std::process::id();
        format!("{}-{process}-{}-{count}", self.shared.options.asked_by, since.as_nanos())
    }
}
