//! Output files and the standard streams.
//!
//! Invariants: a file appears under its name only when it is whole, so a run that fails leaves the
//! previous one as it was; no output is also an input or another output; a stream that cannot be
//! written is an error, never a panic. That is why nothing here or elsewhere in the command uses
//! `println!`.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::commands::usage;

/// Bytes handed to the system at once.
const CHUNK: usize = 1 << 18;

/// A file of the command line, with the flag that names it.
pub(crate) type Named<'a> = (&'static str, &'a Path);

/// Whether a path means standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-" || path == Path::new("/dev/stdout")
}

/// Refuses outputs that would be written over an input or over each other.
///
/// # Errors
/// A usage error that names both flags.
pub(crate) fn check_distinct(inputs: &[Named<'_>], outputs: &[Named<'_>]) -> Result<()> {
    for (at, (flag, path)) in outputs.iter().enumerate() {
        let inputs = inputs.iter().filter(|_| !is_stdout(path));
        let own = identity(path);
        let same = |other: &&Named<'_>| own.is_some() && identity(other.1) == own;
        if let Some((other, _)) = inputs.chain(outputs.iter().take(at)).find(same) {
            let path = path.display();
            return usage(format!("{flag} {path}: is the file of {other} too; name another one"));
        }
    }
    Ok(())
}

/// The same for every name of a file; devices and pipes have none, they may be named twice.
fn identity(path: &Path) -> Option<PathBuf> {
    if is_stdout(path) {
        return Some("-".into());
    }
    match path.canonicalize() {
        Ok(real) if real.is_file() => Some(real),
        Ok(_) => None,
        Err(_) => Some(folder(path).canonicalize().ok()?.join(path.file_name()?)),
    }
}

/// Where the file lies.
fn folder(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// An output: a file that appears when it is committed, or standard output.
#[derive(Debug)]
pub(crate) struct OutFile {
    name: String,
    out: BufWriter<Sink>,
}

#[derive(Debug)]
enum Sink {
    /// Lies beside `real` and takes its name at the end.
    Temporary {
        file: NamedTempFile,
        real: PathBuf,
    },
    /// A device or a pipe, which cannot be replaced.
    Direct(File),
    Stdout(io::Stdout),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary { file, .. } => file.write(bytes),
            Self::Direct(file) => file.write(bytes),
            Self::Stdout(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary { file, .. } => file.flush(),
            Self::Direct(file) => file.flush(),
            Self::Stdout(out) => out.flush(),
        }
    }
}

impl OutFile {
    /// Opens the output named by `flag`, `-` being standard output. Called before the run, so that
    /// a folder that is missing or not writable is told at once.
    ///
    /// # Errors
    /// When a file cannot be made there.
    pub(crate) fn create(flag: &str, path: &Path) -> Result<Self> {
        let name = format!("{flag} {}", path.display());
        let sink = sink(path).with_context(|| name.clone())?;
        Ok(Self { name, out: BufWriter::with_capacity(CHUNK, sink) })
    }

    /// Whether it is standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.out.get_ref(), Sink::Stdout(_))
    }

    /// Writes a value: one line on standard output, indented in a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let written = if self.is_stdout() {
            let line = serde_json::to_writer(&mut self.out, value).map_err(io::Error::from);
            line.and_then(|()| self.out.write_all(b"\n"))
        } else {
            serde_json::to_writer_pretty(&mut self.out, value).map_err(io::Error::from)
        };
        written.with_context(|| self.name.clone())
    }

    /// Gives the file its name; what had that name is replaced.
    ///
    /// # Errors
    /// When what is left cannot be written, or the name cannot be given.
    pub(crate) fn commit(self) -> Result<()> {
        let Self { name, out } = self;
        let flushed = out.into_inner().map_err(io::IntoInnerError::into_error);
        let done = flushed.and_then(|sink| match sink {
            Sink::Temporary { file, real } => {
                // A name must not come to stand for bytes that a power cut takes away.
                file.as_file().sync_all()?;
                file.persist(real).map(drop).map_err(|e| e.error)
            }
            Sink::Direct(mut file) => file.flush(),
            Sink::Stdout(mut out) => out.flush(),
        });
        done.with_context(|| name)
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn sink(path: &Path) -> Result<Sink> {
    if is_stdout(path) {
        return Ok(Sink::Stdout(io::stdout()));
    }
    let before = match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => bail!("is a folder; name a file in it"),
        Ok(meta) => {
            // A file that may not be written may not be replaced either.
            let file = File::options().write(true).open(path)?;
            if !meta.is_file() {
                return Ok(Sink::Direct(file));
            }
            Some(meta.permissions())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    // A link keeps pointing where it points.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = folder(&real);
    let file = temporary(folder)
        .with_context(|| format!("no file can be made in {}", folder.display()))?;
    if let Some(permissions) = before {
        file.as_file().set_permissions(permissions)?;
    }
    Ok(Sink::Temporary { file, real })
}

fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".arb-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What any new file gets; the process's mask takes away from it.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// A file without a name, gone when it is closed: beside `output`, where there will be room for
/// it, else where the system keeps such files.
///
/// # Errors
/// When a file cannot be made there.
pub(crate) fn spool(output: &Path) -> Result<File> {
    let made = match is_stdout(output) || identity(output).is_none() {
        true => tempfile::tempfile(),
        false => tempfile::tempfile_in(folder(output)),
    };
    made.with_context(|| format!("a temporary file beside {}", output.display()))
}

/// Writes text to standard output, to its last byte.
///
/// # Errors
/// When it cannot be written, such as to a closed pipe or a full disk.
pub(crate) fn stdout(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = write!(out, "{text}").and_then(|()| out.flush());
    written.context("standard output")
}

/// Writes a result to standard error, where standard output holds another.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn stderr(text: impl Display) -> Result<()> {
    write!(io::stderr().lock(), "{text}").context("standard error")
}

/// Asks for something on standard error; the answer is typed behind it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn prompt(text: impl Display) -> Result<()> {
    let mut out = io::stderr().lock();
    write!(out, "{text}").and_then(|()| out.flush()).context("standard error")
}

/// Tells something on standard error; a run does not fail because nobody can be told.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The error and its causes, each said once: some errors quote their cause themselves.
pub(crate) fn message(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !message.ends_with(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}
