//! Requests as typed values.
//!
//! Invariant: what a handler gets satisfies the schema that the OpenAPI document tells, because the
//! types that are read are the types that are documented; anything else is answered with 422 and
//! the place of the flaw.

mod object;
mod types;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

pub(crate) use self::object::{Object, object};
pub(crate) use self::types::{EventPlace, Int, Place, Symbols, Text};
use crate::app::App;
use crate::error::{ApiError, Flaw};

/// The query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            let (path, message) = (error.path().to_string(), error.into_inner().to_string());
            ApiError::flaw("query", &place(path, &message), message)
        })
    }
}

/// What the path names.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        let failed = match path {
            Ok(path) => return Ok(Self(path.0)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => failed,
            Err(rejection) => return Err(ApiError::internal(rejection)),
        };
        // No path of the contract has more than one.
        let names = RawPathParams::from_request_parts(parts, app).await;
        let name = names.iter().flatten().next().map(|(name, _)| name.to_owned());
        let name = name.unwrap_or_default();
        Err(match failed.into_kind() {
            ErrorKind::InvalidUtf8InPathParam { .. } => {
                ApiError::flaw("path", &name, "is no UTF-8 text")
            }
            kind => ApiError::flaw("path", &name, kind.to_string()),
        })
    }
}

/// A JSON body, with its bytes.
pub(crate) struct Input<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<App> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        is_json(request.headers())?;
        let bytes = read_body(request, app).await?;
        Ok(Self { value: parse(&bytes)?, bytes })
    }
}

/// A JSON body that may be missing.
pub(crate) struct OptionalInput<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalInput<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let content_type = is_json(request.headers());
        let bytes = read_body(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self { value: T::default(), bytes });
        }
        content_type?;
        Ok(Self { value: parse(&bytes)?, bytes })
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(ApiError::NotJson) }
}

async fn read_body(request: Request, app: &App) -> Result<Bytes, ApiError> {
    let options = &app.host.options;
    let limit = options.max_body_bytes;
    let whole = axum::body::to_bytes(request.into_body(), limit);
    match tokio::time::timeout(options.body_timeout, whole).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Either it is longer than allowed, or the connection is gone and nobody reads the answer.
        Ok(Err(_)) => Err(ApiError::TooLarge { limit }),
        Err(_) => Err(ApiError::SlowBody),
    }
}

/// Where a flaw is: of a field that is missing its own place, which serde does not tell.
fn place(path: String, message: &str) -> String {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match (missing, path.as_str()) {
        (None, _) => path,
        (Some(field), "" | ".") => field.to_owned(),
        (Some(field), _) => format!("{path}.{field}"),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: Object<T> = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let inner = error.inner();
        let path = place(error.path().to_string(), &inner.to_string());
        let kind = if inner.is_data() { "value_error" } else { "json_invalid" };
        ApiError::Invalid(vec![Flaw::at("body", &path, inner.to_string(), kind)])
    })?;
    json.end().map_err(|error| {
        ApiError::Invalid(vec![Flaw::at("body", "", error.to_string(), "json_invalid")])
    })?;
    Ok(value.0)
}
