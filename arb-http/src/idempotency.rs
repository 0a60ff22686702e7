//! Requests that may come twice and must act once.
//!
//! Invariant: of requests of one caller with one key to one address, one acts and all get its
//! answer; another body under the same key is refused. What failed inside may be tried again. The
//! memory is bounded, and lost with the process, like the connection whose retry it serves.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use arb_core::port::Principal;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::ApiError;
use crate::host::HttpOptions;

/// The header.
const NAME: &str = "idempotency-key";
pub(crate) const KEY: HeaderName = HeaderName::from_static(NAME);
/// Tells that the answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST_KEY: usize = 255;

type Identity = (u64, &'static str, String);
type Answer = Arc<Mutex<Option<(StatusCode, Bytes)>>>;

/// Answers by who asked what under which key.
#[derive(Debug)]
pub(crate) struct Idempotency {
    known: Lock<Known>,
    most: usize,
    ttl: Duration,
}

#[derive(Debug, Default)]
struct Known {
    answers: BTreeMap<Identity, (Instant, [u8; 32], Answer)>,
    /// Oldest first.
    order: VecDeque<(Instant, Identity)>,
}

/// One request that acts.
pub(crate) struct Act<'a> {
    pub(crate) who: &'a Principal,
    /// What it does, such as `pause`.
    pub(crate) action: &'static str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Idempotency {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let most = options.max_idempotency_keys.max(1);
        Self { known: Lock::default(), most, ttl: options.idempotency_ttl }
    }

    /// Acts, or tells what an earlier request of this key was told.
    pub(crate) async fn once(
        &self,
        act: Act<'_>,
        run: impl Future<Output = Result<Response, ApiError>>,
    ) -> Result<Response, ApiError> {
        let Some(key) = key(act.headers)? else { return run.await };
        let hash: [u8; 32] = Sha256::digest(act.body).into();
        let answer = self.answer((act.who.user, act.action, key), hash)?;
        // Whoever comes second waits here for the first one's answer.
        let mut answer = answer.lock().await;
        if let Some((status, bytes)) = &*answer {
            return Ok(replayed(*status, bytes.clone()));
        }
        let response = match run.await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        };
        if response.status().is_server_error() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.map_err(ApiError::internal)?;
        *answer = Some((parts.status, bytes.clone()));
        Ok(Response::from_parts(parts, Body::from(bytes)))
    }

    fn answer(&self, identity: Identity, hash: [u8; 32]) -> Result<Answer, ApiError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        known.forget(now, self.ttl, self.most);
        if let Some((_, given, answer)) = known.answers.get(&identity) {
            if *given != hash {
                let text = "was used with another body; a new request needs a new key";
                return Err(ApiError::flaw("header", NAME, text));
            }
            return Ok(Arc::clone(answer));
        }
        let answer = Answer::default();
        known.order.push_back((now, identity.clone()));
        known.answers.insert(identity, (now, hash, Arc::clone(&answer)));
        Ok(answer)
    }
}

impl Known {
    /// Forgets what is too old, and the oldest where one more would be too many.
    fn forget(&mut self, now: Instant, ttl: Duration, most: usize) {
        while let Some((at, _)) = self.order.front() {
            if now.duration_since(*at) < ttl && self.order.len() < most {
                break;
            }
            if let Some((_, identity)) = self.order.pop_front() {
                self.answers.remove(&identity);
            }
        }
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=LONGEST_KEY).contains(&text.len()));
    let wrong = || {
        let text = format!("1 to {LONGEST_KEY} visible ASCII characters are allowed");
        ApiError::flaw("header", NAME, text)
    };
    text.map(|text| Some(text.to_owned())).ok_or_else(wrong)
}

fn replayed(status: StatusCode, bytes: Bytes) -> Response {
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use arb_core::port::UserRole;
    use axum::Json;

    use super::*;

    fn who(user: u64) -> Principal {
        Principal { user, email: String::new(), role: UserRole::Trader, key: None }
    }

    fn keyed(key: &str) -> HeaderMap {
        HeaderMap::from_iter([(KEY, key.parse().unwrap())])
    }

    async fn act(
        memory: &Idempotency,
        (user, key, body): (u64, &str, &'static str),
        runs: &AtomicU32,
    ) -> Result<String, ApiError> {
        let (who, headers) = (who(user), keyed(key));
        let act = Act { who: &who, action: "pause", headers: &headers, body: body.as_bytes() };
        let run = async {
            tokio::task::yield_now().await;
            Ok(Json(runs.fetch_add(1, Ordering::Relaxed)).into_response())
        };
        let response = memory.once(act, run).await?;
        let bytes = axum::body::to_bytes(response.into_body(), 99).await.unwrap();
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn two_at_once_act_once() {
        let (memory, runs) = (Idempotency::new(&HttpOptions::default()), AtomicU32::new(0));
        let (first, second) =
            tokio::join!(act(&memory, (1, "a", ""), &runs), act(&memory, (1, "a", ""), &runs));
        assert_eq!((first.unwrap(), second.unwrap()), ("0".to_owned(), "0".to_owned()));
        assert_eq!(act(&memory, (2, "a", ""), &runs).await.unwrap(), "1", "keys are per caller");
        assert!(matches!(act(&memory, (1, "a", "x"), &runs).await, Err(ApiError::Invalid(_))));
    }

    #[tokio::test]
    async fn what_failed_inside_is_tried_again() {
        let memory = Idempotency::new(&HttpOptions::default());
        let (who, headers) = (who(1), keyed("a"));
        for _ in 0..2 {
            let act = Act { who: &who, action: "pause", headers: &headers, body: b"" };
            let response = memory.once(act, async { Err(ApiError::Busy) }).await.unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        let runs = AtomicU32::new(7);
        assert_eq!(self::act(&memory, (1, "a", ""), &runs).await.unwrap(), "7");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_forgotten_by_age_and_by_number() {
        let options = HttpOptions { max_idempotency_keys: 2, ..HttpOptions::default() };
        let (memory, runs) = (Idempotency::new(&options), AtomicU32::new(0));
        for key in ["a", "b", "c"] {
            act(&memory, (1, key, ""), &runs).await.unwrap();
        }
        assert_eq!(act(&memory, (1, "c", ""), &runs).await.unwrap(), "2");
        assert_eq!(act(&memory, (1, "a", ""), &runs).await.unwrap(), "3", "a made room for c");
        tokio::time::advance(options.idempotency_ttl).await;
        assert_eq!(act(&memory, (1, "a", ""), &runs).await.unwrap(), "4");
        assert_eq!(memory.known.lock().unwrap().answers.len(), 1);
    }
}
