//! Trades as an Arrow stream, read by Arrow's own reader.

use std::sync::Arc;

use arb_core::port::{InstrumentStore as _, Mode, TapeStore as _};
use arb_core::{Price, Qty, Side, Trade};
use arb_store::sqlite::{SqliteOptions, SqliteStore};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampMillisecondType};
use arrow_ipc::reader::StreamReader;
use arrow_schema::ArrowError;
use axum::body::to_bytes;
use axum::http::{Method, StatusCode};
use futures_util::StreamExt as _;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::caller::{Caller, request};
use crate::fixture::{ETH, Fixture, at, fill};

/// More than two pages of trades, ten in each millisecond of the last minute.
async fn tape() -> (TempDir, Arc<SqliteStore>, Vec<Trade>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteOptions::new(folder.path().join("arb.db")).open().await.unwrap());
    fill(&*store).await;
    let trade = |n: i64| Trade {
        instrument: ETH,
        taker_side: if n % 3 == 0 { Side::Sell } else { Side::Buy },
        id: u64::try_from(n + 1).unwrap(),
        ts: at(-60).plus(n / 10 * 1_000_000),
        price: Price::from_units(300_000_000_000 + n * 1_000_000).unwrap(),
        qty: Qty::from_units(1_000_000 * (1 + n % 7)).unwrap(),
    };
    let trades: Vec<Trade> = (0..45_000).map(trade).collect();
    let catalog = store.catalog().await.unwrap();
    store.append_trades(&catalog, &trades).await.unwrap();
    (folder, store, trades)
}

fn read(bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    StreamReader::try_new(bytes, None)?.collect()
}

type Row = (i64, f64, f64, bool);

fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, ["ts", "price", "qty", "is_sell"]);
        let ts = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let price = batch.column(1).as_primitive::<Float64Type>();
        let qty = batch.column(2).as_primitive::<Float64Type>();
        let sells = batch.column(3).as_boolean();
        assert_eq!(ts.timezone(), Some("UTC"));
        rows.extend(
            (0..batch.num_rows())
                .map(|n| (ts.value(n), price.value(n), qty.value(n), sells.value(n))),
        );
    }
    rows
}

fn expected(trades: &[Trade]) -> Vec<Row> {
    let row = |trade: &Trade| {
        let float = |text: String| text.parse::<f64>().unwrap();
        let (price, qty) = (float(trade.price.to_string()), float(trade.qty.to_string()));
        (trade.ts.as_millis(), price, qty, trade.taker_side == Side::Sell)
    };
    trades.iter().map(row).collect()
}

#[tokio::test]
async fn a_reader_of_arrow_gets_every_trade_of_the_span() {
    let (_folder, store, trades) = tape().await;
    let caller = Caller::of(&Fixture::over(store, Mode::Paper));
    let get = async |query: &str| {
        let path = format!("/api/trades.arrow?symbol=ETH{query}");
        let request = request(Method::GET, &path, "viewer", None);
        let response = caller.0.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/vnd.apache.arrow.stream");
        read(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
    };
    let all = get("").await;
    assert_eq!(all.len(), 3, "a batch for each page");
    assert!(rows(&all) == expected(&trades));
    let (from, to) = (trades[10].ts.as_millis(), trades[25_000].ts.as_millis());
    let part = get(&format!("&start_ms={from}&end_ms={to}")).await;
    assert!(rows(&part) == expected(&trades[10..25_000]), "the end is left out");
    let page = get(&format!("&start_ms={from}&end_ms={}", trades[20_010].ts.as_millis())).await;
    assert!(rows(&page) == expected(&trades[10..20_010]), "a page to the trade");
    let now = at(0).as_millis();
    let none = get(&format!("&start_ms={now}&end_ms={}", now + 1)).await;
    assert_eq!(none.len(), 0, "a stream of no batch has its schema and its end all the same");
}

#[tokio::test]
async fn what_breaks_off_has_no_end() {
    let (folder, store, _) = tape().await;
    let caller = Caller::of(&Fixture::over(store, Mode::Paper));
    let request = request(Method::GET, "/api/trades.arrow?symbol=ETH", "viewer", None);
    let response = caller.0.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    let file = SqliteConnectOptions::new().filename(folder.path().join("arb.db"));
    let mut other = file.connect().await.unwrap();
    sqlx::query("DROP TABLE agg_trades").execute(&mut other).await.unwrap();
    let error = body.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("broken off"), "{error}");
    assert!(body.next().await.is_none());
    // A reader that knows no Content-Length goes by the mark at the end.
    const END: [u8; 8] = [255, 255, 255, 255, 0, 0, 0, 0];
    assert!(!first.ends_with(&END));
}

#[tokio::test]
async fn no_such_coin_is_told_in_words() {
    let caller = Caller::of(&Fixture::new().await);
    let answer = caller.get("/api/trades.arrow?symbol=LUNA", "viewer").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.detail().contains("perpetual"), "{}", answer.text);
    let answer = caller.get("/api/trades.arrow?symbol=BTC&start_ms=soon", "viewer").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}
