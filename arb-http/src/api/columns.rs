//! Recorded trades in columns: an Arrow IPC stream, which charting programs and data frames read
//! without parsing.
//!
//! Invariant: what is sent is whole record batches, ids ascending; a stream that breaks off has no
//! end mark, so no reader takes a part for the whole.

use std::io;
use std::sync::Arc;

use arb_core::port::Listed;
use arb_core::{Side, Timestamp, Trade};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, TimestampMillisecondArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::tape::{LONGEST, ROWS, SpanParams};
use crate::ErrorBody;
use crate::app::App;
use crate::auth::{Caller, Viewer};
use crate::error::ApiError;
use crate::extract::Query;

const MEDIA_TYPE: &str = "application/vnd.apache.arrow.stream";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(trades))
}

/// Record batches of an Arrow IPC stream.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct Columns(#[expect(dead_code, reason = "only described")] Vec<u8>);

/// Recorded trades in columns.
///
/// `ts` (milliseconds, UTC), `price`, `qty` (base units; both 64-bit floats), `is_sell` (the taker
/// sold).
#[utoipa::path(
    get,
    path = "/api/trades.arrow",
    tag = "trades",
    params(SpanParams),
    responses(
        (status = 200, content_type = MEDIA_TYPE, body = inline(Columns), description = "An Arrow IPC stream, ids ascending."),
        (status = 404, body = ErrorBody, description = "No such perpetual."),
    )
)]
async fn trades(
    _: Caller<Viewer>,
    State(app): State<App>,
    Query(params): Query<SpanParams>,
) -> Result<Response, ApiError> {
    let catalog = app.listed().await?;
    let (of, _) = app.coins().find(&catalog, params.symbol.as_str())?;
    let (from, to) = params.span(LONGEST, app.host.clock.now());
    let next = app.host.store.first_id_at(of.key, from).await?;
    let writer = StreamWriter::try_new(Vec::new(), &schema()).map_err(ApiError::internal)?;
    let mut pages = Pages { app, of, to, next, writer: Some(writer) };
    // What fails at once is an answer of its own.
    let first = pages.page().await?;
    let rest = stream::try_unfold((Some(first), pages), |(read, mut pages)| async {
        let page = match read {
            Some(page) => Some(page),
            None if pages.writer.is_none() => None,
            None => Some(pages.page().await.map_err(broken_off)?),
        };
        Ok::<_, io::Error>(page.map(|page| (page, (None, pages))))
    });
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::from_stream(rest)).into_response())
}

/// The status has been sent, so the log is told and the connection ends.
fn broken_off(error: ApiError) -> io::Error {
    match &error {
        ApiError::Internal(cause) | ApiError::Unavailable(cause) => {
            tracing::error!(cause = %cause.0, "a stream of trades broke off");
        }
        error => tracing::warn!(reason = error.detail(), "a stream of trades broke off"),
    }
    io::Error::other("broken off")
}

fn schema() -> Schema {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Schema::new(vec![
        Field::new("ts", time, false),
        Field::new("price", DataType::Float64, false),
        Field::new("qty", DataType::Float64, false),
        Field::new("is_sell", DataType::Boolean, false),
    ])
}

/// A tape on its way out.
struct Pages {
    app: App,
    of: Listed,
    to: Timestamp,
    next: Option<u64>,
    /// None once the end is written.
    writer: Option<StreamWriter<Vec<u8>>>,
}

impl Pages {
    /// The next bytes.
    async fn page(&mut self) -> Result<Bytes, ApiError> {
        let Some(mut writer) = self.writer.take() else { return Ok(Bytes::new()) };
        let mut trades = match self.next {
            None => Vec::new(),
            Some(id) => {
                let _turn = self.app.heavy().await?;
                self.app.host.store.trades(self.of, id, ROWS).await?
            }
        };
        let read = trades.len();
        trades.truncate(trades.partition_point(|trade| trade.ts < self.to));
        let goes_on = read == ROWS && trades.len() == ROWS;
        self.next = trades.last().filter(|_| goes_on).map(|last| last.id + 1);
        if !trades.is_empty() {
            let batch = batch(&trades).map_err(ApiError::internal)?;
            writer.write(&batch).map_err(ApiError::internal)?;
        }
        if self.next.is_none() {
            return writer.into_inner().map(Bytes::from).map_err(ApiError::internal);
        }
        let bytes = std::mem::take(writer.get_mut());
        self.writer = Some(writer);
        Ok(bytes.into())
    }
}

fn batch(trades: &[Trade]) -> Result<RecordBatch, ArrowError> {
    let times = trades.iter().map(|trade| trade.ts.as_millis());
    let times = TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC");
    let float = |of: fn(&Trade) -> f64| Float64Array::from_iter_values(trades.iter().map(of));
    let sells = trades.iter().map(|trade| Some(trade.taker_side == Side::Sell));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times),
        Arc::new(float(|trade| trade.price.to_f64_lossy())),
        Arc::new(float(|trade| trade.qty.to_f64_lossy())),
        Arc::new(sells.collect::<BooleanArray>()),
    ];
    RecordBatch::try_new(Arc::new(schema()), columns)
}
