//! Where the bytes of a file come from, and how they are unpacked.
//!
//! Invariant: everything streams; neither a file nor a zip member is ever held whole. The packing
//! is told by the first bytes, not by the name, so a renamed download still opens. Sizes and
//! checksums are verified, because a truncated file must not pass for a short day.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::CrcReader;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::arbt::ArbtFile;
use super::error::TapeError;

/// Bytes read from the system at once.
const CHUNK: usize = 128 * 1024;

/// Counts packed bytes, for a progress bar.
pub(super) type Consumed = Arc<AtomicU64>;

/// A file or its content.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

pub(super) trait Bytes: Read + Seek + Send {}
impl<R: Read + Seek + Send> Bytes for R {}

impl Origin {
    pub(super) fn open(&self) -> io::Result<Box<dyn Bytes>> {
        Ok(match self {
            Self::File(path) => Box::new(File::open(path)?),
            Self::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        })
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path).map(|meta| meta.len()),
            Self::Memory(bytes) => Ok(bytes.len().try_into().unwrap_or(u64::MAX)),
        }
    }

    /// Whether it can be read twice: its beginning is looked at before the whole is read.
    fn is_regular(&self) -> io::Result<bool> {
        match self {
            Self::File(path) => std::fs::metadata(path).map(|meta| meta.is_file()),
            Self::Memory(_) => Ok(true),
        }
    }
}

/// A file with its name for messages.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub(super) name: Arc<str>,
    pub(super) origin: Origin,
}

/// One CSV text: a file, or a member of a zip.
#[derive(Clone, Debug)]
pub(super) struct Part {
    name: Arc<str>,
    origin: Origin,
    packing: Packing,
}

#[derive(Clone, Copy, Debug)]
enum Packing {
    Plain,
    Gzip,
    Zip(Member),
}

/// Where a member lies in its zip, and what it must unpack to.
#[derive(Clone, Copy, Debug)]
struct Member {
    start: u64,
    packed: u64,
    size: u64,
    crc: u32,
    method: CompressionMethod,
}

impl Packed {
    pub(super) fn io(&self, source: io::Error) -> TapeError {
        TapeError::Io { file: Arc::clone(&self.name), source }
    }

    /// Bytes on disk.
    pub(super) fn size(&self) -> Result<u64, TapeError> {
        self.origin.size().map_err(|e| self.io(e))
    }

    /// The tape, where it is one.
    pub(super) fn tape(&self, consumed: &Consumed) -> Result<Option<Arc<ArbtFile>>, TapeError> {
        match self.origin.is_regular() {
            Ok(true) => Ok(ArbtFile::open(self, consumed)?.map(Arc::new)),
            // What cannot be read twice is refused with the texts.
            Ok(false) => Ok(None),
            Err(error) => Err(self.io(error)),
        }
    }

    /// The CSV texts inside: several only for a zip, in the order of their names.
    pub(super) fn parts(&self) -> Result<Vec<Part>, TapeError> {
        if !self.origin.is_regular().map_err(|e| self.io(e))? {
            let what = "is not a regular file, and is read more than once; \
                        write a pipe's data to a file and name that, or name the files of a folder";
            return Err(TapeError::Unsupported { file: Arc::clone(&self.name), what });
        }
        let mut reader = self.origin.open().map_err(|e| self.io(e))?;
        let mut magic = Vec::new();
        reader.by_ref().take(4).read_to_end(&mut magic).map_err(|e| self.io(e))?;
        let packing = match magic.as_slice() {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            b"PK\x03\x04" | b"PK\x05\x06" => return self.members(reader),
            _ => Packing::Plain,
        };
        let (name, origin) = (Arc::clone(&self.name), self.origin.clone());
        Ok(vec![Part { name, origin, packing }])
    }

