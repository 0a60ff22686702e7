-- Conventions. Prices, quantities and money are INTEGER counts of 10^-8. TEXT decimals are kept
-- where a value may leave that range or is no amount of quote currency: open interest and ratios
-- (market_indicators.value), funding rates, cumulative volume deltas, entry basis.
-- Times: *_ns are whole nanoseconds of what the engine must see again exactly (trades, fills,
-- inputs, settlements), with a computed time_ms beside them; everything else is *_ms.
-- An instrument is always its number in `instruments`.

CREATE TABLE instruments (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    venue   TEXT NOT NULL,
    market  TEXT NOT NULL CHECK (market IN ('um', 'spot', 'cb')),
    symbol  TEXT NOT NULL,
    spec    TEXT NOT NULL, -- JSON: filters, margin tiers, listing
    UNIQUE (market, symbol)
);

-- Recent trades, a row each. No foreign key: each row would pay for it, and the writer translates
-- instruments by the table above anyway.
CREATE TABLE agg_trades (
    instrument_id  INTEGER NOT NULL,
    agg_id         INTEGER NOT NULL,
    time_ns        INTEGER NOT NULL,
    price          INTEGER NOT NULL,
    qty            INTEGER NOT NULL,
    is_buyer_maker INTEGER NOT NULL,
    time_ms        INTEGER GENERATED ALWAYS AS (time_ns / 1000000) VIRTUAL,
    PRIMARY KEY (instrument_id, agg_id)
) WITHOUT ROWID;

-- Sealed trades: a compressed block of consecutive ones each; blocks of an instrument are disjoint.
CREATE TABLE agg_trade_chunks (
    id            INTEGER PRIMARY KEY,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    first_id      INTEGER NOT NULL,
    last_id       INTEGER NOT NULL,
    first_time_ns INTEGER NOT NULL,
    last_time_ns  INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    imported      INTEGER NOT NULL, -- 1: spared by retention
    checksum      INTEGER NOT NULL, -- CRC-32 of data
    data          BLOB NOT NULL
);
CREATE UNIQUE INDEX agg_trade_chunks_by_id ON agg_trade_chunks (instrument_id, first_id, last_id);
CREATE INDEX agg_trade_chunks_by_time ON agg_trade_chunks (instrument_id, last_time_ns, first_id);

CREATE TABLE agg_trades_meta (
    instrument_id INTEGER PRIMARY KEY REFERENCES instruments (id),
    first_agg_id  INTEGER NOT NULL,
    last_agg_id   INTEGER NOT NULL,
    first_time_ns INTEGER NOT NULL,
    last_time_ns  INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    first_time_ms INTEGER GENERATED ALWAYS AS (first_time_ns / 1000000) VIRTUAL,
    last_time_ms  INTEGER GENERATED ALWAYS AS (last_time_ns / 1000000) VIRTUAL
);

CREATE TABLE rate_snapshots (
    instrument_id          INTEGER NOT NULL REFERENCES instruments (id),
    time_ms                INTEGER NOT NULL,
    mark_price             INTEGER NOT NULL,
    index_price            INTEGER,
    funding_rate           TEXT,
    funding_interval_hours INTEGER,
    next_funding_time_ms   INTEGER,
    PRIMARY KEY (instrument_id, time_ms)
) WITHOUT ROWID;

CREATE TABLE funding_rates (
    instrument_id   INTEGER NOT NULL REFERENCES instruments (id),
    funding_time_ns INTEGER NOT NULL,
    rate            TEXT NOT NULL,
    mark_price      INTEGER,
    time_ms         INTEGER GENERATED ALWAYS AS (funding_time_ns / 1000000) VIRTUAL,
    PRIMARY KEY (instrument_id, funding_time_ns)
) WITHOUT ROWID;

CREATE TABLE market_indicators (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    kind          TEXT NOT NULL,
    as_of_ns      INTEGER NOT NULL,
    known_at_ns   INTEGER NOT NULL,
    value         TEXT NOT NULL,
    time_ms       INTEGER GENERATED ALWAYS AS (as_of_ns / 1000000) VIRTUAL,
    PRIMARY KEY (instrument_id, kind, as_of_ns)
) WITHOUT ROWID;
CREATE INDEX market_indicators_by_known_at ON market_indicators (instrument_id, known_at_ns);

