//! Ratios of the SQLite store against the limit of its driver: bare multi-VALUES 2,000 through
//! sqlx, the same rows, transactions and pragmas, without checks.
//!
//! `cargo bench -p arb-store --bench sqlite --all-features`; `ARB_BENCH_TRADES` sets the number of
//! trades, 400,000 unless told: four instruments interleaved.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark may panic, and its numbers are small"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use arb_core::generator::{GeneratorConfig, TapeGenerator};
use arb_core::port::{Catalog, InstrumentStore as _, TapeStore as _};
use arb_core::{Instrument, InstrumentId, Side, Trade};
use arb_store::sqlite::{SqliteOptions, SqliteStore};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tokio::runtime::Runtime;

const SYMBOLS: u16 = 4;
const ROWS: usize = 2_000;
const TRANSACTION: usize = 50_000;
const CREATE: &str = "CREATE TABLE t (sym INTEGER NOT NULL, ts INTEGER NOT NULL, id INTEGER NOT
    NULL, price INTEGER NOT NULL, qty INTEGER NOT NULL, maker INTEGER NOT NULL,
    PRIMARY KEY (sym, ts, id)) WITHOUT ROWID";

fn count() -> usize {
    std::env::var("ARB_BENCH_TRADES").ok().and_then(|n| n.parse().ok()).unwrap_or(400_000)
}

/// The same tape for each instrument, dealt in turn.
fn tape() -> Vec<Trade> {
    let per = count() / usize::from(SYMBOLS);
    let one = TapeGenerator::new(GeneratorConfig::btcusdt(20_240_601)).take(per);
    let dealt = |t: Trade| (0..SYMBOLS).map(move |at| Trade { instrument: InstrumentId(at), ..t });
    one.flat_map(dealt).collect()
}

fn instruments() -> Vec<Instrument> {
    let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
    (0..SYMBOLS).map(|at| Instrument::perpetual(&format!("S{at}USDT"), tick, lot)).collect()
}

async fn bare(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("cache_size", "-65536")
        .disable_statement_logging();
    let mut conn = options.connect().await.unwrap();
    sqlx::query(CREATE).execute(&mut conn).await.unwrap();
    conn
}

async fn bare_insert(conn: &mut SqliteConnection, tape: &[Trade], sql: &str) {
    for some in tape.chunks(TRANSACTION) {
        let mut tx = conn.begin().await.unwrap();
        for rows in some.chunks_exact(ROWS) {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for t in rows {
                query = query
                    .bind(i64::from(t.instrument.0))
                    .bind(t.ts.as_nanos())
                    .bind(t.id.cast_signed())
                    .bind(t.price.units())
                    .bind(t.qty.units())
                    .bind(t.taker_side == Side::Sell);
            }
            query.execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

async fn bare_read(conn: &mut SqliteConnection) -> Vec<Trade> {
    let sql = "SELECT ts, id, price, qty, maker FROM t WHERE sym = 1 ORDER BY ts, id";
    let rows = sqlx::query(sql).fetch_all(conn).await.unwrap();
    let trade = |row: &sqlx::sqlite::SqliteRow| Trade {
        instrument: InstrumentId(1),
        ts: arb_core::Timestamp::from_nanos(row.get(0)),
        id: row.get::<i64, _>(1).cast_unsigned(),
        price: arb_core::Price::from_units(row.get(2)).unwrap(),
        qty: arb_core::Qty::from_units(row.get(3)).unwrap(),
        taker_side: if row.get(4) { Side::Sell } else { Side::Buy },
    };
    rows.iter().map(trade).collect()
}

async fn store(folder: &Path) -> (SqliteStore, Catalog) {
    let store = SqliteOptions::new(folder.join("arb.db")).open().await.unwrap();
    let catalog = store.register(&instruments()).await.unwrap();
    (store, catalog)
}

async fn read(store: &SqliteStore, catalog: &Catalog) -> usize {
    let of = catalog.listed(InstrumentId(1)).unwrap();
    let (mut from, mut seen) = (0, 0);
    loop {
        let some = store.trades(of, from, 100_000).await.unwrap();
        let Some(last) = some.last() else { return seen };
        (from, seen) = (last.id + 1, seen + some.len());
        black_box(&some);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Rows,
    Chunks,
}

async fn fill(store: &SqliteStore, catalog: &Catalog, tape: &[Trade], form: Form) {
    match form {
        Form::Rows => {
            for some in tape.chunks(TRANSACTION) {
                store.append_trades(catalog, some).await.unwrap();
            }
        }
        Form::Chunks => store.import_trades(catalog, tape).await.unwrap(),
    }
}

/// Time of one pass of `work` into a new file, its making and removal not counted.
fn timed<F: Future<Output = Duration>>(
    runtime: &Runtime,
    iterations: u64,
    work: impl Fn(std::path::PathBuf) -> F,
) -> Duration {
    let one = |_| {
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(work(folder.path().to_owned()))
    };
    (0..iterations).map(one).sum()
}

fn writing(c: &mut Criterion) {
    let (runtime, tape) = (Runtime::new().unwrap(), tape());
    let sql = format!("INSERT INTO t VALUES {}", vec!["(?,?,?,?,?,?)"; ROWS].join(","));
    let mut group = c.benchmark_group("write");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(tape.len() as u64));
    group.bench_function("bare multi-VALUES 2,000", |b| {
        b.iter_custom(|n| {
            timed(&runtime, n, async |folder| {
                let mut conn = bare(&folder).await;
                let start = Instant::now();
                bare_insert(&mut conn, &tape, &sql).await;
                start.elapsed()
            })
        });
    });
    for (name, form) in [("store, rows", Form::Rows), ("store, chunks", Form::Chunks)] {
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                timed(&runtime, n, async |folder| {
                    let (store, catalog) = store(&folder).await;
                    let start = Instant::now();
                    fill(&store, &catalog, &tape, form).await;
                    let spent = start.elapsed();
                    store.close().await;
                    spent
                })
            });
        });
    }
    group.finish();
}

fn reading(c: &mut Criterion) {
    let (runtime, tape) = (Runtime::new().unwrap(), tape());
    let sql = format!("INSERT INTO t VALUES {}", vec!["(?,?,?,?,?,?)"; ROWS].join(","));
    let mut group = c.benchmark_group("read");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(tape.len() as u64 / u64::from(SYMBOLS)));
    let folder = tempfile::tempdir().unwrap();
    let mut conn = runtime.block_on(bare(folder.path()));
    runtime.block_on(bare_insert(&mut conn, &tape, &sql));
    group.bench_function("bare SELECT", |b| {
        b.iter(|| runtime.block_on(bare_read(&mut conn)).len());
    });
    for (name, form) in [("store, rows", Form::Rows), ("store, chunks", Form::Chunks)] {
        let folder = tempfile::tempdir().unwrap();
        let (store, catalog) = runtime.block_on(store(folder.path()));
        runtime.block_on(fill(&store, &catalog, &tape, form));
        group.bench_function(name, |b| b.iter(|| runtime.block_on(read(&store, &catalog))));
        runtime.block_on(store.close());
        let bytes = std::fs::metadata(folder.path().join("arb.db")).unwrap().len();
        println!("{name}: {} bytes on disk for {} trades", bytes, tape.len());
    }
    group.finish();
}

criterion_group!(benches, writing, reading);
criterion_main!(benches);
