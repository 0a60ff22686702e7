//! What callers are told when a request does not succeed.
//!
//! Invariant: an answer names what the caller did or may do, never what happened inside. The cause
//! of a 5xx travels beside the answer to the log, under the request's id, which both tell.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use arb_core::{AuthError, ConfigError, StoreError};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds after which a store or a host that is overloaded is worth another try.
const TRY_AGAIN_SECS: u64 = 5;

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// In words.
    pub detail: String,
}

/// What is wrong with the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ValidationBody {
    /// Every flaw that was found.
    pub detail: Vec<Flaw>,
}

/// One flaw of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Flaw {
    /// Where: `query`, `path`, `body` or `header`, then the field.
    pub loc: Vec<String>,
    /// What is wrong, and what is allowed.
    pub msg: String,
    /// Which kind of flaw, for programs.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Flaw {
    /// A flaw of the field at a dotted path; `.` or nothing is the whole.
    pub(crate) fn at(part: &str, path: &str, msg: impl Into<String>, kind: &str) -> Self {
        let fields = path.split('.').filter(|field| !field.is_empty() && *field != "?");
        let loc = std::iter::once(part).chain(fields).map(str::to_owned).collect();
        Self { loc, msg: msg.into(), kind: kind.to_owned() }
    }
}

/// Why a request does not succeed.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 400: understood, and impossible.
    Impossible(String),
    /// 401: nobody known is calling.
    Unauthorised,
    /// 401 of a login.
    Credentials(String),
    /// 403: known, and not allowed.
    Forbidden(String),
    /// 404: nothing of this name.
    NotFound(String),
    /// 408: the body came too slowly.
    SlowBody,
    /// 409: not in this state.
    Conflict(String),
    /// 413: the body is too large.
    TooLarge { limit: usize },
    /// 415: the body is no JSON.
    NotJson,
    /// 422: the request makes no sense.
    Invalid(Vec<Flaw>),
    /// 429: too often.
    Limited { retry_after: Duration },
    /// 503: too much to do at this moment.
    Busy,
    /// 503: a part does not answer at this moment.
    Unavailable(Cause),
    /// 500: a fault of ours.
    Internal(Cause),
}

/// What happened inside, for the log.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) Arc<dyn StdError + Send + Sync>);

impl ApiError {
    pub(crate) fn internal(error: impl StdError + Send + Sync + 'static) -> Self {
        Self::Internal(Cause(Arc::new(error)))
    }

    /// One flaw of one field.
    pub(crate) fn flaw(part: &str, path: &str, msg: impl Into<String>) -> Self {
        Self::Invalid(vec![Flaw::at(part, path, msg, "value_error")])
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Impossible(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorised | Self::Credentials(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// In words, for the caller.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Impossible(text)
            | Self::Credentials(text)
            | Self::Forbidden(text)
            | Self::NotFound(text)
            | Self::Conflict(text) => text.clone(),
            Self::Unauthorised => {
                "a valid access token or API key is needed: Authorization: Bearer …".to_owned()
            }
            Self::SlowBody => "the body did not come in time".to_owned(),
            Self::TooLarge { limit } => format!("the body is too large; {limit} bytes are allowed"),
            Self::NotJson => "the body must be JSON: Content-Type: application/json".to_owned(),
            Self::Invalid(_) => "the request is not valid".to_owned(),
            Self::Limited { retry_after } => {
                format!("too many tries; try again in {} s", secs(*retry_after))
            }
            Self::Busy => "too much to do at this moment; try again".to_owned(),
            Self::Unavailable(_) => "a part of the system does not answer; try again".to_owned(),
            Self::Internal(_) => "something failed inside".to_owned(),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Limited { retry_after } => Some(secs(*retry_after)),
            Self::Busy | Self::Unavailable(_) => Some(TRY_AGAIN_SECS),
            _ => None,
        }
    }
}

/// Whole seconds, rounded up, at least one.
fn secs(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, retry_after, detail) = (self.status(), self.retry_after(), self.detail());
        let mut response = match self {
            Self::Invalid(detail) => (status, Json(ValidationBody { detail })).into_response(),
            Self::Unavailable(cause) | Self::Internal(cause) => {
                let mut response = (status, Json(ErrorBody { detail })).into_response();
                response.extensions_mut().insert(cause);
                response
            }
            _ => (status, Json(ErrorBody { detail })).into_response(),
        };
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(secs) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
            // The rest of the body would be read as the next request.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Full(_) | StoreError::ReadOnly(_) => {
                Self::Unavailable(Cause(Arc::new(error)))
            }
            error => Self::internal(error),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Credentials => Self::Credentials(error.to_string()),
            AuthError::Token => Self::Unauthorised,
            AuthError::Banned | AuthError::Forbidden { .. } => Self::Forbidden(error.to_string()),
            AuthError::Invite => Self::Impossible(error.to_string()),
            AuthError::EmailTaken | AuthError::LastAdmin => Self::Conflict(error.to_string()),
            AuthError::Weak { field, message } => Self::flaw("body", field, message),
            AuthError::Limited { retry_after } => Self::Limited { retry_after },
            AuthError::NotFound => Self::NotFound(error.to_string()),
            AuthError::Store(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        Self::flaw("body", &error.field, error.message)
    }
}
