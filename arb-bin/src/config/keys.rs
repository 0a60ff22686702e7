//! Every key: its meaning, its variables, an example.
//!
//! Invariant: the keys are the fields of [`Settings`](super::Settings), no more and no fewer; a test
//! compares them.

/// One key of the configuration.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its place in the file; a dot leads into a section.
    pub(crate) name: &'static str,
    /// What it means and what is allowed.
    pub(crate) meaning: &'static str,
    /// The variable of the earlier system, where it had one.
    pub(super) earlier: Option<&'static str>,
    /// A value as it stands in a file, where there is no default.
    pub(super) example: Option<&'static str>,
    /// Whether nobody may see its value.
    pub(crate) secret: bool,
}

impl Key {
    const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self { name, meaning, earlier: None, example: None, secret: false }
    }

    const fn earlier(self, variable: &'static str) -> Self {
        Self { earlier: Some(variable), ..self }
    }

    const fn like(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The key of a name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its variable.
    pub(crate) fn variable(&self) -> String {
        format!("ARB_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// What is wrong, without the value where that is a secret.
    pub(super) fn flaw(&self, message: &str) -> String {
        let tells_value = self.secret && message.contains("invalid type");
        if tells_value { "is no text; a text is needed".to_owned() } else { message.to_owned() }
    }
}

/// All keys, in the order of the file.
pub(crate) const KEYS: &[Key] = &[
    Key::new("data", "Folder for everything a node writes: the store is arb.db in it, log the log."),
    Key::new("data_venue", "Whose market data: \"binance\" or \"sim\", which needs venue_json."),
    Key::new(
        "order_venue",
        "Where orders go: \"paper\" is the engine's own venue. \"binance\" is refused: there is no \
         live executor yet.",
    ),
    Key::new("trade_env", "What orders are meant for: \"testnet\" or \"production\".")
        .earlier("TRADE_ENV")
        .like("\"testnet\""),
    Key::new("venue_json", "The line of a simulated venue (arb sim --ready-json), in a file.")
        .like("\"venue/venue.json\""),
    Key::new(
        "symbols",
        "Perpetuals with order flow, scored every 15 seconds: a list, or \"all\" that are listed.",
    ),
    Key::new("watch_others", "Whether all other perpetuals are watched for funding and mark."),
    Key::new("strategies", "Strategies: built-in names or files.").earlier("LIVE_STRATEGIES"),
    Key::new("balance", "Balance of the paper account at the first start, quote currency."),
    Key::new(
        "history_hours",
        "Hours of trades that the first start reads, 0 to 48; entries need four and a quarter.",
    ),
    Key::new("log", "How logs are written, on stderr: \"text\" or \"json\"."),
    Key::new("discord_webhook", "Where signals, trades and risk changes are told. A secret.")
        .like("\"https://discord.com/api/webhooks/…\"")
        .secret(),
    Key::new("heartbeat_url", "Requested once a minute while the node decides. A secret.")
        .like("\"https://watch.example.com/…\"")
        .secret(),
    Key::new(
        "jwt_secret",
        "Signs the tokens of the REST host, 32 bytes or more; without one a file in the data folder \
         does. To rotate it give both with names, \"new:SECRET,old:SECRET\": the first signs, all \
         are taken. A secret.",
    )
        .earlier("JWT_SECRET")
        .like("\"an example that is long enough, change it\"")
        .secret(),
    Key::new(
        "risk.per_trade",
        "What one R costs: a share of the initial balance, \"2%\", or an amount, \"2 USDT\".",
    ),
    Key::new("risk.max_positions", "Open directional positions at most."),
    Key::new(
        "keep_days.tape",
        "Days of recorded trades that the store keeps, or \"forever\"; imported ones stay.",
    ),
    Key::new(
        "keep_days.market",
        "Days of rates, market inputs and liquidations that the store keeps, or \"forever\".",
    ),
    Key::new(
        "keep_days.signals",
        "Days of signals, indicators and live events that the store keeps, or \"forever\".",
    ),
    Key::new("http.enabled", "Whether the REST host runs."),
    Key::new("http.listen", "Where it listens."),
    Key::new("http.cors_origins", "Pages of other origins that may call it, such as a front end's."),
    Key::new(
        "http.trusted_proxies",
        "Addresses of proxies before it, such as \"127.0.0.1\", whose X-Forwarded-For is believed: \
         limits by address then count the caller and not the proxy. The proxy must set it.",
    ),
    Key::new(
        "postgres.host",
        "Server of a Postgres store. Refused when set: this version stores in the data folder only.",
    )
    .earlier("PG_HOST")
    .like("\"db.example.com\""),
    Key::new("postgres.port", "Its port.").earlier("PG_PORT").like("5432"),
    Key::new("postgres.db", "Its database.").earlier("PG_DB").like("\"arb\""),
    Key::new("postgres.user", "Its user.").earlier("PG_USER").like("\"arb\""),
    Key::new("postgres.pass", "Its password. A secret.")
        .earlier("PG_PASS")
        .like("\"…\"")
        .secret(),
    Key::new("postgres.cloud_host", "Server of a second Postgres, a mirror.")
        .earlier("CLOUD_PG_HOST")
        .like("\"mirror.example.com\""),
    Key::new("postgres.cloud_enabled", "Whether the mirror is written. Refused when true, too.")
        .earlier("CLOUD_PG_ENABLED"),
];

/// The earlier system's variable for an amount a trade may lose, in USDT.
pub(super) const RISK_PER_TRADE_USD: &str = "RISK_PER_TRADE_USD";
