//! The REST host of a command that runs: where it listens, who may log in.
//!
//! Invariant: the port is taken before anything else is done, so a port in use is told at once; a
//! host that ends by itself ends the command.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arb::accounts::{AccountOptions, AccountService, OneTimeLogin, SigningKeys};
use arb::http::{Host, HttpOptions};
use arb::node::WallClock;
use arb::port::{Clock, Desk, Store};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::output;

/// Time that open requests are given at the end; the whole command has five seconds.
const STOP: Duration = Duration::from_secs(1);

/// Where the host listens; what is left out comes from the configuration.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct HostArgs {
    /// Port of the REST host and the dashboard; 0 is any free one
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Address and port of the REST host; beyond this machine put it behind a proxy with TLS
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "port")]
    pub(crate) listen: Option<SocketAddr>,
}

/// Who gets the first login where there is no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstLogin {
    /// An admin is made, and told once.
    Made,
    /// It is told how to make one.
    Told,
}

/// What is served.
pub(crate) struct Served {
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) symbols: Vec<String>,
}

/// A port that says how far the start is until its host can serve.
pub(crate) struct Starting {
    listener: std::net::TcpListener,
    news: watch::Sender<String>,
    /// Ends it when it is dropped.
    _ready: oneshot::Sender<()>,
}

impl Starting {
    /// Answers from now on.
    ///
    /// # Errors
    /// When the port cannot be shared with the host to come.
    pub(crate) fn begin(listener: TcpListener, config: &Config) -> Result<Self> {
        let listener = listener.into_std().context("the REST host's port")?;
        let own = TcpListener::from_std(listener.try_clone()?)?;
        tracing::info!("REST: http://{} says how far the start is", own.local_addr()?);
        let (news, hears) = watch::channel("asks the venue what is listed".to_owned());
        let (ready, is_ready) = oneshot::channel::<()>();
        let what = (http_options(config), Arc::new(WallClock) as Arc<dyn Clock>);
        tokio::spawn(async move {
            let ready = async {
                let _ = is_ready.await;
            };
            arb::http::serve_starting(own, what, hears, ready).await;
        });
        Ok(Self { listener, news, _ready: ready })
    }

    /// Says how far the start is.
    pub(crate) fn tell(&self, news: String) {
        self.news.send_replace(news);
    }

    /// The port, for the host.
    pub(crate) fn end(self) -> Result<TcpListener> {
        Ok(TcpListener::from_std(self.listener)?)
    }
}

fn http_options(config: &Config) -> HttpOptions {
    let http = &config.settings.http;
    HttpOptions {
        stop_timeout: STOP,
        cors_origins: http.cors_origins.clone(),
        trusted_proxies: http.trusted_proxies.clone(),
        ..HttpOptions::default()
    }
}

/// A login that is told once.
#[derive(Debug, Serialize)]
pub(crate) struct Admin {
    email: String,
    password: String,
}

/// A running host.
pub(crate) struct Serving {
    /// Its address, such as `http://127.0.0.1:8000`.
    pub(crate) rest: String,
    /// The first login, where one was made.
    pub(crate) admin: Option<Admin>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

/// Takes the port; none where the configuration wants no host.
///
/// # Errors
/// Why it cannot be had, and what to do.
pub(crate) async fn bind(args: HostArgs, config: &Config) -> Result<Option<TcpListener>> {
    let http = &config.settings.http;
    let mut address = args.listen.unwrap_or(http.listen);
    address.set_port(args.port.unwrap_or(address.port()));
    if !http.enabled {
        return Ok(None);
    }
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "{}: {address} cannot be used for the REST host; choose another with --port, or 0 for \
             any free one",
            config.named("http.listen")
        )
    })?;
    Ok(Some(listener))
}

impl Serving {
    /// Serves until it is stopped.
    ///
    /// # Errors
    /// Why the accounts cannot be opened.
    pub(crate) async fn start(
        listener: TcpListener,
        served: Served,
        (config, folder): (&Config, &Path),
        first: FirstLogin,
    ) -> Result<Self> {
        let secret = config.settings.jwt_secret.as_ref().map(crate::config::Secret::reveal);
        let keys = SigningKeys::load(secret, folder)?;
        let accounts =
            AccountOptions::new(Arc::clone(&served.store), Arc::new(WallClock), keys).open()?;
        let admin = first_login(&accounts, &*served.store, (first, folder)).await?;
        let Served { desk, store, clock, symbols } = served;
        let options = http_options(config);
        let accounts = Arc::new(accounts);
        let host = Arc::new(Host { desk, store, accounts, clock, symbols, options });
        let rest = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(arb::http::serve_apart(listener, host, async {
            // A sender that is dropped wants the same as one that sends.
            let _ = stopped.await;
        }));
        Ok(Self { rest, admin, stop, task })
    }

    /// Tells people where the dashboard is and how to get in.
    pub(crate) fn tell(&self) {
        output::note(format_args!("dashboard and REST: {}", self.rest));
        if let Some(Admin { email, password }) = &self.admin {
            output::note(format_args!("log in as {email} with {password} (told this once)"));
        }
    }

    /// One line for a screen that is drawn over again and again.
    pub(crate) fn line(&self) -> String {
        match &self.admin {
            Some(Admin { email, password }) => {
                format!("{}   log in as {email} with {password}", self.rest)
            }
            None => self.rest.clone(),
        }
    }

    /// Waits until the host ends by itself, which is a failure.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match (&mut self.task).await {
            Ok(Ok(())) => anyhow::anyhow!("the REST host ended by itself"),
            Ok(Err(error)) => anyhow::Error::new(error).context("the REST host ended"),
            Err(died) => anyhow::Error::new(died).context("the REST host died"),
        }
    }

    /// Ends it in order.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "the REST host did not end in order");
        }
    }
}

async fn first_login(
    accounts: &AccountService,
    store: &dyn Store,
    (first, folder): (FirstLogin, &Path),
) -> Result<Option<Admin>> {
    if first == FirstLogin::Made {
        let login = accounts.bootstrap_admin().await?;
        return Ok(login.map(|OneTimeLogin { email, password }| Admin {
            email,
            password: password.expose().to_owned(),
        }));
    }
    if store.users(0, 1).await?.is_empty() {
        tracing::info!(
            "nobody can log in yet: arb user add EMAIL --data {} makes the first admin",
            folder.display()
        );
    }
    Ok(None)
}
