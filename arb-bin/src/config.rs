//! What a node is told: defaults < `arb.toml` < environment < flags.
//!
//! Every key has one name, which is also its place in the file; its variable is `ARB_` and that
//! name in capitals. The variables of the earlier system are read too.
//!
//! Invariant: a key that is unknown or a value that is not allowed is an error with its place,
//! never a default; and no secret is in a message, a log or a list.

mod environment;
mod file;
mod keys;
mod settings;
mod template;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize as _;
use toml::{Table, Value};

pub(crate) use self::environment::Variables;
use self::file::File;
pub(crate) use self::keys::{KEYS, Key};
pub(crate) use self::settings::{DataVenue, LogFormat, OrderVenue, Settings, TradeEnv};
pub(crate) use self::template::template;
use self::values::REDACTED;
pub(crate) use self::values::{Secret, Symbols};
use crate::commands::usage;

/// The file that is read where none is named.
pub(crate) const FILE: &str = "arb.toml";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File { name: String, line: usize },
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A flag that was given: the key it sets, its name, its text.
pub(crate) type Flag = (&'static str, &'static str, String);

/// Which file is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    /// The one that was named.
    Named(&'a Path),
    /// `arb.toml` where the command runs, if there is one.
    Found,
    /// None.
    Without,
}

impl<'a> Which<'a> {
    /// The file a flag names, or the one that is found.
    pub(crate) fn of(named: Option<&'a Path>) -> Self {
        named.map_or(Self::Found, Self::Named)
    }

    fn read(self) -> Result<Option<File>> {
        match self {
            Self::Without => Ok(None),
            Self::Named(path) => File::read(path).map(Some),
            Self::Found if Path::new(FILE).exists() => File::read(Path::new(FILE)).map(Some),
            Self::Found => Ok(None),
        }
    }
}

/// The values in force and where each comes from.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) settings: Settings,
    origins: BTreeMap<&'static str, Origin>,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// Variables that look like ours and name no key.
    pub(crate) unknown: Vec<String>,
}

impl Config {
    /// Lays the layers over each other.
    ///
    /// # Errors
    /// What is wrong, with its place; of a flag a usage error.
    pub(crate) fn load(which: Which<'_>, variables: &Variables, flags: &[Flag]) -> Result<Self> {
        let mut layered = Layered::new()?;
        let file = which.read()?;
        for (key, value, origin) in file.iter().flat_map(File::entries) {
            layered.put(key, value, origin);
        }
        for (key, name, text) in variables.values() {
            let value = Value::String(text);
            if let Err(flaw) = alone(key, &value) {
                bail!("{name}: {flaw}");
            }
            layered.put(key, value, Origin::Variable(name));
        }
        for (name, flag, text) in flags {
            let key = Key::find(name).with_context(|| format!("{flag} sets no key"))?;
            let value = Value::String(text.clone());
            if let Err(flaw) = alone(key, &value) {
                return usage(format!("{flag}: {flaw}"));
            }
            layered.put(key, value, Origin::Flag(flag));
        }
        let settings = Settings::deserialize(layered.table).context("the configuration")?;
        let (origins, unknown) = (layered.origins, variables.unknown());
        Ok(Self { settings, origins, file: file.map(File::into_path), unknown })
    }

    /// Where a key's value comes from.
    pub(crate) fn origin(&self, key: &Key) -> &Origin {
        self.origins.get(key.name).unwrap_or(&Origin::Default)
    }

    /// Every key with its value as text, secrets hidden; none where nothing is set.
    pub(crate) fn shown(&self) -> Result<Vec<(&'static Key, Option<String>)>> {
        let table = Table::try_from(&self.settings).context("the configuration")?;
        let text = |key: &Key| match value_at(&table, key.name) {
            Some(_) if key.secret => Some(REDACTED.to_owned()),
            value => value.map(ToString::to_string),
        };
        Ok(KEYS.iter().map(|key| (key, text(key))).collect())
    }

    /// A key with its value's place, for messages about what the value means.
    pub(crate) fn named(&self, name: &str) -> String {
        match Key::find(name) {
            Some(key) if *self.origin(key) != Origin::Default => {
                format!("{name} ({})", self.origin(key))
            }
            _ => name.to_owned(),
        }
    }
}

/// The folder of a node: what a flag says, else the configuration.
///
/// # Errors
/// As [`Config::load`].
pub(crate) fn data_folder(flag: Option<&Path>) -> Result<PathBuf> {
    if let Some(folder) = flag {
        return Ok(folder.to_owned());
    }
    let config = Config::load(Which::Found, &Variables::of_process(), &[])?;
    Ok(config.settings.data)
}

/// Layers over the defaults.
struct Layered {
    table: Table,
    origins: BTreeMap<&'static str, Origin>,
}

impl Layered {
    fn new() -> Result<Self> {
        let table = Table::try_from(Settings::default()).context("the defaults")?;
        Ok(Self { table, origins: BTreeMap::new() })
    }

    fn put(&mut self, key: &'static Key, value: Value, origin: Origin) {
        put(&mut self.table, key.name, value);
        self.origins.insert(key.name, origin);
    }
}

fn put(table: &mut Table, name: &str, value: Value) {
    match name.split_once('.') {
        None => _ = table.insert(name.to_owned(), value),
        Some((part, rest)) => {
            let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn value_at<'a>(table: &'a Table, name: &str) -> Option<&'a Value> {
    match name.split_once('.') {
        None => table.get(name),
        Some((part, rest)) => value_at(table.get(part)?.as_table()?, rest),
    }
}

/// What is wrong with a value, with its key.
fn alone(key: &Key, value: &Value) -> Result<(), String> {
    let mut table = Table::new();
    put(&mut table, key.name, value.clone());
    match Settings::deserialize(table) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{}: {}", key.name, key.flaw(error.message()))),
    }
}

#[cfg(test)]
mod tests;
