//! What a store keeps, trait by trait, and the rows that are read back.
//!
//! Invariant: writes are idempotent by natural key, so a cursor may repeat what it is not sure
//! about; an [`InstrumentId`](crate::InstrumentId) is translated by a [`Catalog`] on the way in and
//! never stored. Every implementation passes one contract suite.

mod account;
mod book;
mod book_rows;
mod catalog;
mod desk;
mod lease;
mod market;
mod tape;
mod upkeep;

pub use self::account::{
    AccountStore, ApiKey, AuditEntry, Invite, NewUser, RefreshToken, UserChange, UserRecord,
    UserRole,
};
pub use self::book::{
    BookStore, Cursor, LogEntry, LogSource, Mode, Page, SignalFilter, TradeFilter, TradeResult,
};
pub use self::book_rows::{
    CarryRow, FillRow, FundingRow, IndicatorRow, NoteRow, OrderRow, Setting, SignalRow, TradeRow,
    TransferRow,
};
pub use self::catalog::{Catalog, InstrumentKey, InstrumentStore, Listed};
pub use self::desk::{
    Answer, CommandStore, DeskStore, NewRequest, Request, RequestState, Shown, StoredRequest,
    TakenRequest,
};
pub use self::lease::{Lease, LeaseStore};
pub use self::market::{MarketStore, RateSnapshot};
pub use self::tape::{IdRange, TapeExtent, TapeStore};
pub use self::upkeep::{CheckReport, Finding, KeepDays, Upkeep, UpkeepReport};

/// A whole store.
pub trait Store:
    InstrumentStore
    + TapeStore
    + MarketStore
    + BookStore
    + DeskStore
    + CommandStore
    + AccountStore
    + LeaseStore
    + Upkeep
{
}

impl<S> Store for S where
    S: InstrumentStore
        + TapeStore
        + MarketStore
        + BookStore
        + DeskStore
        + CommandStore
        + AccountStore
        + LeaseStore
        + Upkeep
{
}
