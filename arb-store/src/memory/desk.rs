//! What nodes show of themselves, and requests to them.

use std::collections::BTreeMap;
use std::time::Duration;

use arb_core::port::{
    Answer, CommandStore, Cursor, DeskStore, NewRequest, RequestState, Shown, StoredRequest,
    TakenRequest,
};
use arb_core::time::nanos;
use arb_core::{StoreError, Timestamp};
use async_trait::async_trait;

use super::{MemoryStore, State, now};

#[derive(Debug, Default)]
pub(super) struct Desk {
    shown: BTreeMap<String, Shown>,
    /// In the order in which they were asked.
    requests: Vec<StoredRequest>,
}

impl Desk {
    fn find(&mut self, id: &str) -> Option<&mut StoredRequest> {
        self.requests.iter_mut().find(|request| request.id == id)
    }

    fn of<'a>(&'a mut self, stream: &'a str) -> impl Iterator<Item = &'a mut StoredRequest> {
        self.requests.iter_mut().filter(move |request| request.stream == stream)
    }
}

/// Ends a request that nobody took in time.
fn expire(request: &mut StoredRequest, now: Timestamp) {
    if request.state == RequestState::Waiting && request.expires_at <= now {
        request.state = RequestState::Answered(Answer::Expired);
    }
}

fn check_lease(state: &State, stream: &str, epoch: u64) -> Result<(), StoreError> {
    let current = state.leases.get(stream).map_or(0, |lease| lease.epoch);
    if epoch == current {
        return Ok(());
    }
    Err(StoreError::Fenced { stream: stream.to_owned(), epoch, current })
}

#[async_trait]
impl DeskStore for MemoryStore {
    async fn show(&self, stream: &str, shown: &Shown) -> Result<(), StoreError> {
        let mut state = self.state();
        let before = state.desk.shown.get(stream).map(|before| before.cursor);
        let leased = state.leases.get(stream).map_or(0, |lease| lease.epoch);
        let current = leased.max(before.map_or(0, |before| before.epoch));
        let epoch = shown.cursor.epoch;
        if epoch < current {
            return Err(StoreError::Fenced { stream: stream.to_owned(), epoch, current });
        }
        if before.is_none_or(|before| before < shown.cursor) {
            let mut kept = shown.clone();
            kept.view.rates = std::sync::Arc::from([]);
            state.desk.shown.insert(stream.to_owned(), kept);
        }
        Ok(())
    }

    async fn shown(&self, stream: &str, newer_than: Cursor) -> Result<Option<Shown>, StoreError> {
        let state = self.state();
        Ok(state.desk.shown.get(stream).filter(|shown| shown.cursor > newer_than).cloned())
    }
}

#[async_trait]
impl CommandStore for MemoryStore {
    async fn ask(&self, new: &NewRequest) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(old) = state.desk.find(&new.id) {
            let same = (&old.stream, &old.asked_by, &old.request)
                == (&new.stream, &new.asked_by, &new.request);
            let what = "is another request; every request needs an id of its own".to_owned();
            let (table, key) = ("desk_requests", new.id.clone());
            return if same { Ok(()) } else { Err(StoreError::Conflict { table, key, what }) };
        }
        let asked_at = now();
        state.desk.requests.push(StoredRequest {
            id: new.id.clone(),
            stream: new.stream.clone(),
            asked_by: new.asked_by.clone(),
            request: new.request.clone(),
            asked_at,
            expires_at: asked_at.plus(nanos(new.valid_for)),
            state: RequestState::Waiting,
        });
        Ok(())
    }

    async fn take(
        &self,
        stream: &str,
        epoch: u64,
        limit: usize,
    ) -> Result<Vec<TakenRequest>, StoreError> {
        let (mut state, now) = (self.state(), now());
        check_lease(&state, stream, epoch)?;
        state.desk.of(stream).for_each(|request| expire(request, now));
        let waiting = state.desk.of(stream).filter(|r| r.state == RequestState::Waiting);
        let take = |stored: &mut StoredRequest| {
            stored.state = RequestState::Taken { epoch };
            let left = u64::try_from(stored.expires_at.since(now)).unwrap_or(0);
            let (id, request) = (stored.id.clone(), stored.request.clone());
            TakenRequest { id, request, left: Duration::from_nanos(left) }
        };
        Ok(waiting.take(limit).map(take).collect())
    }

    async fn lose(&self, stream: &str, epoch: u64) -> Result<u64, StoreError> {
        let mut state = self.state();
        check_lease(&state, stream, epoch)?;
        let mut lost = 0;
        for request in state.desk.of(stream) {
            if matches!(request.state, RequestState::Taken { .. }) {
                request.state = RequestState::Answered(Answer::Lost);
                lost += 1;
            }
        }
        Ok(lost)
    }

    async fn answer(&self, id: &str, epoch: u64, answer: &Answer) -> Result<bool, StoreError> {
        let mut state = self.state();
        let taken = RequestState::Taken { epoch };
        let Some(request) = state.desk.find(id).filter(|request| request.state == taken) else {
            return Ok(false);
        };
        request.state = RequestState::Answered(answer.clone());
        Ok(true)
    }

    async fn withdraw(&self, id: &str) -> Result<Option<RequestState>, StoreError> {
        let mut state = self.state();
        let Some(request) = state.desk.find(id) else { return Ok(None) };
        expire(request, now());
        if request.state == RequestState::Waiting {
            request.state = RequestState::Answered(Answer::Withdrawn);
        }
        Ok(Some(request.state.clone()))
    }

    async fn request(&self, id: &str) -> Result<Option<StoredRequest>, StoreError> {
        let mut state = self.state();
        let Some(request) = state.desk.find(id) else { return Ok(None) };
        expire(request, now());
        Ok(Some(request.clone()))
    }
}
