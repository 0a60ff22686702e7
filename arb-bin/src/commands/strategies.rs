//! `arb strategies`: what there is, whether a file is right, and what a score is made of.

mod explain;

use anyhow::{Context as _, Result, bail};
use arb::strategy::funding_carry;
use arb::strategy::layered_score::{self, LayeredScore};
use arb::{InputName, Registry, Tier};

use super::usage;
use crate::output;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Names of the strategies that come with the engine
    List,
    /// Read strategy files and tell what is wrong
    Check {
        /// Files or names
        #[arg(required = true)]
        strategies: Vec<String>,
    },
    /// Print the JSON Schema of a strategy kind
    Schema {
        /// The kind
        #[arg(default_value = "layered_score")]
        kind: String,
    },
    /// What a score is made of, and what can be reached
    Explain {
        /// File or name
        strategy: String,
        /// Market inputs at hand, such as open_interest,long_short_ratio; none unless given
        #[arg(long, value_delimiter = ',')]
        inputs: Vec<String>,
    },
}

/// The JSON text of a file or a built-in name, with what to call it in messages.
pub(crate) fn text_of(strategy: &str) -> Result<(String, String)> {
    if let Some(text) = Registry::builtin_text(strategy) {
        return Ok((format!("{strategy}.json"), text.to_owned()));
    }
    match std::fs::read_to_string(strategy) {
        Ok(text) => Ok((strategy.to_owned(), text)),
        Err(error) => {
            let names: Vec<&str> = Registry::builtin_names().collect();
            let known = names.join(", ");
            Err(error).with_context(|| {
                format!("{strategy}: neither a strategy file nor a built-in name ({known})")
            })
        }
    }
}

pub(crate) fn input_names(names: &[String]) -> Result<Vec<InputName>> {
    let known = InputName::ALL.map(InputName::as_str).join(", ");
    names
        .iter()
        .map(|name| match InputName::ALL.into_iter().find(|input| input.as_str() == name) {
            Some(input) => Ok(input),
            None => usage(format!("{name:?} is no market input; known inputs: {known}")),
        })
        .collect()
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::List => {
            let names: String = Registry::builtin_names().map(|name| format!("{name}\n")).collect();
            output::stdout(names)
        }
        Command::Check { strategies } => check(strategies),
        Command::Schema { kind } => {
            let schema = match kind.as_str() {
                "layered_score" => layered_score::schema(),
                "funding_carry" => funding_carry::schema(),
                _ => {
                    let known = "known kinds: funding_carry, layered_score";
                    return usage(format!("{kind:?} is no strategy kind; {known}"));
                }
            };
            output::stdout(serde_json::to_string_pretty(&schema)? + "\n")
        }
        Command::Explain { strategy, inputs } => {
            output::stdout(explain::text(strategy, &input_names(inputs)?)?)
        }
    }
}

fn check(strategies: &[String]) -> Result<()> {
    let mut wrong = 0_usize;
    for strategy in strategies {
        match text_of(strategy).and_then(|(file, text)| checked(&file, &text)) {
            Ok(note) => output::stdout(format_args!("{strategy}: ok{note}\n"))?,
            Err(error) => {
                output::note(format_args!("error: {}", output::message(&error)));
                wrong += 1;
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} strategies are refused", strategies.len());
    }
    Ok(())
}

fn checked(file: &str, text: &str) -> Result<String> {
    Registry::builtin().build(file, text)?;
    let Ok(score) = LayeredScore::parse(file, text) else { return Ok(String::new()) };
    let range = score.score_range(&[]);
    if range.reachable >= Some(Tier::Standard) {
        return Ok(format!(
            "; warning: without any market input the score still reaches {}, so it fires on order \
             flow alone (gates.min_inputs_present is {})",
            explain::rounded(range.max),
            explain::rounded(score.config().gates.min_inputs_present),
        ));
    }
    Ok(String::new())
}
