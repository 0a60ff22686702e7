//! The file that `arb config init` writes: every key with its meaning, its variable, its default.
//!
//! Invariant: as written it changes nothing, because every key is a comment; without the comment
//! signs it says the defaults and examples.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use toml::Table;

use super::keys::{KEYS, Key};
use super::settings::Settings;
use super::value_at;

const HEAD: &str = "\
# What a node is told. Lines that begin with #: are keys with their defaults: take away the #: to
# set one. Stronger than this file are variables of the environment, stronger still are flags.
# `arb config check` says what is wrong, `arb config show` what is in force and from where.
";
/// Before a key that is not set.
pub(super) const UNSET: &str = "#: ";

/// The text of the file.
pub(crate) fn template() -> Result<String> {
    let defaults = Table::try_from(Settings::default()).context("the defaults")?;
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (own, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if own != section {
            section = own;
            let _ = write!(text, "\n[{section}]\n");
        }
        write_key(&mut text, key, name, &defaults);
    }
    Ok(text)
}

fn write_key(text: &mut String, key: &Key, name: &str, defaults: &Table) {
    let variables = match key.earlier {
        Some(earlier) => format!("{} or {earlier}", key.variable()),
        None => key.variable(),
    };
    let _ = writeln!(text, "\n# {}\n# Variable: {variables}.", wrapped(key.meaning));
    let _ = match value_at(defaults, key.name) {
        Some(value) => writeln!(text, "{UNSET}{name} = {value}"),
        None => {
            let example = key.example.unwrap_or("\"\"");
            writeln!(text, "# None unless set, for example:\n{UNSET}{name} = {example}")
        }
    };
}

/// Lines of a comment.
fn wrapped(meaning: &str) -> String {
    let (mut text, mut width) = (String::new(), 0);
    for word in meaning.split(' ') {
        if width + word.chars().count() > 96 {
            text.push_str("\n#");
            width = 0;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
        width += word.chars().count() + 1;
    }
    text
}
