//! A simulated venue and a node on it, in virtual time: the sockets are real, only waiting is not.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arb::live::{Addresses, Live, LiveOptions, OrderFlow, Others};
use arb::node::ScaledClock;
use arb::port::KeepDays;
use arb::sim::{
    FaultPlan, MarketConfig, Request, SimMarket, SimServer, Venue, VenueConfig, VenueLimits, symbol,
};
use arb::{
    AccountConfig, InstrumentId, Registry, RiskConfig, Side, StrategyText, Timestamp, Trade,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Ten minutes past midnight.
pub const EPOCH: Timestamp = Timestamp::from_millis(1_767_571_800_000);

pub const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];

/// A venue of four symbols.
pub struct Place {
    pub market: Arc<SimMarket>,
    pub server: SimServer,
}

impl Place {
    pub async fn new(seed: u64, activity_percent: u16) -> Self {
        let specs = SYMBOLS.into_iter().map(symbol).collect();
        let mut config = MarketConfig::new(seed, EPOCH, specs);
        config.activity_percent = activity_percent;
        let market = Arc::new(SimMarket::new(config).unwrap());
        let limits = VenueLimits {
            futures_weight: 1_000_000,
            spot_weight: 1_000_000,
            connections: 100_000,
            ..VenueLimits::DOCUMENTED
        };
        let config = VenueConfig { limits, faults: FaultPlan::none(), speed: 1 };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = SimServer::start(listener, Arc::clone(&market), config).unwrap();
        Self { market, server }
    }

    fn options(&self, folder: &Path, history: Duration) -> LiveOptions {
        let line = serde_json::to_string(self.server.addresses()).unwrap();
        let strategy = |name: &str| StrategyText {
            file: format!("{name}.json"),
            text: Registry::builtin_text(name).unwrap().to_owned(),
        };
        LiveOptions {
            addresses: Addresses::from_json("sim", &line).unwrap(),
            clock: Arc::new(ScaledClock::new(self.server.now(), 1)),
            folder: folder.to_owned(),
            symbols: OrderFlow::Of(SYMBOLS.map(str::to_owned).to_vec()),
            others: Others::LeftOut,
            strategies: ["v51_baseline", "v52_8signals"].map(strategy).to_vec(),
            registry: Registry::builtin(),
            account: AccountConfig::default(),
            risk: RiskConfig::default(),
            keep: KeepDays::default(),
            history,
            archives: Vec::new(),
            backlog: Duration::ZERO,
            notifier: None,
        }
    }

    /// Starts a node, in real time: its store works in threads that know no other.
    pub async fn start(&self, folder: &Path, history: Duration) -> Live {
        self.options(folder, history).start(|_| {}).await.unwrap()
    }

    /// Ends all faults.
    pub async fn calm(&self) {
        self.control("DELETE", "").await;
    }

    /// Begins a storm.
    pub async fn storm(&self, plan: &FaultPlan) {
        self.control("POST", &serde_json::to_string(plan).unwrap()).await;
    }

    async fn control(&self, method: &str, body: &str) {
        let control = &self.server.addresses().control;
        let host = control.strip_prefix("http://").unwrap().strip_suffix("/control").unwrap();
        let length = body.len();
        let request = format!(
            "{method} /control/faults HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        // A restart of the venue may be under way.
        for _ in 0..100 {
            let mut socket = TcpStream::connect(host).await.unwrap();
            let mut answer = String::new();
            if socket.write_all(request.as_bytes()).await.is_ok()
                && socket.read_to_string(&mut answer).await.is_ok()
                && answer.starts_with("HTTP/1.1 200")
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the venue's control endpoint does not answer");
    }

    /// The venue's own trades of a symbol from an id on, up to the present, read from the pure
    /// machine.
    pub fn trades(&self, symbol: &str, from_id: u64, instrument: InstrumentId) -> Vec<Trade> {
        let limits = VenueLimits { futures_weight: u32::MAX, ..VenueLimits::DOCUMENTED };
        let config = VenueConfig { limits, ..VenueConfig::default() };
        let mut venue = Venue::new(Arc::clone(&self.market), config);
        let mut trades: Vec<Trade> = Vec::new();
        let mut from = from_id;
        loop {
            let query = format!("symbol={symbol}&fromId={from}&limit=1000");
            let ip = Ipv4Addr::LOCALHOST.into();
            let request = Request { method: "GET", path: "/fapi/v1/aggTrades", query: &query, ip };
            let answer = venue.request(&request, self.server.now());
            assert_eq!(answer.status, 200, "{query}");
            let rows: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
            trades.extend(rows.iter().map(|row| trade(row, instrument)));
            if rows.len() < 1_000 {
                return trades;
            }
            from = trades[trades.len() - 1].id + 1;
        }
    }
}

fn trade(row: &Value, instrument: InstrumentId) -> Trade {
    let text = |key: &str| row[key].as_str().unwrap();
    Trade {
        instrument,
        taker_side: if row["m"].as_bool().unwrap() { Side::Sell } else { Side::Buy },
        id: row["a"].as_u64().unwrap(),
        ts: Timestamp::from_millis(row["T"].as_i64().unwrap()),
        price: text("p").parse().unwrap(),
        qty: text("q").parse().unwrap(),
    }
}

/// Resident memory of this process, megabytes.
pub fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}
