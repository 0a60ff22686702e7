//! Appends to the log. Blocking: a driver calls it where it may wait for the disk.
//!
//! Invariant: a flush is durable or it did not happen. One that fails half-way is cut off again, so
//! the same bytes can be offered once more when there is room; the caller keeps them until then.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use super::super::{Kind, RecordError};
use super::encode::append_raw;
use super::segment::{self, LogHeader, Scan};
use super::{LogBuffer, LogOptions, Seq, in_file};

/// The end of the log.
#[derive(Debug)]
pub struct LogWriter {
    options: LogOptions,
    file: File,
    path: PathBuf,
    /// Durable bytes of the segment.
    length: u64,
    last: Seq,
    /// Held while this process writes.
    _lock: File,
}

/// A log that was opened for writing.
#[derive(Debug)]
pub struct Opened {
    /// Appends behind the last whole record.
    pub writer: LogWriter,
    /// What was cut off the end, if anything was.
    pub torn: Option<Torn>,
}

/// Bytes that were cut off the end of the log: a write that death interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// How many bytes.
    pub bytes: u64,
    /// What was wrong with them.
    pub what: String,
    /// Where they are kept.
    pub kept: PathBuf,
}

impl LogWriter {
    /// Opens or begins the log of a folder; cuts off a torn end.
    ///
    /// # Errors
    /// [`RecordError::Locked`] while another process writes it, [`RecordError::Version`] when
    /// another engine wrote it, [`RecordError::Corrupt`] when it is damaged, [`RecordError::Io`]
    /// when the folder cannot be written.
    pub fn open(options: LogOptions, header: &LogHeader) -> Result<Opened, RecordError> {
        let folder = &options.folder;
        fs::create_dir_all(folder).map_err(|e| in_file(folder, e.into()))?;
        let lock = lock(&options)?;
        let mut segments = segment::list(folder).map_err(|e| in_file(folder, e.into()))?;
        while let Some(last) = segments.pop() {
            match segment::scan(&last.path)? {
                Some(scan) => return Self::resume(options, lock, (last, scan), header),
                // Its header was being written when the process died; nothing is in it.
                None => fs::remove_file(&last.path).map_err(|e| in_file(&last.path, e.into()))?,
            }
        }
        let header = LogHeader { first_seq: 1, ..header.clone() };
        let (file, length) = segment::create(folder, &header)?;
        let path = segment::path_of(folder, 1);
        let writer = Self { options, file, path, length, last: 0, _lock: lock };
        Ok(Opened { writer, torn: None })
    }

    fn resume(
        options: LogOptions,
        lock: File,
        (last, scan): (segment::Segment, Scan),
        header: &LogHeader,
    ) -> Result<Opened, RecordError> {
        if scan.header.run != header.run {
            return Err(RecordError::OtherRun {
                folder: options.folder,
                found: scan.header.run,
                given: header.run,
            });
        }
        let path = last.path;
        let file = File::options().read(true).write(true).open(&path);
        let mut file = file.map_err(|e| in_file(&path, e.into()))?;
        let torn = keep_torn(&mut file, &path, &scan).map_err(|e| in_file(&path, e.into()))?;
        let last = last.first - 1 + scan.records;
        let length = scan.whole;
        let mut writer = Self { options, file, path, length, last, _lock: lock };
        if scan.is_sealed {
            writer.begin(&LogHeader { first_seq: last + 1, ..header.clone() })?;
        }
        Ok(Opened { writer, torn })
    }

    /// Number of the last durable record.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// Whether the segment has its size and the next one should begin.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.length >= self.options.segment_bytes
    }

    /// Writes the records of a buffer and waits until they are durable.
    ///
    /// # Errors
    /// [`RecordError::Io`]; then nothing of the buffer counts as written, and the call may be
    /// repeated with the same records.
    pub fn flush(&mut self, buffer: &LogBuffer) -> Result<(), RecordError> {
        let bytes = buffer.bytes();
        self.append(bytes).map_err(|e| in_file(&self.path, e.into()))?;
        self.last = buffer.last();
        Ok(())
    }

    /// Seals the segment and begins the next one with `header`, whose `first_seq` is set here.
    ///
    /// # Errors
    /// [`RecordError::Io`]; the call may be repeated.
    pub fn rotate(&mut self, header: &LogHeader) -> Result<(), RecordError> {
        if !self.is_sealed()? {
            let mut end = Vec::new();
            append_raw(&mut end, Kind::End, &[])?;
            self.append(&end).map_err(|e| in_file(&self.path, e.into()))?;
        }
        self.begin(&LogHeader { first_seq: self.last + 1, ..header.clone() })
    }

    /// A rotation that failed between its two steps has sealed already.
    fn is_sealed(&self) -> Result<bool, RecordError> {
        let next = segment::path_of(&self.options.folder, self.last + 1);
        Ok(next.exists() && segment::scan(&self.path)?.is_some_and(|scan| scan.is_sealed))
    }

    fn begin(&mut self, header: &LogHeader) -> Result<(), RecordError> {
        let (file, length) = segment::create(&self.options.folder, header)?;
        self.path = segment::path_of(&self.options.folder, header.first_seq);
        (self.file, self.length) = (file, length);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check_room(bytes.len() as u64)?;
        let file = &mut self.file;
        let written = file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| file.write_all(bytes))
            .and_then(|()| file.sync_data());
        match written {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // After a failed sync the kernel may have dropped the pages: everything since the
                // last good one has to be written again.
                let _ = file.set_len(self.length);
                Err(error)
            }
        }
    }
}

impl LogWriter {
    fn check_room(&self, needed: u64) -> io::Result<()> {
        let Some(most) = self.options.max_bytes else { return Ok(()) };
        let mut held = 0;
        for entry in fs::read_dir(&self.options.folder)? {
            held += entry?.metadata()?.len();
        }
        if held.saturating_add(needed) <= most {
            return Ok(());
        }
        let what = format!("the log may hold {most} bytes and holds {held}");
        Err(io::Error::new(io::ErrorKind::StorageFull, what))
    }
}

fn lock(options: &LogOptions) -> Result<File, RecordError> {
    let path = options.folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| in_file(&path, e.into()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(RecordError::Locked { folder: options.folder.clone() })
        }
        Err(TryLockError::Error(e)) => Err(in_file(&path, e.into())),
    }
}

/// Cuts off what is torn and keeps it in a file beside the segment.
fn keep_torn(file: &mut File, path: &std::path::Path, scan: &Scan) -> io::Result<Option<Torn>> {
    let Some(what) = scan.torn.clone() else { return Ok(None) };
    file.seek(SeekFrom::Start(scan.whole))?;
    let kept = path.with_extension(format!("torn-{}", scan.whole));
    let mut copy = File::create(&kept)?;
    let bytes = io::copy(file, &mut copy)?;
    copy.sync_all()?;
    file.set_len(scan.whole)?;
    file.sync_all()?;
    Ok(Some(Torn { bytes, what, kept }))
}
