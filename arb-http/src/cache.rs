//! Finished answers that are given more than once.
//!
//! Invariant: a body is written, hashed and compressed at most once; its ETag is a hash of the
//! bytes that are sent, so two answers with one tag are equal to the byte.

mod catalog;
mod timed;

use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arb_core::port::{RateSnapshot, View};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub(crate) use self::catalog::CatalogCache;
pub(crate) use self::timed::TimedCache;
use crate::body;
use crate::coins::Coins;
use crate::error::ApiError;

/// Bytes below which compressing does not pay.
const GZIP_FROM: usize = 1_024;
/// Headers of an answer when it leaves, about.
const MOST_HEADERS: usize = 12;

/// A finished JSON body with its tag.
#[derive(Debug)]
pub(crate) struct Finished {
    plain: Variant,
    gzip: OnceLock<Option<Variant>>,
}

#[derive(Debug)]
struct Variant {
    bytes: Bytes,
    etag: HeaderValue,
}

impl Variant {
    fn new(bytes: Vec<u8>) -> Result<Self, ApiError> {
        let hash = Sha256::digest(&bytes);
        let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let etag = HeaderValue::from_str(&format!("\"{hex}\"")).map_err(ApiError::internal)?;
        Ok(Self { bytes: bytes.into(), etag })
    }
}

impl Finished {
    /// Writes a body as JSON.
    pub(crate) fn json(body: &impl Serialize) -> Result<Self, ApiError> {
        let bytes = serde_json::to_vec(body).map_err(ApiError::internal)?;
        Ok(Self { plain: Variant::new(bytes)?, gzip: OnceLock::new() })
    }

    fn gzip(&self) -> Option<&Variant> {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&self.plain.bytes).ok()?;
            Variant::new(encoder.finish().ok()?).ok()
        };
        let worth = self.plain.bytes.len() >= GZIP_FROM;
        worth.then(|| self.gzip.get_or_init(compress).as_ref()).flatten()
    }

    /// The answer to a request with these headers: the body, or 304 when the caller has it.
    pub(crate) fn respond(&self, asked: &HeaderMap, cache_control: &'static str) -> Response {
        let gzip = accepts_gzip(asked).then(|| self.gzip()).flatten();
        let variant = gzip.unwrap_or(&self.plain);
        let mut response = if has(asked, &variant.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Response::new(Body::from(variant.bytes.clone()))
        };
        let headers = response.headers_mut();
        // With those that are set on the way out.
        headers.reserve(MOST_HEADERS);
        if gzip.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ETAG, variant.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        response
    }
}

/// Whether the caller has the body of this tag. `*` asks whether there is any, which there is.
pub(crate) fn has(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut tags = tags.flat_map(|tags| tags.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
    })
}

/// Whether the caller takes gzip.
pub(crate) fn accepts_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_gzip && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// The rates that a body was written from, and the body.
type Written = (Arc<[RateSnapshot]>, Arc<Finished>);

/// The body of `/api/rates`, written once for all callers until a rate changes.
#[derive(Debug, Default)]
pub(crate) struct RatesCache {
    newest: Mutex<Option<Written>>,
}

impl RatesCache {
    pub(crate) fn of(&self, view: &View, coins: Coins<'_>) -> Result<Arc<Finished>, ApiError> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((rates, finished)) = &*newest
            && Arc::ptr_eq(rates, &view.rates)
        {
            return Ok(Arc::clone(finished));
        }
        let finished = Arc::new(Finished::json(&body::rates(view, coins))?);
        *newest = Some((Arc::clone(&view.rates), Arc::clone(&finished)));
        Ok(finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_used_where_the_caller_takes_it() {
        let takes = |value| accepts_gzip(&headers(header::ACCEPT_ENCODING, value));
        assert!(takes("gzip, deflate, br"));
        assert!(takes("br;q=1.0, GZIP;q=0.5"));
        assert!(!takes("gzip;q=0"));
        assert!(!takes("br, deflate"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_caller_who_has_the_bytes_is_told_so() {
        let finished = Finished::json(&["some", "body"]).unwrap();
        let etag = finished.respond(&HeaderMap::new(), "no-cache").headers()[header::ETAG].clone();
        let with = |value: String| {
            let asked = HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
            finished.respond(&asked, "no-cache").status()
        };
        let tag = etag.to_str().unwrap();
        assert_eq!(with(tag.to_owned()), StatusCode::NOT_MODIFIED);
        assert_eq!(with(format!("\"other\", W/{tag}")), StatusCode::NOT_MODIFIED);
        assert_eq!(with("*".to_owned()), StatusCode::NOT_MODIFIED);
        assert_eq!(with("\"other\"".to_owned()), StatusCode::OK);
    }

    #[test]
    fn the_compressed_body_has_a_tag_of_its_own() {
        let finished = Finished::json(&vec!["words"; 500]).unwrap();
        let plain = finished.respond(&HeaderMap::new(), "no-cache");
        let gzip = finished.respond(&headers(header::ACCEPT_ENCODING, "gzip"), "no-cache");
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        assert_ne!(plain.headers()[header::ETAG], gzip.headers()[header::ETAG]);
    }
}
