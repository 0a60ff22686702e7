//! The dashboard's files, inside the binary.
//!
//! Invariant: an address has the hash of what stands behind it, so that browsers may keep it for
//! ever: one for the page's own files together, one for the charting library, which changes rarely.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{LazyLock, OnceLock};

use axum::http::HeaderValue;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const PAGE: &str = include_str!("../../assets/index.html");

macro_rules! files {
    ($($kind:ident $name:literal),* $(,)?) => {
        /// Name, media type and bytes of every file but the page itself.
        pub(super) const FILES: &[(&str, &str, &[u8])] =
            &[$(($name, $kind, include_bytes!(concat!("../../assets/", $name)))),*];
    };
}

files! {
    SVG "icon.svg",
    CSS "css/base.css", CSS "css/frame.css", CSS "css/panels.css", CSS "css/plotly.css",
    JS "js/alerts.js", JS "js/api.js", JS "js/dialog.js", JS "js/dom.js", JS "js/format.js",
    JS "js/layout.js", JS "js/main.js", JS "js/plots.js", JS "js/state.js", JS "js/stream.js",
    JS "js/theme.js",
    JS "js/panels/account.js", JS "js/panels/candles.js", JS "js/panels/controls.js",
    JS "js/panels/factors.js", JS "js/panels/health.js", JS "js/panels/login.js",
    JS "js/panels/market.js", JS "js/panels/opportunities.js", JS "js/panels/positions.js",
    JS "js/panels/rates.js", JS "js/panels/risk.js", JS "js/panels/scores.js",
    JS "js/panels/settings.js", JS "js/panels/signals.js", JS "js/panels/trades.js",
}

/// Name of the charting library's file.
pub(super) const LIBRARY: &str = "plotly.js";

/// Bytes as they are sent.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) bytes: Bytes,
    pub(super) encoding: Option<&'static str>,
    pub(super) etag: HeaderValue,
}

impl Encoded {
    fn new(bytes: Bytes, encoding: Option<&'static str>) -> Self {
        let tag = format!("\"{}\"", hash(&bytes));
        // Hexadecimal digits are a header value.
        let etag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { bytes, encoding, etag }
    }
}

/// A file.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) media_type: &'static str,
    pub(super) plain: Encoded,
    gzip: OnceLock<Encoded>,
}

impl Asset {
    fn new(media_type: &'static str, bytes: Bytes) -> Self {
        Self { media_type, plain: Encoded::new(bytes, None), gzip: OnceLock::new() }
    }

    /// Compressed, at the first call; takes long for a large file.
    pub(super) fn gzip(&self) -> &Encoded {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(7));
            let written = encoder.write_all(&self.plain.bytes).and_then(|()| encoder.finish());
            match written {
                Ok(bytes) => Encoded::new(bytes.into(), Some("gzip")),
                Err(_) => Encoded::new(self.plain.bytes.clone(), None),
            }
        })
    }
}

/// Everything.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) page: Asset,
    version: String,
    files: BTreeMap<&'static str, Asset>,
    library_version: String,
    library: Asset,
}

impl Bundle {
    fn new() -> Self {
        let mut all = Sha256::new();
        all.update(PAGE);
        for (name, _, bytes) in FILES {
            all.update(name);
            all.update(bytes);
        }
        let version = hex(&all.finalize());
        let library = Asset::new(JS, Bytes::from(library()));
        let library_version = hash(&library.plain.bytes);
        let page = PAGE.replace("{{version}}", &version).replace("{{plotly}}", &library_version);
        let files = FILES.iter().map(|(name, media_type, bytes)| {
            (*name, Asset::new(media_type, Bytes::from_static(bytes)))
        });
        Self {
            page: Asset::new(HTML, page.into()),
            version,
            files: files.collect(),
            library_version,
            library,
        }
    }

    /// The file of a name, if this is its hash.
    pub(super) fn find(&self, hash: &str, name: &str) -> Option<&Asset> {
        if name == LIBRARY {
            return (hash == self.library_version).then_some(&self.library);
        }
        self.files.get(name).filter(|_| hash == self.version)
    }
}

/// The files, hashed at the first call.
pub(super) fn bundle() -> &'static Bundle {
    static BUNDLE: LazyLock<Bundle> = LazyLock::new(Bundle::new);
    &BUNDLE
}

/// Plotly.js, minified, with its licence at the head.
///
/// The crate offers it only as script tags together with a second library for formulas, which
/// nothing here shows.
fn library() -> String {
    let tags = plotly::Plot::offline_js_sources();
    let script = tags.split_once('>').map_or("", |(_, rest)| rest);
    script.split_once("</script>").map_or("", |(script, _)| script).to_owned()
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