CREATE TABLE liquidations (
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    time_ns       INTEGER NOT NULL,
    known_at_ns   INTEGER NOT NULL,
    direction     TEXT NOT NULL, -- of the position that was liquidated
    notional      INTEGER NOT NULL,
    time_ms       INTEGER GENERATED ALWAYS AS (time_ns / 1000000) VIRTUAL,
    PRIMARY KEY (instrument_id, time_ns, direction, notional)
) WITHOUT ROWID;
CREATE INDEX liquidations_by_known_at ON liquidations (instrument_id, known_at_ns);

CREATE TABLE signal_indicators (
    instrument_id  INTEGER NOT NULL REFERENCES instruments (id),
    time_ms        INTEGER NOT NULL,
    price          INTEGER NOT NULL,
    cvd_fast       TEXT NOT NULL,
    cvd_mid        TEXT NOT NULL,
    cvd_day        TEXT NOT NULL,
    vwap_30m       REAL,
    atr_5m         REAL,
    atr_percentile REAL,
    p95_qty        INTEGER,
    p99_qty        INTEGER,
    score          REAL,
    complete       INTEGER NOT NULL,
    PRIMARY KEY (instrument_id, time_ms)
) WITHOUT ROWID;

-- How far each stream of the log is projected.
CREATE TABLE streams (
    stream TEXT PRIMARY KEY,
    epoch  INTEGER NOT NULL,
    seq    INTEGER NOT NULL
) WITHOUT ROWID;

-- Every output of the engine in the order of the log.
CREATE TABLE live_events (
    stream  TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    body    TEXT NOT NULL, -- JSON, instruments by name
    PRIMARY KEY (stream, epoch, seq, ordinal)
) WITHOUT ROWID;
CREATE INDEX live_events_by_time ON live_events (time_ms);

CREATE TABLE signal_logs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms       INTEGER NOT NULL,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    strategy      TEXT NOT NULL,
    config_hash   TEXT NOT NULL,
    direction     TEXT,
    score         REAL NOT NULL,
    tier          TEXT,
    fired         INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    price         INTEGER,
    factors       TEXT NOT NULL -- JSON by name
);
CREATE INDEX signal_logs_by_time ON signal_logs (time_ms, id);
CREATE INDEX signal_logs_by_strategy ON signal_logs (strategy, instrument_id, time_ms, id);

-- Directional trades of the engine; the views carry the names of the two lists.
CREATE TABLE own_trades (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    run           TEXT NOT NULL,
    mode          TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
    trade         INTEGER NOT NULL,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    strategy      TEXT NOT NULL,
    direction     TEXT NOT NULL,
    tier          TEXT,
    score         REAL NOT NULL,
    status        TEXT NOT NULL,
    entry_time_ms INTEGER NOT NULL,
    exit_time_ms  INTEGER,
    entry_price   INTEGER NOT NULL,
    exit_price    INTEGER,
    qty           INTEGER NOT NULL,
    open_qty      INTEGER NOT NULL,
    sl_price      INTEGER NOT NULL,
    tp1_price     INTEGER NOT NULL,
    tp2_price     INTEGER NOT NULL,
    pnl           INTEGER NOT NULL,
    fee           INTEGER NOT NULL,
    funding       INTEGER NOT NULL,
    r_trade       INTEGER NOT NULL,
    pnl_r         REAL,
    UNIQUE (run, trade)
);
CREATE INDEX own_trades_by_time ON own_trades (mode, entry_time_ms, id);
CREATE VIEW paper_trades AS SELECT * FROM own_trades WHERE mode = 'paper';
CREATE VIEW live_trades AS SELECT * FROM own_trades WHERE mode = 'live';

CREATE TABLE carry_pairs (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    run              TEXT NOT NULL,
    mode             TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
    pair             INTEGER NOT NULL,
    strategy         TEXT NOT NULL,
    perp_id          INTEGER NOT NULL REFERENCES instruments (id),
    spot_id          INTEGER NOT NULL REFERENCES instruments (id),
    status           TEXT NOT NULL,
    reason           TEXT,
    opened_at_ms     INTEGER NOT NULL,
    closed_at_ms     INTEGER,
    perp_qty         INTEGER NOT NULL,
    spot_qty         INTEGER NOT NULL,
    perp_entry_price INTEGER,
    spot_entry_price INTEGER,
    entry_basis_bps  TEXT,
    notional         INTEGER NOT NULL,
    fees             INTEGER NOT NULL,
    funding          INTEGER NOT NULL,
    pnl              INTEGER NOT NULL,
    UNIQUE (run, pair)
);
CREATE INDEX carry_pairs_by_time ON carry_pairs (mode, opened_at_ms, id);

