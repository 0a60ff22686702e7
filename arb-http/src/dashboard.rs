//! The dashboard: a page that shows the engine, and what it is made of.
//!
//! It uses the API like any other program and has no rights of its own. Invariant: everything is
//! inside the binary and nothing is asked of another host; an address that contains a hash means
//! the same bytes for ever.

mod assets;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use self::assets::{Asset, Encoded, bundle};
use crate::app::App;
use crate::error::ApiError;

/// The page runs the scripts of this host and asks this host, nothing else. The charting library
/// sets styles through objects, which needs no permission, and finds its rules in a file.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The page and its files, for everybody.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/", get(page)).route("/assets/{hash}/{*file}", get(file))
}

async fn page(asked: HeaderMap) -> Result<Response, ApiError> {
    let page = &bundle().page;
    let mut response = answer(page, &asked, "no-cache").await?;
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

async fn file(
    asked: HeaderMap,
    Path((hash, file)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let asset = bundle().find(&hash, &file).ok_or_else(|| {
        // A page of another version asks for it; loading the page again helps.
        ApiError::NotFound("there is no such file in this version".to_owned())
    })?;
    answer(asset, &asked, FOR_EVER).await
}

async fn answer(
    asset: &'static Asset,
    asked: &HeaderMap,
    cache_control: &'static str,
) -> Result<Response, ApiError> {
    let encoded: &Encoded = match crate::cache::accepts_gzip(asked) {
        // The charting library takes a good part of a second to compress, once.
        true => tokio::task::spawn_blocking(|| asset.gzip()).await.map_err(ApiError::internal)?,
        false => &asset.plain,
    };
    let mut response = match crate::cache::has(asked, &encoded.etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Response::new(Body::from(encoded.bytes.clone())),
    };
    let headers = response.headers_mut();
    if let Some(encoding) = encoded.encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::ETAG, encoded.etag.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    Ok(response)
}

#[cfg(test)]
mod tests;
