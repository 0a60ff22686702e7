//! `arb doctor`: whether a node could run here, and what to do where it could not.

mod folder;
mod settings;
mod venue;

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::live::block_on;
use crate::config::{Config, Variables, Which};
use crate::output;
use crate::terminal::{Style, counted};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a node; the configured one unless told
    #[arg(long)]
    data: Option<PathBuf>,
    /// The line of a simulated venue instead of the exchange
    #[arg(long, value_name = "FILE")]
    venue_json: Option<PathBuf>,
    /// File of settings; arb.toml where there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read the whole store, which takes its time
    #[arg(long)]
    deep: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a look at one thing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Well,
    /// It works, and something should be known.
    Note,
    Bad,
}

/// What a look at one thing found.
#[derive(Debug, Serialize)]
struct Found {
    check: &'static str,
    state: State,
    text: String,
    /// What to do; none where nothing is to be done.
    remedy: Option<String>,
}

impl Found {
    fn well(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, state: State::Well, text: text.into(), remedy: None }
    }

    fn note(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: State::Note, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn bad(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: State::Bad, text: text.into(), remedy: Some(remedy.into()) }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let loaded = Config::load(Which::of(args.config.as_deref()), &Variables::of_process(), &[]);
    let (config, mut all) = settings::look(loaded);
    let folder = args.data.clone().or_else(|| Some(config.as_ref()?.settings.data.clone()));
    let folder = folder.unwrap_or_else(|| "arb-data".into());
    block_on(async {
        all.extend(venue::look(args.venue_json.as_deref(), config.as_ref()).await?);
        all.extend(folder::look(&folder, args.deep).await);
        show(args, &all)
    })
}

fn show(args: &Args, all: &[Found]) -> Result<()> {
    let bad = all.iter().filter(|found| found.state == State::Bad).count();
    if args.json {
        let report = serde_json::json!({ "well": bad == 0, "checks": all });
        output::stdout(format_args!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        let style = Style::of(&std::io::stdout());
        for Found { check, state, text, remedy } in all {
            let mark = match state {
                State::Well => style.paint("32", "well"),
                State::Note => style.paint("33", "note"),
                State::Bad => style.paint("31", "bad "),
            };
            let remedy = remedy.as_ref().map(|r| format!("\n{:22}→ {r}", ""));
            let remedy = remedy.unwrap_or_default();
            output::stdout(format_args!("{mark}  {check:<14}  {text}{remedy}\n"))?;
        }
    }
    if bad > 0 {
        let bad = counted(bad.try_into().unwrap_or(u64::MAX), "problem");
        anyhow::bail!("{bad} found; see above");
    }
    Ok(())
}
