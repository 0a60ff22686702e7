//! A log record as rows, the same for every store.
//!
//! Invariant: rows depend on the record and its source alone, so projecting a log again gives the
//! same tables. Instruments leave as stored numbers or names, never as indices.

use arb_core::port::{
    CarryRow, Catalog, Cursor, FillRow, FundingRow, LogEntry, LogSource, NoteRow, OrderRow,
    SignalRow, TradeRow, TransferRow, told,
};
use arb_core::{
    CarryNote, Event, EventKind, InstrumentId, Order, OrderEvent, OrderState, OrderStatus,
    OrderUpdate, Output, Qty, Signal, StoreError, Timestamp, TradeNote,
};

/// A row to be written; its `id` is still to be given.
#[derive(Debug)]
pub(crate) enum Row {
    Order(OrderRow),
    Update { client_id: String, at: Timestamp, update: OrderUpdate },
    Fill(FillRow),
    Signal(SignalRow),
    Trade(Box<TradeRow>),
    Carry(Box<CarryRow>),
    Funding(FundingRow),
    Transfer(TransferRow),
    Note(NoteRow),
}

/// Rows in the order of the log, each with the number of its record.
#[derive(Debug)]
pub(crate) struct Projection {
    pub(crate) rows: Vec<(u64, Row)>,
    /// The last record.
    pub(crate) cursor: Cursor,
}

/// Projects records; none for an empty slice.
pub(crate) fn project(
    source: &LogSource,
    catalog: &Catalog,
    entries: &[LogEntry<'_>],
) -> Result<Option<Projection>, StoreError> {
    let Some(last) = entries.last() else { return Ok(None) };
    let mut rows = Vec::new();
    let mut before = None;
    for entry in entries {
        if before.is_some_and(|seq| entry.seq <= seq) {
            return Err(StoreError::Invalid {
                table: "live_events",
                key: format!("{} record {}", source.stream, entry.seq),
                what: "log numbers must ascend".to_owned(),
            });
        }
        before = Some(entry.seq);
        let record = Record { source, catalog, seq: entry.seq, at: entry.event.at };
        record.event(entry.event, &mut rows)?;
        for (ordinal, output) in (0..).zip(entry.outputs) {
            record.output(ordinal, output, &mut rows)?;
        }
    }
    Ok(Some(Projection { rows, cursor: Cursor { epoch: source.epoch, seq: last.seq } }))
}

#[derive(Clone, Copy)]
struct Record<'a> {
    source: &'a LogSource,
    catalog: &'a Catalog,
    seq: u64,
    at: Timestamp,
}

type Rows = Vec<(u64, Row)>;

