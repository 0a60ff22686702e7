//! The recorded frames, where they stand beside the checkout.

use std::io::Read as _;
use std::path::PathBuf;

/// One line of a recording.
pub(crate) enum Line {
    /// A frame of a stream.
    Frame(String),
    /// The body of a REST answer and the address it came from, where that was recorded.
    Body(String, String),
}

/// The text of a file of the recorded data; prints that a test skips without it.
pub(crate) fn text(path: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var("ARB_DATA_DIR").unwrap_or_else(|_| beside.to_owned());
    let file = PathBuf::from(folder).join(path);
    if !file.exists() {
        println!("skipped: {path} is not here");
        return None;
    }
    let bytes = std::fs::read(file).unwrap();
    if !path.ends_with(".gz") {
        return Some(String::from_utf8(bytes).unwrap());
    }
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    Some(text)
}

/// The frames and bodies of a recording, in order.
pub(crate) fn lines(path: &str) -> Option<Vec<Line>> {
    Some(text(path)?.lines().filter_map(line).collect())
}

fn line(text: &str) -> Option<Line> {
    if text.starts_with('{') {
        return enveloped(text);
    }
    if let Some((address, rest)) = text.split_once(" -> ") {
        let (_, body) = rest.split_once(": ")?;
        return Some(Line::Body(address.to_owned(), body.to_owned()));
    }
    let (time, frame) = text.split_once(' ')?;
    time.starts_with(|first: char| first.is_ascii_digit()).then_some(())?;
    Some(match frame.starts_with("{\"lastUpdateId\"") {
        true => Line::Body(String::new(), frame.to_owned()),
        false => Line::Frame(frame.to_owned()),
    })
}

/// A line that says what it is: `{"t":"recv","data":"…"}`; a frame as it is otherwise.
fn enveloped(text: &str) -> Option<Line> {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let data = value.get("data").and_then(|data| data.as_str()).map(str::to_owned);
    match value.get("t").and_then(|kind| kind.as_str()) {
        None => Some(Line::Frame(text.to_owned())),
        Some("recv") => Some(Line::Frame(data?)),
        Some("http") => Some(Line::Body(value["url"].as_str()?.to_owned(), data?)),
        Some(_) => None,
    }
}

/// The frames alone.
pub(crate) fn frames(path: &str) -> Option<Vec<String>> {
    let frame = |line| match line {
        Line::Frame(frame) => Some(frame),
        Line::Body(..) => None,
    };
    Some(lines(path)?.into_iter().filter_map(frame).collect())
}
