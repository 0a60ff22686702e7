//! What a refusal asks of people, and how long the venue wants to be left alone.
//!
//! Invariant: a refusal that waiting cannot mend says what can, in the same words for requests and
//! for streams.

use std::time::Duration;

use arb_core::VenueError;

/// The firewall's own block lasts minutes; asking on prolongs it.
const FIREWALL: Duration = Duration::from_secs(300);
/// A location does not move; a changed route to the venue is noticed within this.
const LOCATION: Duration = Duration::from_secs(1_800);
/// The shortest ban the venue documents.
const BAN: Duration = Duration::from_secs(120);
const TOO_MANY: Duration = Duration::from_secs(60);

/// Says what to do about the refusals that a person must act on.
pub(super) fn explained(error: VenueError, status: u16) -> VenueError {
    let advice = match status {
        451 => {
            "the venue does not serve this location; run it where the venue is allowed, or use \
             recorded or simulated data"
        }
        403 => {
            "the venue's firewall refused the request; wait some minutes, and check that no proxy \
             changes requests and that this location is served"
        }
        _ => return error,
    };
    match error {
        VenueError::Rejected { reason, .. } => {
            let reason = format!("{advice} ({reason})");
            VenueError::Rejected { code: i32::from(status), reason }
        }
        other => other,
    }
}

/// How long to stay away after a refused connection; none where the usual back-off will do.
pub(super) fn stay_away(status: u16, error: &VenueError) -> Option<Duration> {
    let named = match error {
        VenueError::RateLimited { retry_after } => *retry_after,
        _ => Duration::ZERO,
    };
    match status {
        403 => Some(FIREWALL),
        451 => Some(LOCATION),
        418 => Some(named.max(BAN)),
        429 => Some(named.max(TOO_MANY)),
        _ => None,
    }
}