impl Record<'_> {
    fn event(&self, event: &Event, rows: &mut Rows) -> Result<(), StoreError> {
        let mode = self.source.mode;
        match &event.kind {
            EventKind::Order(order) => self.order_event(order, rows)?,
            EventKind::Transfer(transfer) => {
                let row = TransferRow { id: 0, mode, at: to_ms(self.at), amount: transfer.amount };
                rows.push((self.seq, Row::Transfer(row)));
            }
            _ => {}
        }
        Ok(())
    }

    fn order_event(&self, event: &OrderEvent, rows: &mut Rows) -> Result<(), StoreError> {
        let client_id = event.id.to_string();
        if let OrderUpdate::Filled(fill) = event.update {
            let row = FillRow {
                id: 0,
                mode: self.source.mode,
                client_id: client_id.clone(),
                instrument: self.catalog.key(event.instrument)?,
                side: fill.side,
                price: fill.price,
                qty: fill.qty,
                role: fill.role,
                fee: fill.fee,
                base_fee: fill.base_fee,
                ts: fill.ts,
            };
            rows.push((self.seq, Row::Fill(row)));
        }
        let update = Row::Update { client_id, at: to_ms(self.at), update: event.update };
        rows.push((self.seq, update));
        Ok(())
    }

    fn output(&self, ordinal: u32, output: &Output, rows: &mut Rows) -> Result<(), StoreError> {
        let row = match output {
            Output::Submit(approved) => Some(Row::Order(self.order(approved.order())?)),
            Output::Signal(signal) => Some(Row::Signal(self.signal(signal)?)),
            Output::Trade(note) => Some(Row::Trade(Box::new(self.trade(note)?))),
            Output::Carry(note) => Some(Row::Carry(Box::new(self.carry(note)?))),
            Output::Funding { instrument, funding_time, paid, approx } => {
                Some(Row::Funding(FundingRow {
                    id: 0,
                    mode: self.source.mode,
                    instrument: self.catalog.key(*instrument)?,
                    funding_time: to_ms(*funding_time),
                    paid: *paid,
                    approx: *approx,
                }))
            }
            _ => None,
        };
        rows.extend(row.map(|row| (self.seq, row)));
        rows.push((self.seq, Row::Note(self.note(ordinal, output)?)));
        Ok(())
    }

    fn order(&self, order: &Order) -> Result<OrderRow, StoreError> {
        Ok(OrderRow {
            id: 0,
            mode: self.source.mode,
            client_id: order.id.to_string(),
            instrument: self.catalog.key(order.instrument)?,
            side: order.side,
            qty: order.qty,
            kind: order.kind,
            effect: order.effect,
            status: OrderStatus::Submitted,
            last_update: None,
            filled: Qty::ZERO,
            submitted_at: to_ms(self.at),
            updated_at: to_ms(self.at),
        })
    }

    fn signal(&self, signal: &Signal) -> Result<SignalRow, StoreError> {
        let decision = &signal.decision;
        Ok(SignalRow {
            id: 0,
            time: to_ms(decision.time),
            instrument: self.catalog.key(decision.instrument)?,
            strategy: signal.strategy.clone(),
            config_hash: signal.config_hash.clone(),
            direction: decision.direction,
            score: decision.score,
            tier: decision.tier,
            fired: signal.fired,
            reason: decision.reason.to_string(),
            price: decision.price,
            factors: serde_json::to_string(&decision.factors).map_err(encoding)?,
        })
    }

    fn trade(&self, note: &TradeNote) -> Result<TradeRow, StoreError> {
        Ok(TradeRow {
            id: 0,
            run: self.source.run.as_str().to_owned(),
            mode: self.source.mode,
            trade: note.id,
            instrument: self.catalog.key(note.instrument)?,
            strategy: note.strategy.clone(),
            direction: note.direction,
            tier: note.tier,
            score: note.score,
            status: note.status,
            entry_time: to_ms(note.entry_time),
            exit_time: note.exit_time.map(to_ms),
            entry_price: note.entry_price,
            exit_price: note.exit_price,
            qty: note.qty,
            open_qty: note.open_qty,
            stop_price: note.stop_price,
            tp1_price: note.tp1_price,
            tp2_price: note.tp2_price,
            pnl: note.pnl,
            fee: note.fee,
            funding: note.funding,
            r_trade: note.r_trade,
            r_multiple: note.r_multiple,
        })
    }

    fn carry(&self, note: &CarryNote) -> Result<CarryRow, StoreError> {
        Ok(CarryRow {
            id: 0,
            run: self.source.run.as_str().to_owned(),
            mode: self.source.mode,
            pair: note.id,
            strategy: note.strategy.clone(),
            perp: self.catalog.key(note.perp)?,
            spot: self.catalog.key(note.spot)?,
            status: note.status,
            reason: note.reason.clone(),
            opened_at: to_ms(note.opened_at),
            closed_at: note.closed_at.map(to_ms),
            perp_qty: note.perp_qty,
            spot_qty: note.spot_qty,
            perp_entry_price: note.perp_entry_price,
            spot_entry_price: note.spot_entry_price,
            entry_basis_bps: note.entry_basis_bps,
            notional: note.notional,
            fees: note.fees,
            funding: note.funding,
            pnl: note.pnl,
        })
    }

    fn note(&self, ordinal: u32, output: &Output) -> Result<NoteRow, StoreError> {
        let (kind, body) = told(output, |id| self.catalog.name(id)).map_err(encoding)?;
        Ok(NoteRow {
            cursor: Cursor { epoch: self.source.epoch, seq: self.seq },
            ordinal,
            at: to_ms(self.at),
            kind,
            body,
        })
    }
}

/// Moves an order along its life by what the venue said.
pub(crate) fn apply(row: &mut OrderRow, update: &OrderUpdate, at: Timestamp) {
    let Ok(id) = row.client_id.parse() else { return };
    let order = Order {
        id,
        instrument: InstrumentId::default(),
        side: row.side,
        qty: row.qty,
        kind: row.kind,
        effect: row.effect,
    };
    let mut state = OrderState { order, status: row.status, filled: row.filled };
    state.apply(update);
    (row.status, row.filled, row.updated_at) = (state.status, state.filled, at);
    row.last_update = Some(update_text(update));
}

fn update_text(update: &OrderUpdate) -> String {
    match update {
        OrderUpdate::Accepted => "accepted".to_owned(),
        OrderUpdate::Rejected(reason) => {
            let text = serde_json::to_string(reason).unwrap_or_default();
            format!("rejected: {}", text.trim_matches('"'))
        }
        OrderUpdate::Filled(_) => "filled".to_owned(),
        OrderUpdate::Triggered => "triggered".to_owned(),
        OrderUpdate::Canceled => "canceled".to_owned(),
        OrderUpdate::Expired => "expired".to_owned(),
        OrderUpdate::Unknown => "unknown".to_owned(),
        OrderUpdate::Lost => "lost".to_owned(),
    }
}

/// Whole milliseconds: what rows of the book keep.
pub(crate) const fn to_ms(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis())
}

fn encoding(error: serde_json::Error) -> StoreError {
    StoreError::Backend(Box::new(error))
}
