//! `arb replay`: a journal again, compared byte for byte.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use arb::Registry;
use arb::record;

use crate::output;
use crate::terminal::grouped;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A journal written by `arb backtest --journal`, or the folder of a node's log
    journal: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let name = args.journal.display();
    let journal = record::open(&args.journal).with_context(|| format!("{name}"))?;
    let replayed =
        record::replay(journal, Registry::builtin()).with_context(|| format!("{name}"))?;
    let (events, outputs) = (replayed.events, replayed.outputs);
    let Some(difference) = replayed.difference else {
        let (events, outputs) = (grouped(events), grouped(outputs));
        return output::stdout(format_args!(
            "identical: {events} events gave the same {outputs} outputs\n"
        ));
    };
    bail!(
        "{name}: output {} of event {} differs\n  event:    {}\n  recorded: {}\n  replayed: {}",
        difference.output,
        difference.event,
        difference.cause,
        difference.recorded.as_deref().unwrap_or("nothing"),
        difference.replayed.as_deref().unwrap_or("nothing"),
    )
}
