//! Refusals: an HTTP status other than 200 with `{"code":…,"msg":…}`, or with something else.
//!
//! Invariant: an outcome is called unknown whenever the request may have been carried out; only
//! answers that the venue documents as "failed for sure" are rejections.

use std::time::Duration;

use arb_core::{Market, Timestamp, VenueError};
use serde::Deserialize;

use crate::wire::text::Text;

/// A refusal as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Whose answer; spot calls every 5xx unknown.
    pub market: Market,
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
    /// Header `Retry-After`, where sent.
    pub retry_after: Option<Duration>,
    /// When it came, to count the time until a ban ends.
    pub now: Timestamp,
}

#[derive(Deserialize)]
struct Body<'a> {
    code: i32,
    #[serde(borrow)]
    msg: Text<'a>,
}

/// Longest text of a foreign body that is kept.
const EXCERPT: usize = 200;
/// What a 429 without any time asks for.
const BACK_OFF: Duration = Duration::from_secs(60);

/// What a refusal means.
#[must_use]
pub fn refusal(refused: &Refused<'_>) -> VenueError {
    let body: Option<Body<'_>> = serde_json::from_slice(refused.body).ok();
    let code = body.as_ref().map(|body| body.code);
    let text = match &body {
        Some(body) => body.msg.0.to_string(),
        None => excerpt(refused.body),
    };
    match (refused.status, code) {
        (418 | 429, _) | (_, Some(-1003)) => {
            VenueError::RateLimited { retry_after: wait(refused, &text) }
        }
        (401, _) | (_, Some(-1002 | -2014 | -2015)) => VenueError::Auth(text),
        (408, _) | (_, Some(-1000 | -1006 | -1007)) => VenueError::OutcomeUnknown(text.into()),
        (500.., _) if refused.market != Market::Um => VenueError::OutcomeUnknown(text.into()),
        (_, Some(code)) => VenueError::Rejected { code, reason: text },
        (503, None) if text.starts_with("Service Unavailable") => {
            VenueError::Rejected { code: 503, reason: text }
        }
        (500.., None) => VenueError::OutcomeUnknown(text.into()),
        // A status alone stands for the code: 403 the firewall, 451 a restricted location.
        (status, None) => VenueError::Rejected { code: i32::from(status), reason: text },
    }
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(EXCERPT).collect()
}

fn wait(refused: &Refused<'_>, text: &str) -> Duration {
    let banned = ban_end(text).map(|end| {
        let nanos = u64::try_from(end.since(refused.now)).unwrap_or_default();
        Duration::from_nanos(nanos)
    });
    banned.max(refused.retry_after).unwrap_or(BACK_OFF)
}

/// When a ban ends, from the text `… banned until <ms>. …`.
#[must_use]
pub fn ban_end(text: &str) -> Option<Timestamp> {
    let (_, after) = text.split_once("until ")?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    crate::wire::text::instant(digits.parse().ok()?)
}
