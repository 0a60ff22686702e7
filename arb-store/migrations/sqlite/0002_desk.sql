-- What the node of each stream shows of itself, for processes without an engine.
CREATE TABLE desk_views (
    stream    TEXT PRIMARY KEY,
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL, -- the last record it includes
    time_ms   INTEGER NOT NULL,
    view      TEXT NOT NULL, -- JSON; instruments are places in its own list of names
    decisions TEXT NOT NULL, -- JSON, likewise
    parts     TEXT NOT NULL  -- JSON
) WITHOUT ROWID;

-- What nodes are asked for. A row is never taken twice, and never changes once it has an answer.
CREATE TABLE desk_requests (
    n              INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    stream         TEXT NOT NULL,
    asked_by       TEXT NOT NULL,
    request        TEXT NOT NULL, -- JSON
    asked_at_ms    INTEGER NOT NULL,
    expires_at_ms  INTEGER NOT NULL,
    taken_epoch    INTEGER,
    answer         TEXT, -- JSON
    answered_at_ms INTEGER
);
CREATE INDEX desk_requests_open ON desk_requests (stream, n) WHERE answer IS NULL;