    fn members(&self, reader: Box<dyn Bytes>) -> Result<Vec<Part>, TapeError> {
        let file = || Arc::clone(&self.name);
        let mut zip = ZipArchive::new(reader).map_err(|e| self.zip(e))?;
        let mut found = Vec::new();
        for index in 0..zip.len() {
            let member = zip.by_index_raw(index).map_err(|e| self.zip(e))?;
            let name = String::from_utf8_lossy(member.name_raw()).into_owned();
            if member.is_dir() || !name.to_ascii_lowercase().ends_with(".csv") {
                continue;
            }
            if member.encrypted() {
                let what = "is encrypted; only plain zip files are allowed";
                return Err(TapeError::Unsupported { file: file(), what });
            }
            let method = member.compression();
            if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
                let what = "is packed by an unknown method; stored and deflate are allowed";
                return Err(TapeError::Unsupported { file: file(), what });
            }
            let start = member.data_start().ok_or_else(|| self.truncated())?;
            let (packed, size) = (member.compressed_size(), member.size());
            found.push((name, Member { start, packed, size, crc: member.crc32(), method }));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        if found.is_empty() {
            let what = "the zip has no .csv member; at least one is needed";
            return Err(TapeError::Unsupported { file: file(), what });
        }
        let alone = found.len() == 1;
        let part = |(member, place): (String, Member)| Part {
            name: if alone { file() } else { format!("{}/{member}", self.name).into() },
            origin: self.origin.clone(),
            packing: Packing::Zip(place),
        };
        Ok(found.into_iter().map(part).collect())
    }

    fn truncated(&self) -> TapeError {
        TapeError::Truncated { file: Arc::clone(&self.name), packing: "zip" }
    }

    fn zip(&self, error: ZipError) -> TapeError {
        match error {
            ZipError::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                self.truncated()
            }
            ZipError::Io(source) => self.io(source),
            // The directory is the last thing in a zip: without it the end is missing.
            ZipError::InvalidArchive(reason)
                if reason.contains("EOCD") || reason.starts_with("Unexpected end") =>
            {
                self.truncated()
            }
            other => TapeError::Damaged {
                file: Arc::clone(&self.name),
                packing: "zip",
                reason: other.to_string(),
            },
        }
    }
}

impl Part {
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The unpacked text; packed bytes are counted in `consumed`.
    pub(super) fn open(&self, consumed: &Consumed) -> Result<Box<dyn Read + Send>, TapeError> {
        let counted = |inner| Counted { inner, consumed: Arc::clone(consumed) };
        let mut reader = self.origin.open().map_err(|e| self.error(e))?;
        Ok(match self.packing {
            Packing::Plain => Box::new(counted(reader)),
            Packing::Gzip => {
                let input = BufReader::with_capacity(CHUNK, counted(reader));
                Box::new(MultiGzDecoder::new(input))
            }
            Packing::Zip(member) => {
                reader.seek(SeekFrom::Start(member.start)).map_err(|e| self.error(e))?;
                let input = counted(reader).take(member.packed);
                let unpacked: Box<dyn Read + Send> = match member.method {
                    CompressionMethod::Stored => Box::new(input),
                    _ => Box::new(DeflateDecoder::new(BufReader::with_capacity(CHUNK, input))),
                };
                Box::new(Verified { inner: CrcReader::new(unpacked), member, length: 0 })
            }
        })
    }

    /// The meaning of a failed read.
    #[cold]
    pub(super) fn error(&self, source: io::Error) -> TapeError {
        let file = Arc::clone(&self.name);
        let packing = match self.packing {
            Packing::Plain => return TapeError::Io { file, source },
            Packing::Gzip => "gzip",
            Packing::Zip(_) => "zip",
        };
        match source.kind() {
            io::ErrorKind::UnexpectedEof => TapeError::Truncated { file, packing },
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                TapeError::Damaged { file, packing, reason: source.to_string() }
            }
            _ => TapeError::Io { file, source },
        }
    }
}

struct Counted<R> {
    inner: R,
    consumed: Consumed,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        // Nothing is published by this number, it only moves a bar.
        self.consumed.fetch_add(count.try_into().unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}

/// A zip member that must have the length and checksum its directory names.
struct Verified<R> {
    inner: CrcReader<R>,
    member: Member,
    length: u64,
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.length = self.length.saturating_add(count.try_into().unwrap_or(u64::MAX));
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        if self.length < self.member.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.length > self.member.size || self.inner.crc().sum() != self.member.crc {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum differs"));
        }
        Ok(0)
    }
}
