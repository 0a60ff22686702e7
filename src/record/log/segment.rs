//! One file of the log: its name, its header, and where its whole records end.
//!
//! Invariant: a tail counts as torn only if nothing whole lies behind the first broken record;
//! else something was damaged after it had been written, and nobody may cut that off.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use arb_core::{ENGINE_VERSION, EngineConfig, RunId};
use serde::{Deserialize, Serialize};

use super::super::reader::Reader;
use super::super::{Header, Kind, MAGIC, MAX_RECORD, RecordError, checksum};
use super::encode::append_raw;
use super::{Seq, in_file};

/// What a segment says about itself beside the version of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHeader {
    /// Number of its first record.
    pub first_seq: Seq,
    /// The run.
    pub run: RunId,
    /// Symbols in the order of their numbers, such as `um:BTCUSDT`.
    pub instruments: Vec<String>,
    /// SHA-256 of `configuration`.
    pub config_hash: String,
    /// JSON text of the configuration in force at the segment's beginning.
    pub configuration: String,
}

impl LogHeader {
    /// The header of a segment that begins under `config`.
    ///
    /// # Errors
    /// [`RecordError::Io`] when the configuration cannot be written as JSON.
    pub fn new(config: &EngineConfig) -> Result<Self, RecordError> {
        let configuration = serde_json::to_string(config).map_err(io::Error::from)?;
        Ok(Self {
            first_seq: 1,
            run: config.run,
            instruments: config.instruments.iter().map(|i| i.spec.qualified_name()).collect(),
            config_hash: arb_core::hash_of(configuration.as_bytes()),
            configuration,
        })
    }
}

/// Reads the records of a segment, or of its first part.
pub(super) type SegmentReader = Reader<BufReader<io::Take<File>>>;

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: Seq,
    pub(super) path: PathBuf,
}

/// The segments of a folder in order; none where there is no folder.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|ext| ext == "arbj");
        let first = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(first) = first.filter(|_| is_segment) {
            segments.push(Segment { first, path });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

pub(super) fn path_of(folder: &Path, first: Seq) -> PathBuf {
    folder.join(format!("{first:020}.arbj"))
}

/// Creates a segment with its header and makes it durable.
pub(super) fn create(folder: &Path, header: &LogHeader) -> Result<(File, u64), RecordError> {
    let path = path_of(folder, header.first_seq);
    let mut bytes = MAGIC.to_vec();
    let header =
        Header { engine_version: ENGINE_VERSION.to_owned(), log: Some(Box::new(header.clone())) };
    let text = serde_json::to_vec(&header).map_err(io::Error::from)?;
    append_raw(&mut bytes, Kind::Header, &text)?;
    let written = || -> io::Result<File> {
        // Not `create_new`: a try that failed half-way on a full disk leaves a file behind.
        let mut file =
            File::options().create(true).truncate(true).write(true).read(true).open(&path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(file)
    };
    let file = written().map_err(|e| in_file(&path, RecordError::Io(e)))?;
    Ok((file, bytes.len() as u64))
}

/// Opens a segment for reading, behind its header.
pub(super) fn open(path: &Path) -> Result<(SegmentReader, LogHeader), RecordError> {
    let file = File::open(path).map_err(|e| in_file(path, RecordError::Io(e)))?;
    open_within(path, file, u64::MAX)
}

/// [`open`] of the first `length` bytes.
pub(super) fn open_within(
    path: &Path,
    file: File,
    length: u64,
) -> Result<(SegmentReader, LogHeader), RecordError> {
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, file.take(length)));
    let (found, log) = reader.full_header().map_err(|e| in_file(path, e))?;
    if found != ENGINE_VERSION {
        return Err(in_file(path, RecordError::Version { found, own: ENGINE_VERSION }));
    }
    let log =
        log.ok_or_else(|| in_file(path, reader.corrupt("the header is not that of a log")))?;
    Ok((reader, *log))
}

/// What a look through a whole segment found.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) header: LogHeader,
    /// Events and outputs.
    pub(super) records: u64,
    /// Bytes of whole records, header and magic among them.
    pub(super) whole: u64,
    pub(super) is_sealed: bool,
    /// What is wrong with the bytes behind, if there are some.
    pub(super) torn: Option<String>,
    /// Bytes up to and without the last event, and the records before it.
    pub(super) before_last: (u64, u64),
}

/// Looks through a segment; none when not even its header is whole and nothing else is in it.
///
/// # Errors
/// [`RecordError`] when the file is damaged elsewhere than at its end.
pub(super) fn scan(path: &Path) -> Result<Option<Scan>, RecordError> {
    let (mut reader, header) = match open(path) {
        Ok(opened) => opened,
        Err(error) => return if is_unborn(path)? { Ok(None) } else { Err(error) },
    };
    let (records, whole) = (0, reader.offset());
    let mut scan =
        Scan { header, records, whole, is_sealed: false, torn: None, before_last: (whole, 0) };
    loop {
        let kind = match reader.next() {
            Ok(kind) => kind,
            Err(RecordError::Io(e)) => return Err(in_file(path, RecordError::Io(e))),
            Err(error) => {
                if holds_whole_record(path, scan.whole)? {
                    return Err(in_file(path, error));
                }
                let length = fs::metadata(path).map_err(|e| in_file(path, e.into()))?.len();
                scan.torn = (length > scan.whole).then(|| error.to_string());
                return Ok(Some(scan));
            }
        };
        match kind {
            Kind::End => {
                scan.whole = reader.offset();
                scan.is_sealed = true;
                return Ok(Some(scan));
            }
            Kind::Header => return Err(in_file(path, reader.corrupt_last("a second header"))),
            Kind::Event => scan.before_last = (scan.whole, scan.records),
            Kind::Output => {}
        }
        scan.whole = reader.offset();
        scan.records += 1;
    }
}

/// Whether a file was begun and got no further than its header.
fn is_unborn(path: &Path) -> Result<bool, RecordError> {
    let mut file = File::open(path).map_err(|e| in_file(path, e.into()))?;
    let mut magic = Vec::new();
    let start = (&mut file).take(MAGIC.len() as u64).read_to_end(&mut magic);
    start.map_err(|e| in_file(path, e.into()))?;
    if !MAGIC.starts_with(&magic) {
        return Ok(false);
    }
    let mut head = Vec::new();
    file.take(9).read_to_end(&mut head).map_err(|e| in_file(path, e.into()))?;
    let length = fs::metadata(path).map_err(|e| in_file(path, e.into()))?.len();
    let announced = match head.first_chunk::<4>() {
        Some(bytes) => u64::from(u32::from_le_bytes(*bytes)),
        None => return Ok(true),
    };
    Ok(length < MAGIC.len() as u64 + 9 + announced && !holds_whole_record(path, 0)?)
}

/// Whether a whole record begins somewhere behind `from`.
fn holds_whole_record(path: &Path, from: u64) -> Result<bool, RecordError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut rest = Vec::new();
        file.read_to_end(&mut rest)?;
        Ok(rest)
    };
    let rest = read().map_err(|e| in_file(path, e.into()))?;
    Ok((1..rest.len()).any(|at| rest.get(at..).is_some_and(begins_with_record)))
}

fn begins_with_record(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk::<9>() else { return false };
    let [a, b, c, d, sum @ .., code] = head;
    let length = u32::from_le_bytes([*a, *b, *c, *d]);
    let payload = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let (Some(payload), Some(_)) = (payload, Kind::from_code(*code)) else { return false };
    length <= MAX_RECORD && checksum(*code, payload) == u32::from_le_bytes(*sum)
}
