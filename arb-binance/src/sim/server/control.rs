//! The control endpoint: look at the venue, add faults, end them.
//!
//! | request | does |
//! |---|---|
//! | `GET /control/status` | clock, connections, counters |
//! | `GET /control/faults` | the plan |
//! | `POST /control/faults` | adds the fault of the body, which begins now unless it says `at_ms`; or those of a whole plan, whose storm begins now |
//! | `DELETE /control/faults` | ends all faults |

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use serde_json::json;

use super::super::venue::{Fault, FaultPlan};
use super::Shared;

/// Largest body.
const BODY: usize = 1 << 20;

pub(super) async fn handle(shared: &Shared, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answer = match (parts.method, parts.uri.path()) {
        (Method::GET, "/control/status") => Ok(status(shared)),
        (Method::GET, "/control/faults") => Ok(json!(shared.core().venue.faults())),
        (Method::DELETE, "/control/faults") => {
            shared.core().venue.clear_faults();
            Ok(json!({}))
        }
        (Method::POST, "/control/faults") => match axum::body::to_bytes(body, BODY).await {
            Ok(body) => add(shared, &body),
            Err(error) => Err((StatusCode::BAD_REQUEST, error.to_string())),
        },
        (method, path) => {
            Err((StatusCode::NOT_FOUND, format!("{method} {path} is no control request")))
        }
    };
    let (status, value) = match answer {
        Ok(value) => (StatusCode::OK, value),
        Err((status, message)) => (status, json!({ "error": message })),
    };
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn status(shared: &Shared) -> serde_json::Value {
    let core = shared.core();
    let counters = core.venue.counters();
    json!({
        "now_ms": shared.clock.now().as_millis(),
        "clock": shared.clock.info,
        "open_connections": core.venue.open_connections(),
        "frames": counters.frames,
        "lost_frames": counters.lost_frames,
        "requests": counters.requests,
        "limited": counters.limited,
        "connections": counters.connections,
        "ended": counters.ended,
        "slow_listeners": core.sockets.slow(),
    })
}

fn add(shared: &Shared, body: &[u8]) -> Result<serde_json::Value, (StatusCode, String)> {
    let wrong = |error: serde_json::Error| (StatusCode::BAD_REQUEST, error.to_string());
    let now = shared.clock.now();
    let written: serde_json::Value = serde_json::from_slice(body).map_err(wrong)?;
    // From the text again, so that an error names its place.
    if written.get("kind").is_some() {
        let fault: Fault = serde_json::from_slice(body).map_err(wrong)?;
        shared.core().venue.add_fault(fault, now).map_err(wrong)?;
    } else {
        let plan: FaultPlan = serde_json::from_slice(body).map_err(wrong)?;
        shared.core().venue.add_faults(plan, now).map_err(wrong)?;
    }
    Ok(json!({}))
}
