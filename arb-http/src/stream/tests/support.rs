//! A host over a desk that a test moves.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arb::accounts::{AccountOptions, AccountService, HashCost, SigningKeys};
use arb::{MemoryStore, port};
use arb_core::port::{
    Accounts as _, Catalog, Clock, Component, DecisionRow, Desk, InstrumentStore as _, Measure,
    Notes, Origin, RateSnapshot, Receipt, TapeStore as _, TradingSettings, UserPatch, UserRole,
    View,
};
use arb_core::{
    Command, ConfigError, Decimal, Direction, Indicators, Instrument, InstrumentId, QtySum,
    RiskState, Side, StoreError, Timestamp, Trade,
};
use async_trait::async_trait;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::stream::message::{Content, Draft};
use crate::stream::wanted::Topic;
use crate::{Host, HttpOptions};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(super) const BTC: InstrumentId = InstrumentId(0);

#[derive(Debug)]
pub(super) struct TestClock(AtomicI64);

impl TestClock {
    pub(super) fn pass(&self, nanos: i64) {
        self.0.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn wait(&self, _until: Timestamp) -> Duration {
        Duration::ZERO
    }
}

/// A desk whose view is set.
pub(super) struct TestDesk {
    view: Mutex<Arc<View>>,
    decisions: Mutex<Vec<DecisionRow>>,
    looks: AtomicU64,
}

impl TestDesk {
    fn new() -> Self {
        let mut view = View::empty();
        view.instruments = ["um:BTCUSDT", "um:ETHUSDT", "spot:BTCUSDT"].map(str::to_owned).into();
        view.risk_state = RiskState::Active;
        view.settings.enabled = true;
        view.settings.enabled_strategies = vec!["one".to_owned()];
        view.rates = [rate(0, "100"), rate(1, "10")].into();
        let (view, decisions) = (Mutex::new(Arc::new(view)), Mutex::default());
        Self { view, decisions, looks: AtomicU64::new(0) }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut View)) {
        let mut view = self.view.lock().unwrap();
        let mut next = View::clone(&view);
        change(&mut next);
        *view = Arc::new(next);
    }

    /// A decision of a strategy about a perpetual, and the indicators it was taken on.
    pub(super) fn decide(&self, instrument: InstrumentId, at_ms: i64) {
        let time = Timestamp::from_millis(at_ms);
        let mut decisions = self.decisions.lock().unwrap();
        decisions.retain(|row| row.instrument != instrument);
        decisions.push(DecisionRow {
            time,
            instrument,
            strategy: "one".to_owned(),
            direction: Some(Direction::Long),
            score: 62.5,
            tier: None,
            fired: false,
            reason: "threshold: 62.5 against 75".to_owned(),
            price: Some("100".parse().unwrap()),
            factors: r#"{"direction":{"score":62.5,"max":80,"inputs":{},"note":"n"}}"#.to_owned(),
        });
        drop(decisions);
        self.change(|view| {
            let others = view.rows.iter().filter(|(id, _)| *id != instrument).copied();
            view.rows = others.chain([(instrument, row(time))]).collect();
        });
    }

    /// How often anybody looked.
    pub(super) fn looks(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }
}

pub(super) fn rate(instrument: u16, mark: &str) -> RateSnapshot {
    RateSnapshot {
        instrument: InstrumentId(instrument),
        at: START,
        mark_price: mark.parse().unwrap(),
        index_price: None,
        funding_rate: Some(Decimal::new(1, 4)),
        funding_interval_hours: Some(8),
        next_funding_at: None,
        tradable_basis: None,
    }
}

fn row(time: Timestamp) -> Indicators {
    Indicators {
        time,
        last_price: "100".parse().unwrap(),
        cvd_30m: QtySum::default(),
        cvd_4h: QtySum::default(),
        cvd_day: QtySum::default(),
        volume_30m: QtySum::default(),
        vwap_30m: Some(99.5),
        atr: None,
        atr_percentile: None,
        qty_p95: None,
        qty_p99: None,
        large_flow_15m: None,
        cvd_slope: 0.0,
        cvd_accel: None,
        complete_15m: true,
        complete_30m: true,
        complete_4h: true,
        coverage_24h: 1.0,
        traded_bars: 14,
    }
}

#[async_trait]
impl Desk for TestDesk {
    fn snapshot(&self) -> Arc<View> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        Arc::clone(&self.view.lock().unwrap())
    }

    fn decisions(&self) -> Vec<DecisionRow> {
        self.decisions.lock().unwrap().clone()
    }

    fn notes(&self, _after_seq: u64) -> Notes {
        Box::pin(futures_util::stream::empty())
    }

    fn health(&self) -> Vec<Component> {
        Vec::new()
    }

    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }

    async fn command(&self, _command: Command) -> Result<Receipt, StoreError> {
        Ok(Receipt { seq: 1 })
    }

    async fn configure(&self, _settings: TradingSettings) -> Result<Receipt, ConfigError> {
        Ok(Receipt { seq: 1 })
    }
}

