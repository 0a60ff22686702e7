//! `arb config`: the file of a node's settings, written, checked, and shown with its layers.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use serde::Serialize;

use super::run::refuse;
use crate::config::{Config, FILE, Variables, Which, template};
use crate::output;
use crate::terminal::counted;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write arb.toml: every key with its meaning and its default, as comments
    Init {
        /// The file; it must not exist
        #[arg(default_value = FILE)]
        file: PathBuf,
    },
    /// Read the file and the environment and tell what arb run would refuse
    Check {
        /// The file; arb.toml where there is one
        file: Option<PathBuf>,
    },
    /// Print every value in force and where it comes from; secrets stay hidden
    Show {
        /// The file; arb.toml where there is one
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Init { file } => init(file),
        Command::Check { file } => check(file.as_deref()),
        Command::Show { config, json: false } => output::stdout(table(&load(config.as_deref())?)?),
        Command::Show { config, json: true } => {
            let lines = lines(&load(config.as_deref())?)?;
            output::stdout(format_args!("{}\n", serde_json::to_string_pretty(&lines)?))
        }
    }
}

fn load(file: Option<&Path>) -> Result<Config> {
    let config = Config::load(Which::of(file), &Variables::of_process(), &[])?;
    note_unknown(&config);
    Ok(config)
}

/// Tells of variables that name no key: most likely they were meant to.
pub(super) fn note_unknown(config: &Config) {
    for name in &config.unknown {
        output::note(format_args!("note: {name} is no setting; arb config show lists all"));
    }
}

fn init(file: &Path) -> Result<()> {
    let name = file.display();
    let created = std::fs::File::create_new(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            anyhow!("{name}: exists already and is left as it is; name another file")
        }
        _ => anyhow!("{name}: {error}"),
    });
    let written = created?.write_all(template()?.as_bytes());
    written.with_context(|| format!("{name}"))?;
    output::note(format_args!("{name}: every key is a comment; arb config check {name} tests it"));
    Ok(())
}

fn check(file: Option<&Path>) -> Result<()> {
    let config = load(file)?;
    refuse(&config)?;
    let name = config.file.as_deref().map_or_else(
        || format!("no {FILE}; arb config init writes one"),
        |file| file.display().to_string(),
    );
    let shown = config.shown()?;
    let set = shown.iter().filter(|(key, _)| config.origin(key).to_string() != "default").count();
    let set = counted(set.try_into().unwrap_or(u64::MAX), "value");
    output::stdout(format_args!(
        "{name}: right; {set} differ from the defaults by file or variable\n"
    ))
}

/// One key of the list.
#[derive(Debug, Serialize)]
struct Line {
    key: &'static str,
    value: Option<String>,
    from: String,
    variable: String,
    meaning: &'static str,
}

fn lines(config: &Config) -> Result<Vec<Line>> {
    let line = |(key, value): (&'static crate::config::Key, Option<String>)| Line {
        key: key.name,
        value,
        from: config.origin(key).to_string(),
        variable: key.variable(),
        meaning: key.meaning,
    };
    Ok(config.shown()?.into_iter().map(line).collect())
}

fn table(config: &Config) -> Result<String> {
    let lines = lines(config)?;
    let value = |line: &Line| line.value.clone().unwrap_or_else(|| "-".to_owned());
    let keys = lines.iter().map(|line| line.key.len()).max().unwrap_or_default();
    let values = lines.iter().map(|line| value(line).chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for line in &lines {
        let _ = writeln!(text, "{:<keys$}  {:<values$}  {}", line.key, value(line), line.from);
    }
    Ok(text)
}
