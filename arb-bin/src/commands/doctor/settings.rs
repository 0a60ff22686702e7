//! Whether the settings can be read, and whether this version does what they ask for.

use anyhow::Result;

use super::Found;
use crate::commands::run::refuse;
use crate::config::{Config, FILE};
use crate::output::message;

const CHECK: &str = "settings";

/// The settings, where they can be read, and what is to be said of them.
pub(super) fn look(loaded: Result<Config>) -> (Option<Config>, Vec<Found>) {
    let config = match loaded {
        Ok(config) => config,
        Err(error) => {
            let remedy = "mend it; arb config show lists every key with its meaning";
            return (None, vec![Found::bad(CHECK, message(&error), remedy)]);
        }
    };
    let mut found = vec![match refuse(&config) {
        Ok(()) => Found::well(CHECK, told(&config)),
        Err(error) => {
            Found::bad(CHECK, message(&error), "arb config check tells when it is mended")
        }
    }];
    for name in &config.unknown {
        let text = format!("the variable {name} is no setting");
        found.push(Found::note(CHECK, text, "arb config show --json lists all variables"));
    }
    (Some(config), found)
}

fn told(config: &Config) -> String {
    match &config.file {
        Some(file) => format!("{} is right", file.display()),
        None => format!("no {FILE}, defaults and environment are in force"),
    }
}