/// Everything of a host, without sockets.
pub(super) struct World {
    pub(super) app: App,
    pub(super) desk: Arc<TestDesk>,
    pub(super) clock: Arc<TestClock>,
    accounts: Arc<AccountService>,
    store: Arc<MemoryStore>,
    catalog: Catalog,
}

impl World {
    pub(super) async fn new(options: HttpOptions) -> Self {
        let store = Arc::new(MemoryStore::default());
        let spec = |symbol| {
            Instrument::perpetual(symbol, "0.1".parse().unwrap(), "0.001".parse().unwrap())
        };
        let catalog = store.register(&[spec("BTCUSDT"), spec("ETHUSDT")]).await.unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(START.as_nanos())));
        let keys =
            SigningKeys::parse("test", "a secret of these tests that is long enough").unwrap();
        let cheap = HashCost { memory_kib: 8, passes: 1, lanes: 1 };
        let accounts = AccountOptions::new(
            Arc::clone(&store) as Arc<dyn port::Store>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            keys,
        );
        let accounts = Arc::new(accounts.hash_cost(cheap).open().unwrap());
        let desk = Arc::new(TestDesk::new());
        let app = App::new(Arc::new(Host {
            desk: Arc::clone(&desk) as Arc<dyn Desk>,
            store: Arc::clone(&store) as Arc<dyn port::Store>,
            accounts: Arc::clone(&accounts) as Arc<dyn port::Accounts>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            symbols: vec!["BTCUSDT".to_owned(), "ETHUSDT".to_owned()],
            options,
        }));
        Self { app, desk, clock, accounts, store, catalog }
    }

    /// A user of this role, by a token.
    pub(super) async fn token(&self, role: UserRole) -> String {
        let email = format!("{}@example.org", role.as_str());
        let made = self.accounts.operator().add_user(&email, role).await.unwrap();
        let login = self.accounts.login(Origin::default(), &email, made.password.expose());
        login.await.unwrap().access
    }

    pub(super) async fn change_user(&self, role: UserRole, patch: UserPatch) {
        let operator = self.accounts.operator();
        let email = format!("{}@example.org", role.as_str());
        let user = operator.user_by_email(&email).await.unwrap();
        operator.change_user(user.id, patch).await.unwrap();
    }

    /// Stores trades of BTCUSDT with ids from `first` on.
    pub(super) async fn trade(&self, first: u64, count: u64) {
        let trades: Vec<Trade> = (first..first + count)
            .map(|id| Trade {
                instrument: BTC,
                taker_side: Side::Buy,
                id,
                ts: START.plus(i64::try_from(id).unwrap()),
                price: "100".parse().unwrap(),
                qty: "0.5".parse().unwrap(),
            })
            .collect();
        self.store.append_trades(&self.catalog, &trades).await.unwrap();
    }

    /// Tells everybody a text of this length under the topic `risk`.
    pub(super) fn tell(&self, topic: Topic, text: &str) {
        self.app.hub.publish(vec![Draft {
            topic,
            key: Arc::from("told"),
            symbol: None,
            content: Content::Whole(format!("{{\"told\":\"{text}\"}}")),
        }]);
    }

    /// Opens it to connections.
    pub(super) async fn served(self) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = crate::serve::serve_app(listener, self.app.clone(), async {
            let _ = stopped.await;
        });
        Served { address, stop, server: tokio::spawn(serving), world: self }
    }
}

/// A host with an address.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) server: JoinHandle<std::io::Result<()>>,
    pub(super) world: World,
}

impl Served {
    pub(super) async fn get(&self, query: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        // The client's TLS is not used, but it asks for a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}/api/stream{query}", self.address);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(super) async fn listen(&self, query: &str, token: &str, last: Option<&str>) -> Events {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(last.map(|last| ("last-event-id", last)));
        let response = self.get(query, &headers).await;
        assert_eq!(response.status(), 200, "{:?}", response.text().await);
        Events { response, rest: String::new() }
    }
}

/// A message as a client reads it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) id: Option<String>,
    pub(super) topic: String,
    pub(super) data: Value,
}

impl Heard {
    pub(super) fn number(&self) -> u64 {
        self.id.as_ref().unwrap().rsplit_once('-').unwrap().1.parse().unwrap()
    }
}

/// A stream of events.
pub(super) struct Events {
    response: reqwest::Response,
    rest: String,
}

impl Events {
    /// The next message; none at the end.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let heard = parsed(block);
                self.rest = rest.to_owned();
                if let Some(heard) = heard {
                    return Some(heard);
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk());
            let chunk = chunk.await.expect("a message within 20 s").ok()??;
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next message that fits.
    pub(super) async fn until(&mut self, fits: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            let heard = self.next().await.expect("it comes before the end");
            if fits(&heard) {
                return heard;
            }
        }
    }

    pub(super) async fn topic(&mut self, topic: &str) -> Heard {
        self.until(|heard| heard.topic == topic).await
    }
}

pub(super) fn parsed(block: &str) -> Option<Heard> {
    let field = |name: &str| {
        let mut lines = block.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(field, _)| *field == name).map(|(_, value)| value.to_owned())
    };
    let data = serde_json::from_str(&field("data")?).unwrap();
    Some(Heard { id: field("id"), topic: field("event")?, data })
}