CREATE TABLE orders (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    mode            TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
    client_id       TEXT NOT NULL UNIQUE,
    instrument_id   INTEGER NOT NULL REFERENCES instruments (id),
    side            TEXT NOT NULL,
    qty             INTEGER NOT NULL,
    kind            TEXT NOT NULL, -- JSON: type, price, time in force, trigger
    effect          TEXT NOT NULL,
    status          TEXT NOT NULL,
    last_update     TEXT,
    filled          INTEGER NOT NULL,
    submitted_at_ms INTEGER NOT NULL,
    updated_at_ms   INTEGER NOT NULL
);
CREATE INDEX orders_by_time ON orders (mode, submitted_at_ms, id);

-- No foreign key to orders: the venue's own closing orders have fills and no order of ours.
CREATE TABLE fills (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    mode          TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
    client_id     TEXT NOT NULL,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    side          TEXT NOT NULL,
    price         INTEGER NOT NULL,
    qty           INTEGER NOT NULL,
    role          TEXT NOT NULL,
    fee           INTEGER NOT NULL,
    base_fee      INTEGER NOT NULL,
    time_ns       INTEGER NOT NULL,
    time_ms       INTEGER GENERATED ALWAYS AS (time_ns / 1000000) VIRTUAL
);
CREATE INDEX fills_by_time ON fills (mode, time_ns, id);
CREATE INDEX fills_by_order ON fills (client_id);

CREATE TABLE funding_ledger (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    mode            TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
    instrument_id   INTEGER NOT NULL REFERENCES instruments (id),
    funding_time_ms INTEGER NOT NULL,
    paid            INTEGER NOT NULL, -- positive left the account
    approx          INTEGER NOT NULL
);
CREATE INDEX funding_ledger_by_time ON funding_ledger (mode, funding_time_ms, id);

CREATE TABLE transfers (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    mode    TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
    time_ms INTEGER NOT NULL,
    amount  INTEGER NOT NULL -- positive came in
);
CREATE INDEX transfers_by_time ON transfers (mode, time_ms, id);

CREATE TABLE live_config (
    key           TEXT PRIMARY KEY,
    value         TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    updated_by    TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    email         TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('viewer', 'user', 'trader', 'admin')),
    created_at_ms INTEGER NOT NULL,
    banned_at_ms  INTEGER
);

CREATE TABLE invite_codes (
    code          TEXT PRIMARY KEY,
    role          TEXT NOT NULL CHECK (role IN ('viewer', 'user', 'trader', 'admin')),
    uses_left     INTEGER NOT NULL CHECK (uses_left >= 0),
    expires_at_ms INTEGER,
    created_by    INTEGER REFERENCES users (id),
    created_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE refresh_tokens (
    hash           TEXT PRIMARY KEY,
    family         TEXT NOT NULL,
    user_id        INTEGER NOT NULL REFERENCES users (id),
    issued_at_ms   INTEGER NOT NULL,
    expires_at_ms  INTEGER NOT NULL,
    replaced_at_ms INTEGER,
    revoked_at_ms  INTEGER
) WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);

CREATE TABLE api_keys (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER NOT NULL REFERENCES users (id),
    name          TEXT NOT NULL,
    hash          TEXT NOT NULL UNIQUE,
    scopes        TEXT NOT NULL, -- separated by spaces
    created_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER
);
CREATE INDEX api_keys_by_user ON api_keys (user_id);

CREATE TABLE audit_log (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms INTEGER NOT NULL,
    user_id INTEGER REFERENCES users (id),
    action  TEXT NOT NULL,
    detail  TEXT NOT NULL
);
CREATE INDEX audit_log_by_time ON audit_log (time_ms, id);

CREATE TABLE leases (
    name     TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    epoch    INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID;
