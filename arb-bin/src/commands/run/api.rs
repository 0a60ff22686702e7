//! `arb run --role api`: the REST host alone, over the store of a node that runs elsewhere.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arb::desk::{DeskOptions, StoredDesk};
use arb::port::{Clock, Desk as _, Store};
use arb::sqlite::SqliteOptions;
use serde::Serialize;

use super::super::live::{FirstLogin, LiveArgs, Served, Serving, StopSignal, bind};
use crate::config::{Config, Symbols};
use crate::output;

/// The line of a host that is ready.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    pid: u32,
    data: &'a Path,
    rest: &'a str,
}

pub(super) async fn serve(args: &LiveArgs, config: &Config, clock: Arc<dyn Clock>) -> Result<()> {
    let folder = config.settings.data.as_path();
    let file = folder.join("arb.db");
    if !file.is_file() {
        let shown = folder.display();
        bail!("{}: {shown} holds no arb.db; arb run --data {shown} makes it", config.named("data"));
    }
    let Some(listener) = bind(args.host, config).await? else {
        bail!("{}: --role api is the host, and it is switched off", config.named("http.enabled"))
    };
    let mut stop = StopSignal::new()?;
    let named = || format!("{}", file.display());
    let store = Arc::new(SqliteOptions::new(&file).open().await.with_context(named)?);
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let desk = StoredDesk::open(DeskOptions::new(Arc::clone(&shared), Arc::clone(&clock))).await?;
    let symbols = symbols(config, &desk);
    let served = Served { desk: Arc::new(desk), store: shared, clock, symbols };
    let mut serving = Serving::start(listener, served, (config, folder), FirstLogin::Told).await?;
    if args.ready_json {
        let ready = Ready { pid: std::process::id(), data: folder, rest: &serving.rest };
        output::stdout(format_args!("{}\n", serde_json::to_string(&ready)?))?;
    } else {
        serving.tell();
    }
    tokio::select! {
        () = stop.wait() => {}
        error = serving.ended() => return Err(error),
    }
    serving.stop().await;
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
    Ok(())
}

/// The symbols with order flow: those that the node showed, else those that are configured.
fn symbols(config: &Config, desk: &StoredDesk) -> Vec<String> {
    let view = desk.snapshot();
    let perpetual = |id: arb::InstrumentId| {
        view.instruments.get(id.index()).and_then(|name| name.strip_prefix("um:"))
    };
    let shown: Vec<String> =
        view.rows.iter().filter_map(|(id, _)| perpetual(*id)).map(str::to_owned).collect();
    match &config.settings.symbols {
        _ if !shown.is_empty() => shown,
        Symbols::Listed(listed) => listed.clone(),
        Symbols::All => Vec::new(),
    }
}
