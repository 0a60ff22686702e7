//! A store that does not work.

use std::time::Duration;

use arb_core::port::*;
use arb_core::{Event, FundingSettled, Instrument, StoreError, Timestamp, Trade};
use async_trait::async_trait;

/// Fails at everything, in one way.
pub(crate) struct Failing {
    kind: &'static str,
}

impl Failing {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self { kind }
    }

    async fn fail<T>(&self) -> Result<T, StoreError> {
        match self.kind {
            "unavailable" => Err(StoreError::Unavailable("/var/lib/arb.db is locked".into())),
            "hangs" => std::future::pending().await,
            _ => Err(StoreError::Corrupt {
                table: "agg_trades",
                key: "file /var/lib/arb.db, password hunter2".to_owned(),
                what: "a checksum is wrong".to_owned(),
            }),
        }
    }
}

macro_rules! fails {
    ($($port:ident { $($name:ident($($arg:tt)*) -> $told:ty;)* })*) => {$(
        #[async_trait]
        impl $port for Failing {
            $(async fn $name(&self, $($arg)*) -> Result<$told, StoreError> { self.fail().await })*
        }
    )*};
}

fails! {
    InstrumentStore {
        register(_: &[Instrument]) -> Catalog;
        catalog() -> Catalog;
    }
    TapeStore {
        append_trades(_: &Catalog, _: &[Trade]) -> ();
        import_trades(_: &Catalog, _: &[Trade]) -> ();
        trades(_: Listed, _: u64, _: usize) -> Vec<Trade>;
        latest_trades(_: Listed, _: usize) -> Vec<Trade>;
        first_id_at(_: InstrumentKey, _: Timestamp) -> Option<u64>;
        extent(_: InstrumentKey) -> Option<TapeExtent>;
        holes(_: InstrumentKey) -> Vec<IdRange>;
    }
    MarketStore {
        append_market(_: &Catalog, _: &[Event]) -> ();
        funding(_: Listed, _: Timestamp, _: Timestamp) -> Vec<FundingSettled>;
        inputs(_: Listed, _: Timestamp, _: Timestamp) -> Vec<Event>;
        latest_inputs(_: Listed) -> Vec<Event>;
        append_rates(_: &Catalog, _: &[RateSnapshot]) -> ();
        latest_rates(_: &Catalog) -> Vec<RateSnapshot>;
        rates(_: Listed, _: (Timestamp, Timestamp), _: usize) -> Vec<RateSnapshot>;
    }
    BookStore {
        append_log(_: &LogSource, _: &Catalog, _: &[LogEntry<'_>]) -> ();
        cursor(_: &str) -> Option<Cursor>;
        live_events(_: &str, _: Cursor, _: usize) -> Vec<NoteRow>;
        newest_events(_: &str, _: Option<(Cursor, u32)>, _: usize) -> Vec<NoteRow>;
        append_indicators(_: &Catalog, _: &[IndicatorRow]) -> ();
        indicators(_: Listed, _: Timestamp, _: Timestamp) -> Vec<IndicatorRow>;
        signals(_: &SignalFilter, _: Page) -> Vec<SignalRow>;
        own_trades(_: &TradeFilter, _: Page) -> Vec<TradeRow>;
        carry_pairs(_: Mode, _: Page) -> Vec<CarryRow>;
        orders(_: Mode, _: Page) -> Vec<OrderRow>;
        fills(_: Mode, _: Page) -> Vec<FillRow>;
        funding_ledger(_: Mode, _: Page) -> Vec<FundingRow>;
        transfers(_: Mode, _: Page) -> Vec<TransferRow>;
        setting(_: &str) -> Option<Setting>;
        set_setting(_: &Setting) -> ();
    }
    AccountStore {
        insert_user(_: &NewUser, _: Option<&str>) -> Option<UserRecord>;
        user_by_email(_: &str) -> Option<UserRecord>;
        user(_: u64) -> Option<UserRecord>;
        users(_: u64, _: usize) -> Vec<UserRecord>;
        change_user(_: u64, _: &UserChange) -> Option<UserRecord>;
        insert_invite(_: &Invite) -> ();
        invite(_: &str) -> Option<Invite>;
        revoke_invite(_: &str) -> bool;
        invites() -> Vec<Invite>;
        insert_refresh_token(_: &RefreshToken) -> ();
        refresh_token(_: &str) -> Option<RefreshToken>;
        replace_refresh_token(_: &str, _: &RefreshToken) -> bool;
        revoke_family(_: &str, _: Timestamp) -> u64;
        revoke_user_tokens(_: u64, _: Timestamp) -> u64;
        insert_api_key(_: &ApiKey) -> u64;
        api_key(_: &str) -> Option<ApiKey>;
        api_keys(_: u64) -> Vec<ApiKey>;
        revoke_api_key(_: u64, _: u64, _: Timestamp) -> bool;
        append_audit(_: &AuditEntry) -> ();
        audit(_: Page) -> Vec<AuditEntry>;
    }
    DeskStore {
        show(_: &str, _: &Shown) -> ();
        shown(_: &str, _: Cursor) -> Option<Shown>;
    }
    CommandStore {
        ask(_: &NewRequest) -> ();
        take(_: &str, _: u64, _: usize) -> Vec<TakenRequest>;
        lose(_: &str, _: u64) -> u64;
        answer(_: &str, _: u64, _: &Answer) -> bool;
        withdraw(_: &str) -> Option<RequestState>;
        request(_: &str) -> Option<StoredRequest>;
    }
    LeaseStore {
        hold(_: &str, _: &str, _: Duration) -> Option<Lease>;
        release(_: &str, _: &Lease) -> bool;
        lease(_: &str) -> Option<Lease>;
    }
    Upkeep {
        upkeep(_: Timestamp, _: KeepDays) -> UpkeepReport;
        check() -> CheckReport;
    }
}
