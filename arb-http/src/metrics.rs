//! Figures of this host, and the text in which Prometheus reads all of them.
//!
//! Invariant: requests are counted by the pattern of their path, never by the path itself, so no
//! caller can add a series or put a token into one.

mod text;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};

pub(crate) use self::text::Text;

/// Upper bounds of the latency buckets, seconds.
const BOUNDS: [f64; 9] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Requests by method, pattern of the path and status.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// By pattern and method.
    routes: RwLock<BTreeMap<Box<str>, BTreeMap<&'static str, Route>>>,
}

/// The requests of a route.
#[derive(Debug, Default)]
struct Route {
    statuses: BTreeMap<u16, AtomicU64>,
    latency: Latency,
}

#[derive(Debug, Default)]
struct Latency {
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

impl Requests {
    /// Counts a request.
    pub(crate) fn count(
        &self,
        (method, path): (&Method, &str),
        status: StatusCode,
        took: Duration,
    ) {
        let (method, status) = (method_name(method), status.as_u16());
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let route = routes.get(path).and_then(|methods| methods.get(method));
        if let Some(route) = route
            && let Some(count) = route.statuses.get(&status)
        {
            count.fetch_add(1, Ordering::Relaxed);
            route.latency.add(took);
            return;
        }
        drop(routes);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let route = routes.entry(path.into()).or_default().entry(method).or_default();
        route.statuses.entry(status).or_default().fetch_add(1, Ordering::Relaxed);
        route.latency.add(took);
    }

    /// Writes the figures.
    pub(crate) fn write(&self, text: &mut Text) {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let each = || {
            routes.iter().flat_map(|(path, methods)| {
                methods.iter().map(move |(method, route)| (*method, &**path, route))
            })
        };
        text.family("arb_http_requests_total", "counter", "Requests that were answered.");
        for (method, path, route) in each() {
            for (status, count) in &route.statuses {
                let status = status.to_string();
                let labels = [("method", method), ("path", path), ("status", &status)];
                text.sample("", &labels, count.load(Ordering::Relaxed));
            }
        }
        let help = "Time until an answer began.";
        text.family("arb_http_request_duration_seconds", "histogram", help);
        for (method, path, Route { latency, .. }) in each() {
            let counts: Vec<u64> =
                latency.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
            let sum = Duration::from_micros(latency.sum_us.load(Ordering::Relaxed));
            let labels = [("method", method), ("path", path)];
            text.histogram(&labels, (&BOUNDS, &counts), sum.as_secs_f64());
        }
    }
}

impl Latency {
    fn add(&self, took: Duration) {
        let secs = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| secs <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }
}

/// A caller may invent methods; a series may not follow from it.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// How a stream is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Sse,
    WebSocket,
}

/// Streams that are open, and what became of those before.
#[derive(Debug, Default)]
pub(crate) struct OpenStreams {
    sse: AtomicI64,
    websocket: AtomicI64,
    dropped: AtomicU64,
}

impl OpenStreams {
    /// Counts a stream until the answer is dropped.
    pub(crate) fn open(self: &Arc<Self>, kind: StreamKind) -> OpenStream {
        self.of(kind).fetch_add(1, Ordering::Relaxed);
        OpenStream { streams: Arc::clone(self), kind }
    }

    /// Counts a client that was too slow.
    pub(crate) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    const fn of(&self, kind: StreamKind) -> &AtomicI64 {
        match kind {
            StreamKind::Sse => &self.sse,
            StreamKind::WebSocket => &self.websocket,
        }
    }

    /// Writes the figures.
    pub(crate) fn write(&self, text: &mut Text) {
        text.family("arb_http_streams", "gauge", "Streams that are open.");
        for (name, kind) in [("sse", StreamKind::Sse), ("websocket", StreamKind::WebSocket)] {
            text.sample("", &[("kind", name)], self.of(kind).load(Ordering::Relaxed));
        }
        let help = "Clients that were dropped because they read too slowly.";
        text.family("arb_http_streams_dropped_total", "counter", help);
        text.sample("", &[], self.dropped.load(Ordering::Relaxed));
    }
}

/// An open stream, counted while it lives.
#[derive(Debug)]
pub(crate) struct OpenStream {
    streams: Arc<OpenStreams>,
    kind: StreamKind,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.of(self.kind).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_by_route_and_status() {
        let requests = Requests::default();
        let route = "/api/users/{id}";
        requests.count((&Method::GET, route), StatusCode::OK, Duration::from_micros(700));
        requests.count((&Method::GET, route), StatusCode::OK, Duration::from_secs(9));
        let odd = Method::from_bytes(b"EVIL\x21").unwrap();
        requests.count((&odd, route), StatusCode::METHOD_NOT_ALLOWED, Duration::ZERO);
        let mut text = Text::default();
        requests.write(&mut text);
        let text = text.finish();
        for line in [
            r#"arb_http_requests_total{method="GET",path="/api/users/{id}",status="200"} 2"#,
            r#"arb_http_requests_total{method="other",path="/api/users/{id}",status="405"} 1"#,
            r#"arb_http_request_duration_seconds_bucket{method="GET",path="/api/users/{id}",le="0.001"} 1"#,
            r#"arb_http_request_duration_seconds_bucket{method="GET",path="/api/users/{id}",le="+Inf"} 2"#,
            r#"arb_http_request_duration_seconds_count{method="GET",path="/api/users/{id}"} 2"#,
        ] {
            assert!(text.lines().any(|each| each == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_stream_counts_while_it_is_open() {
        let streams = Arc::new(OpenStreams::default());
        let told = |streams: &OpenStreams| {
            let mut text = Text::default();
            streams.write(&mut text);
            text.finish()
        };
        let first = streams.open(StreamKind::Sse);
        let second = streams.open(StreamKind::WebSocket);
        assert!(told(&streams).contains("arb_http_streams{kind=\"sse\"} 1\n"));
        drop(first);
        streams.dropped();
        let text = told(&streams);
        assert!(text.contains("arb_http_streams{kind=\"sse\"} 0\n"));
        assert!(text.contains("arb_http_streams{kind=\"websocket\"} 1\n"));
        assert!(text.contains("arb_http_streams_dropped_total 1\n"));
        drop(second);
    }
}
