//! Plain, gzip and zip files, on disk and in memory, whole and broken.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::tape::{infer_steps, read_klines};

pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zip(members: &[(&str, &str)], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const DEFLATED: CompressionMethod = CompressionMethod::Deflated;

/// A text that does not pack into one block.
fn long() -> String {
    format!("{HEADER}{}", rows(1..=20_000))
}

fn on_disk(folder: &Path, name: &str, bytes: &[u8]) -> Source {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    Source { path, ..trades(name, "").0 }
}

#[test]
fn every_packing_gives_the_same_events_and_counts_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let text = long();
    let expected = events(&vec![trades("a.csv", text.clone())]);
    let packings = [
        ("a.csv", text.clone().into_bytes()),
        ("a.csv.gz", gzip(&text)),
        ("a.zip", zip(&[("a.csv", &text)], DEFLATED)),
        ("stored.zip", zip(&[("a.csv", &text)], CompressionMethod::Stored)),
        ("noted.zip", zip(&[("read.me", "hello"), ("a.csv", &text)], DEFLATED)),
        ("misnamed.csv", gzip(&text)),
    ];
    for (name, bytes) in packings {
        let source = on_disk(folder.path(), name, &bytes);
        let mut tape = Tape::open(&[source], TapeOptions::default()).unwrap();
        assert_eq!(drain(&mut tape).unwrap(), expected, "{name}");
        let size = u64::try_from(bytes.len()).unwrap();
        assert_eq!(tape.total_bytes(), size);
        let read = tape.stats().bytes_read;
        assert!(read > 0 && read <= size && (name.ends_with("zip") || read == size), "{name}");
    }
}

#[test]
fn members_of_a_gzip_continue_each_other_even_with_repeated_headers() {
    let first = format!("{HEADER}{}", rows(1..=3));
    let second = format!("{HEADER}{}", rows(4..=6));
    let joined = [gzip(&first), gzip(&second)].concat();
    let expected = events(&vec![trades("a.csv", rows(1..=6))]);
    assert_eq!(events(&vec![trades("a.gz", joined)]), expected);
}

#[test]
fn members_of_a_zip_are_read_by_name_and_named_in_errors() {
    let members = [("b.csv", rows(4..=6)), ("a.csv", rows(1..=4))];
    let members: Vec<_> = members.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let expected = events(&vec![trades("a.csv", rows(1..=6))]);
    assert_eq!(events(&vec![trades("a.zip", zip(&members, DEFLATED))]), expected);

    let bad = [("a.csv", rows(1..=1)), ("b.csv", "2,x,1,1717200000002,1\n".to_owned())];
    let bad: Vec<_> = bad.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(
        refusal(&vec![trades("a.zip", zip(&bad, DEFLATED))]),
        "a.zip/b.csv:1: price: \"x\" is no decimal number; only digits and one dot are allowed"
    );
}

#[test]
fn klines_and_steps_read_packed_files_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let row = "1717200000000,1,2,0.5,1.5,10,1717200059999,15,3,4,6,0\n";
    let klines = on_disk(folder.path(), "k.zip", &zip(&[("k.csv", row)], DEFLATED));
    assert_eq!(read_klines(&klines.path).unwrap().len(), 1);
    let trades = on_disk(folder.path(), "t.csv.gz", &gzip(&rows(1..=20)));
    let (tick, lot) = infer_steps(&trades.path, 1_000).unwrap();
    assert_eq!((tick.to_string().as_str(), lot.to_string().as_str()), ("0.1", "0.001"));
}

#[test]
fn a_cut_file_is_no_short_day() {
    let text = long();
    let gz = gzip(&text);
    for keep in [gz.len() - 1, gz.len() - 8, gz.len() / 2, 12] {
        let message = refusal(&vec![trades("a.csv.gz", &gz[..keep])]);
        assert_eq!(message, "a.csv.gz: the gzip data is truncated", "{keep} bytes");
    }
    let zip = zip(&[("a.csv", &text)], DEFLATED);
    for keep in [zip.len() - 1, zip.len() / 2, 30] {
        let message = refusal(&vec![trades("a.zip", &zip[..keep])]);
        assert_eq!(message, "a.zip: the zip data is truncated", "{keep} bytes");
    }
}

#[test]
fn a_flipped_byte_is_found() {
    let text = long();
    let mut gz = gzip(&text);
    let end = gz.len();
    gz[end - 6] ^= 1;
    let message = refusal(&vec![trades("a.gz", gz)]);
    assert!(message.starts_with("a.gz: the gzip data is damaged: "), "{message}");

    let mut stored = zip(&[("a.csv", &text)], CompressionMethod::Stored);
    let digit = stored.iter().rposition(|byte| *byte == b'7').unwrap();
    stored[digit] = b'8';
    let files = vec![trades("a.zip", stored)];
    let message = read(&files, accept()).unwrap_err().to_string();
    assert_eq!(message, "a.zip: the zip data is damaged: the checksum differs");
}

#[test]
fn a_zip_without_a_table_is_refused() {
    let files = vec![trades("a.zip", zip(&[("read.me", "hello")], DEFLATED))];
    assert_eq!(refusal(&files), "a.zip: the zip has no .csv member; at least one is needed");
}
